from importlib import import_module

import jax
import pytest
from tiny_main import OTHER, STRANGER, TINY

from jinv.memo import Memo
from jinv.models import zoo
from jinv.models.loading import (
    load_classifier,
    make_classifier,
    outline_classifier,
)
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


@pytest.fixture(scope="session", autouse=True)
def loaded_once():
    """Let a network be one object however often it is loaded, and compiled once.

    So is one with random weights, and an outline: both are traced.
    """
    known, others = {}, Memo()

    def load(*words, **facts):
        found = load_classifier(*words, **facts)
        key = repr((found.spec, found.module)), found.sha256
        return known.setdefault(key, found)

    def once(make):
        return lambda *words: others.get((make, repr(words)), lambda: make(*words))

    with pytest.MonkeyPatch.context() as patch:
        for name in ("job_options", "networks", "decoder"):
            module = import_module(f"jinv.cli.{name}")
            patch.setattr(module, "load_classifier", load)
        for name in ("train", "distill"):
            patch.setattr(f"jinv.cli.{name}.make_classifier", once(make_classifier))
        outline = once(outline_classifier)
        patch.setattr("jinv.cli.reconstruct.outline_classifier", outline)
        yield
