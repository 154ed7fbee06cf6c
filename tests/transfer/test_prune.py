"""Pruning: which filters are cut, and that the small network is what is left."""

import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict

import jinv
from jinv.data.labelled import ArrayImages
from jinv.errors import ConfigError, DataError, WeightsError
from jinv.models.architectures import mobilenet
from jinv.models.architectures.densenet import DenseNet
from jinv.models.architectures.mobilenet import TORCHVISION, MobileNet
from jinv.models.architectures.resnet import Bottleneck, ResNet
from jinv.models.architectures.small import SmallNet
from jinv.models.architectures.vgg import VGG
from jinv.models.architectures.wide_resnet import WideResNet
from jinv.models.channels import channels_of
from jinv.models.classifier import Classifier
from jinv.models.costs import costs_of, milliseconds_of
from jinv.models.listing import init_shapes
from jinv.models.loading import load_classifier
from jinv.models.spec import ClassifierSpec
from jinv.transfer.prune import prune
from jinv.transfer.prunings import PRUNINGS, Pruning

RECORDED = json.loads((Path(__file__).parent / "recorded/pruning.json").read_text())


@cache
def lively(kind):
    """A network whose statistics, scales and biases are no two alike."""
    spec = ClassifierSpec("net", NETWORKS[kind], tuple("abcdef"), 8)
    module, rng = spec.make_module(), np.random.default_rng(0)

    def drawn(path, leaf):
        values = rng.normal(size=leaf.shape).astype(np.float32)
        if path[-1] == "kernel":
            return values / np.sqrt(leaf.size / leaf.shape[-1])
        usual = 1 if path[-1] in ("var", "scale") else 0
        return np.abs(usual + 0.3 * values) if usual else 0.3 * values

    flat = flatten_dict(init_shapes(module, spec))
    return Classifier(
        spec, module, unflatten_dict({p: drawn(p, x) for p, x in flat.items()})
    )


def masked(network, kept):
    """Variables of which all channels but those kept are 0, behind BatchNorm too."""
    flat = {path: np.array(x) for path, x in flatten_dict(network.variables).items()}
    sources = channels_of(network).sources
    for path, value in flat.items():
        layer, leaf = ".".join(path[1:-1]), path[-1]
        if leaf == "kernel" and layer in kept:
            lost = np.setdiff1d(np.arange(value.shape[-1]), kept[layer])
            value[..., lost] = 0
            if (*path[:-1], "bias") in flat:
                flat[*path[:-1], "bias"][lost] = 0
        elif leaf == "scale":
            for number, (writer, channel) in enumerate(sources[layer]):
                if writer in kept and channel not in kept[writer]:
                    value[number] = flat[*path[:-1], "bias"][number] = 0
    return unflatten_dict(flat)


MOBILE = mobilenet.Stack(1, 8, 1, 1), mobilenet.Stack(3, 10, 2, 1, 5)
NETWORKS = {
    "padding": partial(ResNet, (1, 2), (6, 14), stem="cifar", shortcut="padding"),
    "projection": partial(ResNet, (2, 1), (6, 10), stem="cifar"),
    "bottleneck": partial(ResNet, (1, 1), (4, 6), block=Bottleneck, stem="cifar"),
    "wide": partial(WideResNet, 10, 1),
    "vgg": partial(VGG, (2, 1), (10, 8), head="linear"),
    "small": partial(SmallNet, (6,), hidden=(8,), input_size=8),
    "mobilenet": partial(MobileNet, MOBILE, TORCHVISION, stem=6, head=12),
    "densenet": partial(DenseNet, (2, 2), growth=6, stem=10),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_logits_are_those_of_the_masked_network(kind):
    network = lively(kind)
    logits = jax.jit(network.logits)
    inputs = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype(np.float32)
    whole = logits(network.variables, inputs)
    # A chain has no trunk.
    for where in ("inside", "trunk") if kind not in ("vgg", "small") else ("inside",):
        pruned = prune(network, 0.4, where=where)
        wanted = logits(masked(network, pruned.kept), inputs)
        small = pruned.classifier
        found = jax.jit(small.logits)(small.variables, inputs)
        scale = np.abs(wanted).max()
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * scale)
        assert np.abs(wanted - whole).max() > 1e-2 * scale
        assert pruned.after.parameters < pruned.before.parameters
        assert pruned.after.multiply_adds < pruned.before.multiply_adds


def test_padded_channels_change_places_where_more_are_cut_on_one_side():
    network = lively("padding")
    flat = {path: np.array(x) for path, x in flatten_dict(network.variables).items()}
    for block in ("layer2.0", "layer2.1"):
        # Of the 4 zeros before the channels of the first stage, all are weak.
        flat["params", block, "conv2", "kernel"][..., :4] *= 1e-3
    network = replace(network, variables=unflatten_dict(flat))
    pruned = prune(network, 0.5, where="trunk")
    inner = pruned.kept["conv1"] + 4
    kept = pruned.kept["layer2.0.conv2"]
    np.testing.assert_array_equal(kept, [10, 11, *inner, 12, 13])
    inputs = np.random.default_rng(1).normal(size=(3, 8, 8, 3)).astype(np.float32)
    small, whole = pruned.classifier, jax.jit(network.logits)
    np.testing.assert_allclose(
        jax.jit(small.logits)(small.variables, inputs),
        whole(masked(network, pruned.kept), inputs),
        rtol=0,
        atol=1e-5,
    )


