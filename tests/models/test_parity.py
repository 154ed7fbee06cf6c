"""The same weights give the same numbers as in PyTorch."""

from pathlib import Path

import jax
import numpy as np
import pytest
from parity_network import parity_array, parity_inputs

from jinv.losses import cross_entropy, feature_loss
from jinv.models.classifier import Classifier, init_shapes
from jinv.models.state_dict import from_state_dict, to_state_dict
from jinv.models.zoo import classifier_spec


@pytest.fixture(scope="module")
def computed():
    spec = classifier_spec("resnet50")
    module = spec.build()
    shapes = init_shapes(module, spec)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes)
    state = {k: parity_array(k, v.shape) for k, v in to_state_dict(zeros).items()}
    variables = from_state_dict(state, shapes, {}, "parity")
    classifier = Classifier(spec, module, variables)
    inputs, labels = parity_inputs()
    running = classifier.running_moments(variables)
    weights = dict.fromkeys(running, 1.0)

    def loss(x):
        logits, taps = classifier.observe(variables, x)
        feature = feature_loss(taps, running, weights)
        return cross_entropy(logits, labels).mean() + 0.01 * feature, (logits, feature)

    gradient, (logits, feature) = jax.jit(jax.grad(loss, has_aux=True))(inputs)
    return {"logits": logits, "feature": feature, "gradient": np.asarray(gradient)}


@pytest.fixture(scope="module")
def recorded():
    with np.load(Path(__file__).with_name("parity_resnet50.npz")) as arrays:
        return dict(arrays)


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def test_resnet50_has_the_logits_of_pytorch(computed, recorded):
    assert error(computed["logits"], recorded["logits"]) < 1e-5


def test_resnet50_has_the_feature_loss_of_pytorch(computed, recorded):
    assert error(computed["feature"], recorded["feature"]) < 1e-5


def test_resnet50_has_the_image_gradient_of_pytorch(computed, recorded):
    sample = computed["gradient"][:, ::4, ::4]
    assert error(sample, recorded["gradient_sample"]) < 1e-4
    norm = np.linalg.norm(computed["gradient"])
    assert error(norm, recorded["gradient_norm"]) < 1e-4
