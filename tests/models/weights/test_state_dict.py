import jax
import numpy as np
import pytest

from jinv.errors import WeightsError
from jinv.models.weights.fitting import from_state_dict
from jinv.models.weights.state_dict import to_state_dict

ALIASES = {"linear.": "fc."}


@pytest.fixture
def state(tiny):
    return to_state_dict(tiny.variables)


def load(state, tiny):
    return from_state_dict(state, tiny.variables, "weights.npz", ALIASES)


def test_a_round_trip_changes_nothing(tiny, state):
    jax.tree.map(np.testing.assert_array_equal, load(state, tiny), tiny.variables)


def test_keys_and_layouts_are_those_of_pytorch(tiny, state):
    assert state["conv1.weight"].shape == (4, 3, 3, 3)
    assert state["fc.weight"].shape == (6, 8)
    assert state["layer2.0.downsample.1.running_var"].shape == (8,)
    kernel = tiny.variables["params"]["conv1"]["kernel"]
    assert state["conv1.weight"][3, 2, 0, 1] == kernel[0, 1, 2, 3]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_prefixes_of_wrappers_are_removed(tiny, state, prefix):
    wrapped = {prefix + key: value for key, value in state.items()}
    jax.tree.map(np.testing.assert_array_equal, load(wrapped, tiny), tiny.variables)


def test_aliases_and_counters_are_understood(tiny, state):
    other = {key.replace("fc.", "linear."): value for key, value in state.items()}
    other["bn1.num_batches_tracked"] = np.array(7)
    jax.tree.map(np.testing.assert_array_equal, load(other, tiny), tiny.variables)


def test_what_does_not_fit_is_named(tiny, state):
    missing = {key: value for key, value in state.items() if key != "bn1.bias"}
    with pytest.raises(
        WeightsError, match="misses tensor bn1.bias; it has conv1.weight"
    ):
        load(missing, tiny)
    extra = state | {"ema.decay": np.zeros(1)}
    with pytest.raises(WeightsError, match="has an unexpected tensor ema.decay"):
        load(extra, tiny)
    wrong = state | {"fc.weight": np.zeros((10, 8))}
    with pytest.raises(WeightsError, match=r"fc.weight has shape \(10, 8\).*\(6, 8\)"):
        load(wrong, tiny)


@pytest.mark.parametrize("prefix", ["ema.", "module.ema_model.", "model_ema.module."])
def test_averaged_copies_are_understood(tiny, state, prefix):
    wrapped = {prefix + key: value for key, value in state.items()}
    wrapped["n_averaged"] = np.array(100)
    jax.tree.map(np.testing.assert_array_equal, load(wrapped, tiny), tiny.variables)


def test_two_copies_of_the_weights_are_not_mixed(tiny, state):
    both = {f"{p}{k}": v for k, v in state.items() for p in ("model.", "ema.")}
    jax.tree.map(np.testing.assert_array_equal, load(both, tiny), tiny.variables)
    both["ema.fc.bias"] = both["ema.fc.bias"] + 1
    with pytest.raises(
        WeightsError, match="two copies .*model.conv1.weight and ema.conv1"
    ):
        load(both, tiny)


def test_another_number_of_classes_comes_with_advice(tiny, state):
    wrong = state | {"fc.weight": np.zeros((10, 8)), "fc.bias": np.zeros(10)}
    with pytest.raises(WeightsError, match="10 classes apart, not 6.*--class-names"):
        load(wrong, tiny)


def test_what_is_not_needed_can_be_named(tiny, state):
    extra = state | {"AuxLogits.fc.weight": np.zeros((2, 2))}
    found = from_state_dict(extra, tiny.variables, "w", ignored=("AuxLogits.",))
    jax.tree.map(np.testing.assert_array_equal, found, tiny.variables)
