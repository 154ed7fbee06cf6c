"""Writing files of weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
from safetensors.numpy import save

from jinv.atomic import replacing
from jinv.models.facts import ENTRY, Facts
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.state_dict import StateDict, to_state_dict


def write_weights(path: Path, state: StateDict, about: Mapping[str, Any]) -> str:
    """Write a .safetensors file that says something of itself; returns its sha256."""
    metadata = {ENTRY: json.dumps(dict(about))}
    with replacing(path) as partial:
        # Not by its own file, which would be private, and stay where it is killed.
        partial.write_bytes(save(state, metadata))
    return sha256_of(path)


def write_variables(
    path: Path,
    spec: ClassifierSpec,
    variables: Any,
    storage: str = "float32",
    **more: Any,
) -> str:
    """Write the weights of a network, with what it is; returns the file's sha256.

    Args:
        path: Path of the .safetensors file.
        spec: Specification of the network.
        variables: Variables of the network.
        storage: Type in which they are stored.
        **more: What else the file is to say of itself.
    """
    state = to_state_dict(jax.device_get(variables))
    if storage != "float32":
        state = {key: value.astype(storage) for key, value in state.items()}
    about = {"model": spec.name, **more, **Facts.of(spec).to_json()}
    return write_weights(path, state, about)
