"""Who writes and reads channels, as networks of every kind show it."""

from functools import partial

import numpy as np
import pytest

from jinv.models.architectures import mobilenet
from jinv.models.architectures.densenet import DenseNet
from jinv.models.architectures.mobilenet import EFFICIENTNET, MobileNet
from jinv.models.architectures.resnet import Bottleneck, ResNet
from jinv.models.architectures.small import SmallNet
from jinv.models.architectures.vgg import VGG
from jinv.models.architectures.wide_resnet import WideResNet
from jinv.models.channels import channels_of
from jinv.models.loading import make_classifier
from jinv.models.spec import ClassifierSpec


def network(build, size=8):
    return make_classifier(ClassifierSpec("net", build, tuple("abcdef"), size))


def groups(build):
    return {
        group.layers: (group.channels.tolist(), group.inside, group.stage)
        for group in channels_of(network(build)).groups
    }


def test_padded_shortcuts_make_one_trunk_of_all_stages():
    build = partial(
        ResNet, (1, 1), (4, 8), stem="cifar", shortcut="padding"
    )  # zeros: 2 before, 2 after
    assert groups(build) == {
        ("conv1", "layer1.0.conv2", "layer2.0.conv2"): (
            [[0, 0, 2], [1, 1, 3], [2, 2, 4], [3, 3, 5]], False, 1,
        ),
        ("layer1.0.conv1",): ([[0], [1], [2], [3]], True, 1),
        ("layer2.0.conv1",): ([[n] for n in range(8)], True, 2),
        ("layer2.0.conv2",): ([[0], [1], [6], [7]], False, 2),
    }  # fmt: skip


def test_projections_end_a_trunk():
    build = partial(ResNet, (2, 1), (4, 8), stem="cifar")
    found = groups(build)
    trunk = "conv1", "layer1.0.conv2", "layer1.1.conv2"
    assert found[trunk] == ([[n] * 3 for n in range(4)], False, 1)
    later = "layer2.0.conv2", "layer2.0.downsample.0"
    assert found[later] == ([[n] * 2 for n in range(8)], False, 2)


def test_both_inner_convolutions_of_a_bottleneck_are_inside():
    build = partial(ResNet, (1, 1), (2, 4), block=Bottleneck, stem="cifar")
    inside = [layers[0] for layers, (_, inside, _) in groups(build).items() if inside]
    assert inside == [f"layer{s}.0.conv{n}" for s in (1, 2) for n in (1, 2)]
    # The stem is read by a block and by its shortcut.
    assert groups(build)["conv1",][1:] == (False, 1)


def test_flattened_activations_lead_to_their_channel():
    build = partial(SmallNet, (4,), hidden=(5,), input_size=8)
    found = channels_of(network(build))
    flat = found.sources["linear.0"]
    assert flat == tuple(("convs.2", n) for n in range(4) for _ in range(16))
    # Units behind the last stage are in none; those of the logits stay.
    assert [group.stage for group in found.groups] == [1, 1, None]


def test_layers_that_put_the_logits_out_stay():
    assert groups(partial(VGG, (1, 1), (4, 6), head="none")) == {
        ("features.0",): ([[n] for n in range(4)], True, 1)
    }


def test_wide_networks_read_a_trunk_through_batchnorm():
    found = channels_of(network(partial(WideResNet, 10, 1)))
    assert found.sources["block1.layer.0.bn1"] == found.sources["block1.layer.0.conv1"]
    (trunk,) = [g for g in found.groups if "conv1" in g.layers]
    assert trunk.layers == ("conv1", "block1.layer.0.conv2")
    np.testing.assert_array_equal(trunk.channels, np.arange(16)[:, None].repeat(2, 1))


def test_depthwise_convolutions_carry_what_they_read():
    rows = mobilenet.Stack(1, 8, 1, 1), mobilenet.Stack(2, 8, 1, 2)
    found = channels_of(network(partial(MobileNet, rows, EFFICIENTNET, 6, head=4)))
    carriers = "_blocks.0._depthwise_conv", "_blocks.1._depthwise_conv"
    assert found.carriers == carriers
    assert found.sources[carriers[0]] == tuple(("_conv_stem", n) for n in range(6))
    by_layers = {group.layers: group.inside for group in found.groups}
    assert by_layers == {
        ("_conv_stem",): True,
        ("_blocks.0._project_conv",): True,  # the next block halves the resolution
        ("_blocks.1._expand_conv",): True,
        ("_blocks.1._project_conv",): True,
        ("_conv_head",): True,
    }


def test_what_lies_side_by_side_is_read_so():
    found = channels_of(network(partial(DenseNet, (2,), growth=2, stem=3)))
    layer = "features.denseblock1.denselayer{}.conv2".format
    written = "features.conv0", layer(1), layer(2)
    widths = dict(zip(written, (3, 2, 2), strict=True))
    wanted = tuple((name, n) for name in written for n in range(widths[name]))
    assert found.sources["features.norm5"] == wanted
    assert {g.layers: g.inside for g in found.groups}[layer(1),] is False


@pytest.mark.parametrize("name", ["layer1.0.conv1", "conv1"])
def test_the_image_is_no_layers(name):
    sources = channels_of(network(partial(ResNet, (1,), (4,), stem="cifar"))).sources
    assert ("conv1" in sources, name in sources) == (False, name != "conv1")
