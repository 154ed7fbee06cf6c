"""Finding the weights of the zoo's classifiers: on this machine, or by a download."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from jinv.cache import cache_dir
from jinv.errors import WeightsError
from jinv.models.spec import ClassifierSpec, Download, Packaged
from jinv.models.weights.downloads import fetch


def embedded_weights(name: str) -> Path | None:
    """The project's own weights for a model: in a checkout or in an installed wheel."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "_weights", package.parent / "weights"):
        path = folder / f"{name}.safetensors"
        if path.is_file():
            return path
    return None


def embedded_card(name: str) -> dict[str, Any] | None:
    """The card beside the project's own weights: data, recipe, accuracy, sha256."""
    path = embedded_weights(name)
    return json.loads(path.with_suffix(".json").read_text()) if path else None


def local_weights(spec: ClassifierSpec) -> Path | None:
    """A zoo model's weights, if they are on this machine: no connection is made."""
    embedded = embedded_weights(spec.name)
    if embedded:
        return embedded
    if isinstance(spec.source, Packaged):
        return _installed(spec.source)
    cached = cached_download(spec)
    return cached if cached and cached.is_file() else None


def cached_download(spec: ClassifierSpec) -> Path | None:
    """Path where a model's download lies or would lie, if it has one."""
    if not isinstance(spec.source, Download):
        return None
    suffix = Path(spec.source.url).suffix
    return cache_dir() / "weights" / f"{spec.name}{suffix}"


def find_weights(spec: ClassifierSpec, advice: str = "pass --weights FILE") -> Path:
    """Find the weights of a zoo model on this machine, or download them.

    Args:
        spec: Specification of the model.
        advice: Advice how to give a file instead, for messages.

    Raises:
        WeightsError: There are none, or they could not be had; the message says which
            file to get from where and how to pass it.
    """
    found = local_weights(spec)
    if found:
        return found
    if isinstance(spec.source, Packaged):
        raise WeightsError(
            f"the weights of {spec.name} come with the package {spec.source.package}: "
            f"pip install 'jinv[{spec.source.extra}]', or {advice}"
        )
    cached = cached_download(spec)
    if cached is None or spec.source is None:
        raise WeightsError(
            f"{spec.name} has no published weights: train them with "
            f"scripts/train_classifier.py --model {spec.name}, or {advice}"
        )
    fetch(spec.name, spec.source, cached, advice)
    return cached


def _installed(source: Packaged) -> Path | None:
    package = importlib.util.find_spec(source.package)
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / source.file
        if path.is_file():
            return path
    return None
