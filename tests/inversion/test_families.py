"""Small networks of every family are inverted; parity tests have their full size."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import pytest

from jinv.engine.execution import Execution
from jinv.inversion.dafl import DAFL
from jinv.inversion.deep import DeepInversion
from jinv.inversion.fast import FastGenerators
from jinv.inversion.invert import invert
from jinv.inversion.natural import NaturalInversion
from jinv.inversion.presets import default_preset, find_preset
from jinv.models.architectures.densenet import DenseNet
from jinv.models.architectures.mobilenet import TORCHVISION, MobileNet, Stack
from jinv.models.architectures.vgg import VGG
from jinv.models.architectures.wide_resnet import WideResNet
from jinv.models.loading import make_classifier
from jinv.models.spec import ClassifierSpec

FAMILIES = {
    "vgg": partial(VGG, (1, 2), (8, 16), head="linear"),
    "vgg without BatchNorm": partial(
        VGG, (1, 1), (8, 16), batch_norm=False, head="none"
    ),
    "wide resnet": partial(WideResNet, 10, 1),
    "densenet": partial(DenseNet, (2, 1), 8, 8),
    "mobilenet": partial(
        MobileNet,
        (Stack(1, 8, 1, 1), Stack(6, 16, 2, 2)),
        TORCHVISION,
        stem=8,
        head=16,
    ),
}


def small(family):
    """A network with random weights, and the statistics of blocks of one colour."""
    spec = ClassifierSpec(
        name=family,
        build=FAMILIES[family],
        classes=tuple(f"class {number}" for number in range(16)),
        input_size=16,
        batch_norm="without" not in family,
    )
    classifier = make_classifier(spec)
    colours = jax.random.normal(jax.random.key(0), (32, 4, 4, 3))
    images = jnp.repeat(jnp.repeat(colours, 4, 1), 4, 2)

    @jax.jit
    def see(variables):
        apply = classifier.module.apply
        _, seen = apply(variables, images, train=True, mutable=["batch_stats"])
        return {**variables, **seen}

    variables = classifier.variables
    for _ in range(60 * spec.batch_norm):
        variables = see(variables)
    return replace(classifier, variables=variables)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_falls(family):
    classifier = small(family)
    w_bn = 3.0 if classifier.spec.batch_norm else 0.0
    method = DeepInversion(steps=(60,), lr=0.1, w_tv2=1e-3, w_bn=w_bn)
    once = Execution(devices=1, log_every=1)
    log = invert(classifier, "0-7", 8, method=method, company=0, execution=once).log
    first, last = log[0], log[-1]
    assert last["loss"] < 0.85 * first["loss"]
    assert ("bn" in last["terms"]) == classifier.spec.batch_norm
    decisive = "bn" if classifier.spec.batch_norm else "cross-entropy"
    fallen = last["terms"][decisive]["raw"] / first["terms"][decisive]["raw"]
    assert fallen < 0.85


@pytest.mark.parametrize(
    "method",
    [
        NaturalInversion(steps=2, latent=4, channels=16, jitter=1),
        FastGenerators(steps=2, rehearsals=1, latent=4, channels=16, jitter=1),
        DAFL(steps=2, rehearsals=1, latent=4, channels=16),
    ],
    ids=lambda method: type(method).__name__,
)
def test_generators_make_grey_images(outline, method):
    spec = ClassifierSpec(
        name="grey",
        build=FAMILIES["vgg"],
        classes=("one", "two"),
        input_size=16,
        mean=(0.5,),
        std=(0.25,),
    )
    ((*_, images),) = outline(make_classifier(spec), method, batch=2)
    assert images.shape == (2, 16, 16, 1)


def test_without_batchnorm_the_default_needs_none():
    preset = find_preset(default_preset(small("vgg without BatchNorm").spec))
    assert preset.fitted(small("vgg without BatchNorm").spec).w_bn == 0
