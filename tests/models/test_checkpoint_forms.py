"""Checkpoints as public projects write them: each loads, or is refused rightly."""

import json
import pickle

import jax
import numpy as np
import pytest
from checkpoint_forms import EXACT, REFUSED
from checkpoint_makers import npz
from safetensors.numpy import save
from torch_writer import archive, tensors

from jinv.errors import WeightsError
from jinv.models.facts import Facts
from jinv.models.fitting import from_groups
from jinv.models.state_dict import to_state_dict
from jinv.models.weights import read_weights

ALIASES = {"shortcut.": "downsample."}


@pytest.fixture(scope="module")
def variables(tiny):
    return jax.tree.map(np.asarray, dict(tiny.variables))


@pytest.fixture(scope="module")
def state(variables):
    return to_state_dict(variables)


@pytest.fixture
def load(tmp_path, variables):
    def load(content, name="weights"):
        path = tmp_path / name
        path.write_bytes(content)
        groups = read_weights(path).groups
        return from_groups(groups, variables, str(path), ALIASES, ("AuxLogits.",))

    return load


ROUNDED = ("half", "bfloat16", "old-format-bfloat16", "safetensors-bfloat16")


@pytest.mark.parametrize("form", EXACT)
def test_a_form_of_public_projects_loads(form, state, variables, load):
    found = load(EXACT[form](dict(state), variables))
    loose = 0.01 if form in ROUNDED else 0
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=loose), found, variables
    )


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("form", REFUSED)
def test_what_is_no_usable_checkpoint_is_said_in_a_line(form, state, variables, load):
    make, message = REFUSED[form]
    with pytest.raises(WeightsError, match=message) as caught:
        load(make(dict(state), variables))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "name", ["w", "w.pth", "w.ckpt", "w.safetensors", "w.h5", "a.b.tar"]
)
def test_the_suffix_says_nothing(name, state, variables, load):
    for content in (
        archive(tensors(state)),
        save(state),
        npz(state),
        pickle.dumps(variables),
    ):
        load(content, name)


BROUGHT = {
    "sequential": ({"0.mean": [0.5, 0.4, 0.3], "0.std": [0.2, 0.2, 0.1]}, (3,)),
    "robustness": (
        {"normalizer.new_mean": [0.5, 0.4, 0.3], "normalizer.new_std": [0.2, 0.2, 0.1]},
        (3, 1, 1),
    ),
    "mu-sigma": ({"mu": [0.5, 0.4, 0.3], "sigma": [0.2, 0.2, 0.1]}, (1, 3, 1, 1)),
    "bytes": (
        {"pixel_mean": [127.5, 102, 76.5], "pixel_std": [51, 51, 25.5]},
        (3, 1, 1),
    ),
}


@pytest.mark.parametrize("form", BROUGHT)
def test_the_mean_that_a_file_brings_is_found(form, tmp_path):
    pairs, shape = BROUGHT[form]
    arrays = {k: np.reshape(np.asarray(x, "f4"), shape) for k, x in pairs.items()}
    (tmp_path / "w").write_bytes(save({"fc.bias": np.ones(2)} | arrays))
    found = read_weights(tmp_path / "w")
    assert found.facts == Facts(mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))
    assert found.tensors == found.facts


def test_what_else_is_called_a_mean_is_none(tmp_path):
    for mean, std in (
        (np.ones(4), np.ones(4)),
        (np.full(3, 0.5), np.zeros(3)),
        (np.full(3, np.nan), np.ones(3)),
        (np.full(3, -0.5), np.ones(3)),
        (np.full(3, 300.0), np.ones(3)),
    ):
        (tmp_path / "w").write_bytes(
            save({"fc.bias": np.ones(2), "mean": mean, "std": std})
        )
        assert read_weights(tmp_path / "w").facts == Facts()


def test_a_companion_is_heard_before_metadata_and_metadata_before_tensors(tmp_path):
    path, companion = tmp_path / "w.safetensors", tmp_path / "w.json"
    tensors = {"mean": np.full(3, 0.5, "f4"), "std": np.full(3, 0.25, "f4")}
    path.write_bytes(save(tensors))
    assert read_weights(path).facts.mean == (0.5,) * 3
    told = Facts(mean=(0.1,) * 3, std=(0.2,) * 3, classes=("a", "b")).to_metadata()
    path.write_bytes(save(tensors, told))
    found = read_weights(path)
    assert found.facts.mean == (0.1,) * 3 and found.tensors == Facts()
    companion.write_text(json.dumps({"mean": [0.3] * 3, "input_size": 64, "lr": 1}))
    found = read_weights(path).facts
    assert (found.mean, found.std[0], found.input_size) == ((0.3,) * 3, 0.2, 64)
    assert found.classes == ("a", "b")
    for nothing_of_ours in ("[1]", "{", '{"lr": 0.1}', "[" * 100_000):
        companion.write_text(nothing_of_ours)
        assert read_weights(path).facts.mean == (0.1,) * 3
    companion.write_text(json.dumps({"mean": "grey"}))
    with pytest.raises(WeightsError, match=r"w.json, beside the weights: mean: expect"):
        read_weights(path)
