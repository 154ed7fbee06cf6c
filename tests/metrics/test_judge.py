from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.errors import ConfigError
from jinv.metrics.judge import judge, translate_labels

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 8, 8, 3), np.uint8)


def predictions(tiny):
    inputs = tiny.normalise(jnp.asarray(IMAGES / np.float32(255)))
    return np.asarray(tiny.logits(tiny.variables, inputs))


def test_the_share_of_recognised_images(tiny):
    order = np.argsort(-predictions(tiny), -1)
    labels = order[:, 0].copy()
    labels[:3] = order[:3, 1]
    labels[3] = order[3, 5]
    verdict = judge(tiny, IMAGES, labels, tiny.spec.classes, batch_size=10)
    assert verdict["top1"] == pytest.approx(19 / 23)
    assert verdict["top5"] == pytest.approx(22 / 23)


def test_bytes_and_floats_are_judged_alike(tiny):
    labels = np.arange(23) % 6
    names = tiny.spec.classes
    floats = judge(tiny, (IMAGES / 255).astype(np.float32), labels, names)
    assert judge(tiny, IMAGES, labels, names) == floats


def test_images_of_another_size_are_resized(tiny):
    large = np.asarray(jax.image.resize(IMAGES / 255.0, (23, 16, 16, 3), "bilinear"))
    labels = predictions(tiny).argmax(-1)
    verdict = judge(tiny, large.astype(np.float32), labels, tiny.spec.classes)
    assert verdict["top1"] > 0.7


def test_classes_are_matched_by_name(tiny):
    spec = replace(tiny.spec, classes=tiny.spec.classes[::-1])
    reversed_names = replace(tiny, spec=spec)
    labels = np.array([0, 5, 2])
    found = translate_labels(reversed_names, labels, tiny.spec.classes)
    np.testing.assert_array_equal(found, [5, 0, 3])


def test_a_class_that_the_judge_does_not_know_is_refused(tiny):
    with pytest.raises(ConfigError, match="does not know the class 'zebra'"):
        translate_labels(tiny, np.array([0]), ["zebra"])
