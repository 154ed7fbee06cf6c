"""Small networks of every family are inverted; parity tests have their full size."""

from functools import partial

import pytest

from jinv.engine.run import Execution
from jinv.inversion.deep import DeepInversion
from jinv.inversion.job import invert
from jinv.inversion.presets import default_preset, find_preset
from jinv.models.classifier import make_classifier
from jinv.models.densenet import DenseNet
from jinv.models.mobilenet import TORCHVISION, Group, MobileNet
from jinv.models.vgg import VGG
from jinv.models.wide_resnet import WideResNet
from jinv.models.zoo import ClassifierSpec

FAMILIES = {
    "vgg": partial(VGG, (1, 2), (8, 16), head="linear"),
    "vgg without BatchNorm": partial(
        VGG, (1, 1), (8, 16), batch_norm=False, head="none"
    ),
    "wide resnet": partial(WideResNet, 10, 1),
    "densenet": partial(DenseNet, (2, 1), 8, 8),
    "mobilenet": partial(
        MobileNet,
        (Group(1, 8, 1, 1), Group(6, 16, 2, 2)),
        TORCHVISION,
        stem=8,
        head=16,
    ),
}


def small(family):
    spec = ClassifierSpec(
        name=family,
        build=FAMILIES[family],
        classes=tuple(f"class {number}" for number in range(16)),
        input_size=16,
        batch_norm="without" not in family,
    )
    return make_classifier(spec, seed=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_falls_and_its_terms_with_it(family):
    classifier = small(family)
    method = DeepInversion(steps=(40,), lr=0.05, w_tv2=1e-3)
    if not classifier.spec.batch_norm:
        method = DeepInversion(steps=(40,), lr=0.05, w_tv2=1e-3, w_feature=0.0)
    once = Execution(devices=1, log_every=1)
    log = invert(classifier, "0-7", 8, method=method, company=0, execution=once).log
    first, last = log[0], log[-1]
    assert last["loss"] < 0.7 * first["loss"]
    assert ("feature" in last["terms"]) == classifier.spec.batch_norm
    for term in {"cross-entropy", "feature"} & set(last["terms"]):
        assert last["terms"][term]["raw"] < first["terms"][term]["raw"]


def test_without_batchnorm_the_default_needs_none():
    preset = find_preset(default_preset(small("vgg without BatchNorm").spec))
    assert preset.fitted(small("vgg without BatchNorm").spec).w_feature == 0
