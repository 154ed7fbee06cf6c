"""Writing files of weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from jinv.atomic import replacing
from jinv.models.facts import ENTRY
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.state_dict import StateDict


def write_weights(path: Path, state: StateDict, about: Mapping[str, Any]) -> str:
    """Write a .safetensors file that says something of itself; returns its sha256."""
    metadata = {ENTRY: json.dumps(dict(about))}
    with replacing(path) as partial:
        # Not by its own file, which would be private, and stay where it is killed.
        partial.write_bytes(save(state, metadata))
    return sha256_of(path)