def test_depthwise_filters_count_where_a_channel_passes_them():
    network = lively("mobilenet")
    flat = {path: np.array(x) for path, x in flatten_dict(network.variables).items()}
    block = "params", "features.2.conv"
    for layer in ("0.0", "1.0"):
        kernel = flat[*block, layer, "kernel"]
        kernel /= np.abs(kernel).sum((0, 1, 2))  # all alike
    flat[*block, "0.0", "kernel"][..., :6] *= 1.5
    flat[*block, "1.0", "kernel"][..., -12:] *= 2
    network = replace(network, variables=unflatten_dict(flat))
    kept = prune(network, 0.5).kept["features.2.conv.0.0"]
    np.testing.assert_array_equal(kept, range(12, 24))


def test_filters_are_ranked_as_pytorch_does():
    network = load_classifier("cifar10_resnet20")
    ratio = RECORDED["ratio"]
    inside = prune(network, ratio).kept
    assert {name: kept.tolist() for name, kept in inside.items()} == RECORDED["inside"]
    trunk = prune(network, ratio, where="trunk").kept
    # Numbers of the last stage, in which all others have a place.
    (first, second, third) = (set(kept) for kept in RECORDED["trunk"].values())
    assert {n + 24 for n in trunk["conv1"].tolist()} == first
    assert {n + 16 for n in trunk["layer2.0.conv2"].tolist()} == first | second
    assert set(trunk["layer3.0.conv2"].tolist()) == first | second | third


def test_a_ratio_for_each_stage_and_layers_to_skip():
    network = lively("projection")
    pruned = prune(network, [0.5, 0], skip=["layer1.1.*"])
    assert pruned.classifier.spec.narrowed == {"layer1.0.conv1": 3}
    assert list(pruned.kept) == ["layer1.0.conv1"]


def test_as_many_channels_are_kept_as_devices_like():
    network = lively("vgg")
    usual, rounded = prune(network, 0.7), prune(network, 0.7, multiple=4)
    for layer, count in rounded.classifier.spec.narrowed.items():
        assert count % 4 == 0 and 0 <= count - len(usual.kept[layer]) < 4
        # Those that are kept anyway, and the strongest of the others.
        assert set(usual.kept[layer]) <= set(rounded.kept[layer])
    assert rounded.card()["pruned"]["multiple"] == 4
    assert "multiple" not in usual.card()["pruned"]


def test_published_layers_are_skipped():
    assert PRUNINGS["resnet34-a"].skip == (
        "layer1.0.conv1", "layer2.0.conv1", "layer2.3.conv1", "layer3.0.conv1",
        "layer3.5.conv1", "layer4.0.conv1", "layer4.1.conv1", "layer4.2.conv1",
    )  # fmt: skip
    assert PRUNINGS["resnet56-a"].skip[0] == "layer1.7.conv1"


def test_nine_tenths_of_ten_leave_one():
    pruned = prune(lively("vgg"), 0.9, skip=["features.0", "features.7"])
    assert pruned.classifier.spec.narrowed == {"features.3": 1}


def test_a_pruned_network_is_pruned_again():
    network = lively("projection")
    once = prune(network, 0.5).classifier
    twice = prune(once, 0.5, where="trunk")
    assert twice.classifier.spec.narrowed["layer1.0.conv1"] == 3
    assert twice.classifier.spec.narrowed["conv1"] == 3
    assert twice.after.parameters < costs_of(once).parameters


def test_networks_that_recompute_are_cut_alike():
    network = lively("projection")
    module = network.module.clone(remat=True)
    again = prune(replace(network, module=module), 0.5)
    assert again.classifier.module.remat
    assert (
        again.classifier.spec.narrowed == prune(network, 0.5).classifier.spec.narrowed
    )


def test_statistics_are_measured_anew(tiny, stripes):
    pruned = prune(tiny, 0.5, data=stripes[0])
    plain = prune(tiny, 0.5)
    one, other = (
        flatten_dict(each.classifier.variables["batch_stats"])
        for each in (pruned, plain)
    )
    first = "bn1", "mean"
    images = np.asarray(stripes[0].images)
    small = pruned.classifier
    inputs = small.normalise(images)
    apply = jax.jit(partial(small.module.apply, mutable=["taps"], train=False))
    _, taps = apply(small.variables, inputs)
    np.testing.assert_allclose(one[first], taps["taps"]["bn1"]["mean"], atol=1e-4)
    assert not np.allclose(one[first], other[first], atol=1e-2)
    assert pruned.card()["statistics"]["images"] == 384


