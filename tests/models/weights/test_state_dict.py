import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jinv.errors import WeightsError
from jinv.models.weights.fitting import from_groups, from_state_dict
from jinv.models.weights.state_dict import to_state_dict

ALIASES = {"linear.": "fc."}


@pytest.fixture
def state(tiny):
    return to_state_dict(tiny.variables)


def load(state, tiny):
    return from_state_dict(state, tiny.variables, "weights.npz", ALIASES)


def test_a_round_trip_changes_nothing(tiny, state):
    jax.tree.map(np.testing.assert_array_equal, load(state, tiny), tiny.variables)


class Strange(nn.Module):
    """Layers that strangers use, with leaves of every kind and rank."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(4, (3, 3), feature_group_count=1)(x)
        x = nn.ConvTranspose(4, (2, 3))(x)
        x = nn.WeightNorm(nn.Conv(4, (1, 2)))(x)
        x = nn.SpectralNorm(nn.Conv(4, (3, 2)))(x, update_stats=False)
        x = nn.BatchNorm(use_running_average=True)(nn.GroupNorm(2)(nn.PReLU()(x)))
        x = nn.Conv(5, (1, 2, 3))(x[..., None])[..., 0]
        x = x.reshape(len(x), -1, 6)
        x = nn.MultiHeadDotProductAttention(2)(nn.LayerNorm()(x))
        x = nn.Conv(7, (3,))(x) + nn.Embed(3, 7)(jnp.zeros((), int))
        x = nn.DenseGeneral((2, 3), axis=(-2, -1))(x)
        return Scaled()(x.reshape(len(x), -1))


class Scaled(nn.Module):
    """A dense layer with variables whose PyTorch names would be the same."""

    @nn.compact
    def __call__(self, x):
        def draw(name, *shape):
            return self.param(name, nn.initializers.normal(), shape)

        shift = self.variable("batch_stats", "mean", jnp.zeros, (6,))
        x = (x - shift.value) @ draw("kernel", 6, 5) * draw("scale", 5)
        return x @ draw("weight", 5, 3) + draw("running_mean", 3) + draw("gain")


def test_any_leaf_of_any_rank_comes_back():
    with jax.numpy_rank_promotion("allow"):  # as it is where modules are at home
        init, x = Strange().init, jnp.ones((2, 6, 6, 3))
        shapes = jax.eval_shape(init, jax.random.key(0), x)
    rng = np.random.default_rng(0)
    variables = jax.tree.map(
        lambda leaf: rng.random(leaf.shape, np.float32), dict(shapes)
    )
    state = to_state_dict(variables)
    assert len(state) == len(jax.tree.leaves(variables))
    found = from_state_dict(state, variables, "w")
    assert jax.tree.structure(found) == jax.tree.structure(variables)
    jax.tree.map(np.testing.assert_array_equal, found, variables)
    theirs = from_groups(_containers(variables), variables, "w")
    jax.tree.map(np.testing.assert_array_equal, theirs, variables)


def _containers(variables):
    """As files of Flax's variables are read: a container for each layer."""
    groups = {}
    for (*place, leaf), value in flatten_dict(variables).items():
        groups.setdefault("/".join(place), {})[leaf] = np.asarray(value)
    return groups


def test_layers_are_laid_out_as_pytorch_does():
    shapes = {"kernel": (3, 4, 5, 6, 7), "embedding": (3, 4), "bias": (2, 3)}
    state = to_state_dict(
        {"params": {"a": {name: np.zeros(shape) for name, shape in shapes.items()}}}
    )
    assert {name: value.shape for name, value in state.items()} == {
        "a.weight": (7, 6, 3, 4, 5),
        "a.embedding": (3, 4),
        "a.bias": (2, 3),
    }


def test_variables_of_one_name_in_two_collections_are_refused():
    variables = {"params": {"a": {"x": np.ones(1)}}, "other": {"a": {"x": np.ones(1)}}}
    with pytest.raises(WeightsError, match="params/a/x and other/a/x have one name"):
        to_state_dict(variables)


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
        WeightsError, match="misses tensor bn1.bias; it has bn1.running_mean"
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
    with pytest.raises(WeightsError, match="two copies .*model.bn1.bias and ema.bn1"):
        load(both, tiny)


def test_another_number_of_classes_comes_with_advice(tiny, state):
    wrong = state | {"fc.weight": np.zeros((10, 8)), "fc.bias": np.zeros(10)}
    with pytest.raises(WeightsError, match="10 classes apart, not 6.*--class-names"):
        load(wrong, tiny)


def test_what_is_not_needed_can_be_named(tiny, state):
    extra = state | {"AuxLogits.fc.weight": np.zeros((2, 2))}
    found = from_state_dict(extra, tiny.variables, "w", ignored=("AuxLogits.",))
    jax.tree.map(np.testing.assert_array_equal, found, tiny.variables)
