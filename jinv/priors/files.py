"""Priors on disk: one .safetensors file that says what it is, and a card beside it."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open

from jinv.atomic import write_json
from jinv.checked import checked
from jinv.errors import ConfigError, WeightsError
from jinv.json_text import parse_json
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.finding import embedded_weights
from jinv.models.weights.writing import write_weights
from jinv.priors.denoiser import Convolution
from jinv.priors.form import Form, Subject
from jinv.priors.prior import Prior

_ENTRY = "jinv"
"""Entry of the file's metadata that describes it."""
_LAYERS = "layers."
_MOST_BYTES = 2**30
_EMBEDDED = "field_of_experts"


def write_prior(path: Path, prior: Prior) -> Prior:
    """Write a prior and its card.

    Args:
        path: Path of the .safetensors file; the card is the .json file beside it.
        prior: Prior to write.

    Returns:
        The same prior, with its path and checksum, also in its card.
    """
    arrays = {
        name: np.asarray(value, np.float32)
        for name, value in _flat(prior.variables).items()
    }
    sha256 = write_weights(path, arrays, {"prior": asdict(prior.form)})
    card = {**prior.card, "sha256": sha256}
    write_json(path.with_suffix(".json"), card)
    return replace(prior, path=path, sha256=sha256, card=card)


@checked
def load_prior(path: Path | str) -> Prior:
    """Read a prior that `jinv prior` or `learn_prior` wrote.

    Args:
        path: Path of the .safetensors file, or of the folder that `jinv prior` left.
            The card beside it is read if it is there.

    Raises:
        WeightsError: There is no such file, or it is torn or no prior, or one of its
            numbers is not finite.

    Example:
        >>> import tempfile
        >>> from jinv.priors.prior import Prior
        >>> variables = dict(
        ...     filters=np.ones((2, 3, 3, 1)), offsets=np.zeros(2), alphas=np.ones(2),
        ...     mean=np.zeros(()), deviation=np.ones(()),
        ... )
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "mine.safetensors"
        ...     _ = write_prior(path, Prior(Form(Subject(1), 3, 3), variables))
        ...     prior = load_prior(path)
        >>> prior.form.expert, prior.variables["filters"].shape
        ('student-t', (2, 3, 3, 1))
    """
    path = Path(path)
    if path.is_dir():
        path = path / "prior.safetensors"
    if not path.is_file():
        raise _refused(path, "found nothing there")
    if path.stat().st_size > _MOST_BYTES:
        raise _refused(path, "the file is larger than any prior")
    try:
        with safe_open(path, "numpy") as file:
            said = (file.metadata() or {}).get(_ENTRY, "{}")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        about = parse_json(said)
    except (SafetensorError, ValueError, TypeError, OSError) as error:
        raise _refused(path, f"it cannot be read ({error})") from None
    if not isinstance(about, dict) or not isinstance(about.get("prior"), dict):
        raise _refused(path, "it does not say that it is one")
    form = _form(path, about["prior"])
    _check_arrays(path, form, arrays)
    arrays = {name: np.asarray(x, np.float32) for name, x in arrays.items()}
    return Prior(form, _nested(arrays), _card(path), path, sha256_of(path))


def embedded_prior() -> Prior:
    """Read the project's own prior of grey images: a field of experts.

    24 Student-t filters of 5x5, which have learnt to remove noise: see its card.

    Raises:
        WeightsError: The installation lacks it.
    """
    path = embedded_weights(_EMBEDDED)
    if path is None:
        raise WeightsError(
            f"this installation of jinv lacks {_EMBEDDED}.safetensors: install it "
            "anew, or give a prior"
        )
    return load_prior(path)


def _form(path: Path, described: Mapping[str, Any]) -> Form:
    try:
        subject = Subject(**described["subject"])
        return Form(**{**described, "subject": subject})
    except (ConfigError, TypeError, KeyError) as error:
        raise _refused(
            path, f"what it says of itself makes no sense: {error}"
        ) from None


def _check_arrays(path: Path, form: Form, arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse arrays that are not those of the form."""
    for name, shape in _shapes(path, form, arrays).items():
        found = arrays.get(name)
        if found is None:
            raise _refused(path, f"{name} is missing")
        if found.shape != shape or found.dtype.kind != "f":
            raise _refused(
                path,
                f"{name} is {found.dtype} of shape {found.shape}, not float of {shape}",
            )
        if not np.isfinite(found).all():
            raise _refused(path, f"{name} has values that are NaN or infinite")
    for name in {"deviation", "sigma", "scale"} & arrays.keys():
        if (arrays[name] < (0 if name == "scale" else 1e-30)).any():
            raise _refused(path, f"{name} must be over 0")
    if (arrays.get("alphas", np.zeros(1)) < 0).any():
        raise _refused(path, "alphas must not be below 0")


def _shapes(
    path: Path, form: Form, arrays: Mapping[str, np.ndarray]
) -> dict[str, tuple[int, ...]]:
    """Shapes of the arrays that a prior of a form has."""
    shapes: dict[str, tuple[int, ...]] = {"mean": (), "deviation": ()}
    channels = form.channels
    if form.kind == "dae" or form.layout == "channelwise":
        shapes |= {"centre": (channels,), "scale": (channels,)}
    if form.kind == "dae":
        return shapes | {"sigma": ()} | _denoiser_shapes(path, channels, arrays)
    count = arrays.get("alphas", np.zeros(1)).size
    shapes |= {"alphas": (count,), "offsets": (count,)}
    if form.layout == "separable":
        spatial = (count, form.height, form.width)
        return shapes | {"spatial": spatial, "across": (count, channels)}
    return shapes | {"filters": (count, *form.patch)}


def _denoiser_shapes(
    path: Path, channels: int, arrays: Mapping[str, np.ndarray]
) -> dict[str, tuple[int, ...]]:
    depth = sum(name.startswith(_LAYERS) for name in arrays) // 2
    if depth < 1:
        raise _refused(path, "it has no layers")
    shapes: dict[str, tuple[int, ...]] = {}
    before = channels
    for number in range(depth):
        bias = arrays.get(f"{_LAYERS}{number}.bias", np.zeros(1))
        after = channels if number == depth - 1 else bias.size
        shapes[f"{_LAYERS}{number}.kernel"] = (3, 3, before, after)
        shapes[f"{_LAYERS}{number}.bias"] = (after,)
        before = after
    return shapes


def _flat(variables: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: x for name, x in variables.items() if name != "layers"}
    for number, layer in enumerate(variables.get("layers", ())):
        flat |= {f"{_LAYERS}{number}.{k}": v for k, v in layer._asdict().items()}
    return jax.device_get(flat)


def _nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    nested: dict[str, Any] = {
        name: x for name, x in arrays.items() if not name.startswith(_LAYERS)
    }
    depth = (len(arrays) - len(nested)) // 2
    if depth:
        nested["layers"] = [
            Convolution(*(arrays[f"{_LAYERS}{n}.{k}"] for k in Convolution._fields))
            for n in range(depth)
        ]
    return nested


def _card(path: Path) -> dict[str, Any]:
    try:
        found = parse_json(path.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(path: Path, why: str) -> WeightsError:
    return WeightsError(
        f"{path}: expected a prior, a .safetensors file that `jinv prior` wrote; {why}"
    )