def test_a_file_says_what_is_narrowed(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(jinv.models.zoo._zoo(), "tiny", tiny.spec)
    pruned = prune(tiny, 0.5, where="both")
    path = pruned.save(tmp_path, {"note": "mine"})
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["note"] == "mine" and card["narrowed"]["conv1"] == 2
    path.with_suffix(".json").unlink()  # the file says it itself
    loaded = load_classifier("tiny", path)
    assert loaded.spec.narrowed == pruned.classifier.spec.narrowed
    assert loaded.sha256 == card["sha256"]
    for one, other in zip(
        jax.tree.leaves(loaded.variables),
        jax.tree.leaves(pruned.classifier.variables),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    # It inverts, in another type too, and is told from the large one.
    result = jinv.invert(loaded, "cat,dog", images=2, steps=(2,), method="deep")
    assert result.images.shape == (2, 8, 8, 3)
    assert result.job.describe()["narrowed"] == loaded.spec.narrowed


def test_a_pruned_student_learns_from_the_whole_network(tiny, stripes, tmp_path):
    student = prune(tiny, 0.5).classifier
    brief = {"steps": 1, "batch_size": 4, "margin": 1, "w_hints": 0, "collage": 0}
    distilled = jinv.distill(tiny, student, tmp_path, stripes[0], **brief)
    assert distilled.classifier.spec.narrowed == student.spec.narrowed
    card = json.loads(distilled.path.with_suffix(".json").read_text())
    assert card["narrowed"] == student.spec.narrowed


def test_multiplications_are_those_of_layers():
    network = lively("vgg")
    convolutions = 64 * 9 * (3 * 10 + 10 * 10) + 16 * 9 * 10 * 8
    assert costs_of(network).multiply_adds == convolutions + 8 * 6
    assert all(each > 0 for each in milliseconds_of([network, network], 2, 2))


REFUSED = {
    "expected the share": {},
    "over 0 and below 1, .*found 1": {"ratio": 1.0},
    "found 0.0$": {"ratio": 0.0},
    "found -0.1$": {"ratio": -0.1},
    "leaves conv1 none of its 4 filters: take at most 0.75": {
        "ratio": 0.9,
        "where": "trunk",
    },
    "3 ratios for tiny: expected one, or one for each of its 2": {
        "ratio": [0.1, 0.2, 0.3]
    },
    "no layer 'layer9' that could be cut": {"ratio": 0.5, "skip": ["layer9"]},
    "nothing of tiny is cut": {"ratio": 0.5, "skip": ["*"]},
    "to skip and multiples of 16: choose": {"ratio": 0.5, "multiple": 16},
    "unknown preset 'resnet56'": {"preset": "resnet56"},
    "where: expected inside or trunk or both": {"ratio": 0.5, "where": "outside"},
    "published for a network of .9, 9, 9. basic blocks": {"preset": "resnet56-b"},
}


@pytest.mark.parametrize("message", REFUSED)
def test_a_pruning_that_cannot_be_is_one_line(message, tiny):
    with pytest.raises(ConfigError, match=message) as error:
        prune(tiny, **REFUSED[message])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("blocks", "fits"), [((1, 1), True), ((1,), False)])
def test_what_is_published_for_one_network_is_refused_for_others(
    tiny, monkeypatch, blocks, fits
):
    """Also for a larger one, which has all the layers."""
    published = Pruning(ratio=(0.5,), skip=("layer1.0.conv1",), blocks=blocks)
    monkeypatch.setitem(PRUNINGS, "published", published)
    if fits:
        assert prune(tiny, preset="published").after.parameters > 0
    else:
        with pytest.raises(ConfigError, match="which tiny is not: give ratio"):
            prune(tiny, preset="published")


def test_a_network_of_another_kind_cannot_be_narrowed(unnormalised):
    with pytest.raises(ConfigError, match="plain cannot be narrowed"):
        prune(unnormalised, 0.5)
    spec = replace(unnormalised.spec, narrowed={"conv1": 2})
    spec = replace(spec, build=lambda **_: unnormalised.module)
    with pytest.raises(ConfigError, match="plain cannot be narrowed, as these"):
        spec.make_module()


def test_facts_that_are_no_widths_are_refused(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(jinv.models.zoo._zoo(), "tiny", tiny.spec)
    path = prune(tiny, 0.5).save(tmp_path)
    for wrong in ('{"narrowed": {"conv1": -2}}', '{"narrowed": [3]}'):
        path.with_suffix(".json").write_text(wrong)
        with pytest.raises(WeightsError, match="narrowed: expected"):
            load_classifier("tiny", path)
    path.with_suffix(".json").write_text('{"narrowed": {"conv1": 3}}')
    with pytest.raises(WeightsError, match="says that it is narrowed"):
        load_classifier("tiny", path)


def test_images_of_another_size_are_refused(tiny):
    images = ArrayImages(np.zeros((4, 6, 6, 3), np.uint8), np.zeros(4, int))
    with pytest.raises(DataError, match="of shape .8, 8, 3."):
        prune(tiny, 0.5, data=images)
