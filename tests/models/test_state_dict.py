import jax
import numpy as np
import pytest

from jinv.errors import WeightsError
from jinv.models.state_dict import from_state_dict, to_state_dict

ALIASES = {"linear.": "fc."}


@pytest.fixture
def state(tiny):
    return to_state_dict(tiny.variables)


def load(state, tiny):
    return from_state_dict(state, tiny.variables, ALIASES, "weights.npz")


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
    with pytest.raises(WeightsError, match="misses tensor bn1.bias;"):
        load(missing, tiny)
    extra = state | {"ema.decay": np.zeros(1)}
    with pytest.raises(WeightsError, match="has an unexpected tensor ema.decay"):
        load(extra, tiny)
    wrong = state | {"fc.weight": np.zeros((10, 8))}
    with pytest.raises(WeightsError, match=r"fc.weight has shape \(10, 8\).*\(6, 8\)"):
        load(wrong, tiny)
