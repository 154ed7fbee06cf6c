import jax
import pytest
from tiny_main import OTHER, STRANGER, TINY

from jinv.models import zoo
from jinv.models.loading import make_classifier
from jinv.models.weights.state_dict import to_state_dict
from jinv.models.weights.writing import write_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Two files of weights for the architecture of `tiny`."""
    folder = tmp_path_factory.mktemp("weights")
    for seed in (0, 1):
        variables = make_classifier(TINY, seed).variables
        state = to_state_dict(jax.device_get(variables))
        write_weights(folder / f"{seed}.safetensors", state, {})
    return [str(folder / f"{seed}.safetensors") for seed in (0, 1)]


@pytest.fixture(scope="module")
def small_zoo():
    with pytest.MonkeyPatch.context() as patch:
        for spec in (TINY, OTHER, STRANGER):
            patch.setitem(zoo._zoo(), spec.name, spec)
        yield
