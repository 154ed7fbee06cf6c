import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jinv.errors import WeightsError
from jinv.models.weights import hidden_networks
from jinv.models.weights.hidden_networks import FORMAT, FrozenWeights, write_supermask
from jinv.models.weights.reading import read_tensors, read_weights

FROZEN = FrozenWeights(
    seed=5,
    weight_init="kaiming-normal",
    scaled=True,
    fractions={"conv1": 0.5, "fc": 1.0},
    shapes={"conv1": (8, 3, 3, 3), "fc": (6, 8)},
)
OTHERS = {
    "bn1.weight": np.ones(8, np.float32),
    "bn1.bias": np.zeros(8, np.float32),
    "bn1.running_mean": np.arange(8, dtype=np.float32),
    "bn1.running_var": np.full(8, 2, np.float32),
    "fc.bias": np.zeros(6, np.float32),
}


@pytest.fixture
def mask():
    return np.random.default_rng(0).random((8, 3, 3, 3)) < 0.5


@pytest.fixture
def path(tmp_path, mask):
    path = tmp_path / "hidden.safetensors"
    write_supermask(path, "tiny", FROZEN, {"conv1": mask}, OTHERS)
    return path


def test_a_file_holds_a_bit_for_each_weight_and_reads_as_a_state_dict(path, mask):
    stored = load_file(path)
    assert stored["conv1.mask"].nbytes == 27  # of 216 weights
    assert set(stored) == {
        "conv1.mask",
        "bn1.running_mean",
        "bn1.running_var",
        "fc.bias",
    }
    state = read_tensors(path)
    drawn = FROZEN.draw()
    np.testing.assert_array_equal(state.pop("conv1.weight"), drawn["conv1"] * mask)
    np.testing.assert_array_equal(state.pop("fc.weight"), drawn["fc"])
    for key, value in OTHERS.items():
        np.testing.assert_array_equal(state.pop(key), value)
    assert not state


def test_the_same_network_makes_the_same_file(path, mask, tmp_path):
    again = tmp_path / "again.safetensors"
    write_supermask(again, "tiny", FROZEN, {"conv1": mask}, OTHERS)
    assert again.read_bytes() == path.read_bytes()


def test_trained_scales_are_kept(tmp_path, mask):
    others = {**OTHERS, "bn1.weight": np.arange(8, dtype=np.float32)}
    path = tmp_path / "affine.safetensors"
    write_supermask(path, "tiny", FROZEN, {"conv1": mask}, others)
    np.testing.assert_array_equal(read_tensors(path)["bn1.weight"], np.arange(8))


def test_a_truncated_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(path)


def rewrite(path, tensors=None, **described):
    known = {
        "format": FORMAT,
        "model": "tiny",
        "frozen": FROZEN.__dict__,
        "sha256": "0" * 64,
    }
    metadata = {"jinv.supermask": json.dumps(known | described)}
    save_file(tensors or load_file(path), path, metadata)


def test_a_file_of_a_later_format_is_refused(path):
    rewrite(path, format=2)
    with pytest.raises(
        WeightsError, match="of format 2, and this version of jinv reads format 1"
    ):
        read_weights(path)


def test_weights_that_are_drawn_otherwise_are_refused(path):
    rewrite(path)
    with pytest.raises(WeightsError, match="seed 5 draws other weights here"):
        read_weights(path)


def test_a_mask_of_another_layer_is_refused(path, monkeypatch):
    monkeypatch.setattr(hidden_networks, "_checksum", lambda _: "0" * 64)
    rewrite(path, load_file(path) | {"conv1.mask": np.zeros(20, np.uint8)})
    with pytest.raises(WeightsError, match="20 bytes, but 216 weights need 27"):
        read_weights(path)


def test_a_file_without_a_mask_is_refused(path, monkeypatch):
    monkeypatch.setattr(hidden_networks, "_checksum", lambda _: "0" * 64)
    tensors = load_file(path)
    del tensors["conv1.mask"]
    rewrite(path, tensors)
    with pytest.raises(WeightsError, match="lacks the mask of conv1"):
        read_weights(path)


@pytest.mark.parametrize("frozen", [{}, "?"])
def test_a_file_that_does_not_say_how_to_draw_is_refused(path, frozen):
    rewrite(path, frozen=frozen)
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(path)
