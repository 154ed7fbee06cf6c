"""Former names in what jinv left on disk, and today's; and settings that it lacks.

Work that an earlier version began or finished is read by these tables: whoever renames
something that is written, or gives a method a setting more, adds a line here, and no
reader changes. Only names of jinv's own are touched, each where it stands: a class may
well be called as one of them is.
"""

from collections.abc import Mapping
from typing import Any

Names = Mapping[str, str]

FORMER: dict[str, Names] = {
    "description": {  # of work, in config.json
        "verifier": "judge",
        "verifier_sha256": "judge_sha256",
    },
    "settings": {  # of a method, wherever; the fields of a search, too
        "w_feature": "w_bn",
        "feature_norm": "bn_norm",
    },
    "summary.json": {"verifier": "judge"},
    "evaluation.json": {"verifiers": "judges"},
    "options": {"verifier": "judge"},  # of a command, in evaluation.json
    "metrics.jsonl": {"stage": "phase", "teacher_top1": "top1"},  # each of its rows
    "terms": {"feature": "bn"},  # of a loss, in those rows and in summary.json
    "fact": {  # what a part of a set says of an image
        "verifier_class": "judge_class",
        "verifier_accepts": "judge_accepts",
        "verifier_cross_entropy": "judge_cross_entropy",
        "batch_feature": "batch_bn",
    },
    "notes": {"stage": "phase"},  # beside the arrays of a checkpoint
    "learnt": {"batch_stats": "state"},  # arrays of a training's checkpoint
}
"""Today's names by former ones, for each kind of object; a file's by its name."""

INSIDE: dict[str, Names] = {
    "config.json": dict.fromkeys(
        ("inversion", "set", "evaluation", "search"), "description"
    )
    | {"distillation": "distillation"},
    "distillation": {"images": "description"},
    "description": {"settings": "settings", "space": "settings"},
    "preset": {"settings": "settings"},
    "summary.json": {"terms": "terms"},
    "evaluation.json": {"settings": "options"},
    "metrics.jsonl": {"terms": "terms"},
}
"""Kinds of objects that lie in others, by the others' kind and the names there."""


_COMPETITION = {"w_disagreement": 0.0, "disagreement_temperature": 3.0}

_PRIORS = {"w_prior": 0.01}

LATER: dict[str, Mapping[str, Any]] = {
    "DeepInversion": _COMPETITION | _PRIORS,
    "NaturalInversion": _COMPETITION | _PRIORS,
    "FastGenerators": {"keep": "last"} | _PRIORS,
    "DAFL": _PRIORS,
    "DFAD": _PRIORS,
    "FeatureInversion": {"start": "noise", "shares": ()} | _PRIORS,
    "Visualization": _PRIORS,
    "DeepDream": _PRIORS,
    "Caricature": _PRIORS,
}
"""Settings that methods have got later, with the values that leave all as it was."""


def renewed(found: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Give an object that was read today's names, and a description all settings.

    Args:
        found: Object as it was read.
        kind: Kind of the object, from `FORMER`; in others nothing has been renamed.

    Example:
        >>> renewed({"verifier": {"name": "vgg16"}}, "summary.json")
        {'judge': {'name': 'vgg16'}}
    """
    names, inside = FORMER.get(kind, {}), INSIDE.get(kind, {})
    today = {
        names.get(name, name): renewed(value, inside[name])
        if name in inside and isinstance(value, Mapping)
        else value
        for name, value in found.items()
    }
    return _completed(today) if kind == "description" else today


def _completed(description: dict[str, Any]) -> dict[str, Any]:
    """Give a description the settings that its method did not have yet."""
    method, settings = (description.get(name) for name in ("method", "settings"))
    if not isinstance(method, str) or not isinstance(settings, Mapping):
        return description
    return {**description, "settings": {**LATER.get(method, {}), **settings}}


_CHECKSUMS = {
    *("sha256", "weights_sha256", "student_sha256", "judge_sha256"),
    *("initial_weights", "teacher_weights"),
}


def filled(found: Mapping[str, Any], today: Mapping[str, Any]) -> dict[str, Any]:
    """Give a description the checksums of networks of which it told none.

    Of weights that came from no file an earlier version said nothing.

    Args:
        found: Description as it was read.
        today: Description of today's work.

    Example:
        >>> filled({"model": "vgg16", "initial_weights": ""}, {"initial_weights": "1a"})
        {'model': 'vgg16', 'initial_weights': '1a'}
    """

    def completed(name: str, value: Any) -> Any:
        now = today.get(name)
        if isinstance(value, Mapping) and isinstance(now, Mapping):
            return filled(value, now)
        return now if name in _CHECKSUMS and value == "" else value

    return {name: completed(name, value) for name, value in found.items()}


def former_names(found: Mapping[str, Any], kind: str) -> dict[str, str]:
    """List the former names in an object that was read, by today's."""
    return {today: name for name, today in FORMER[kind].items() if name in found}


def renewed_name(name: str, kind: str) -> str:
    """Today's name for one that may be a former one, of an object of this kind."""
    return FORMER.get(kind, {}).get(name, name)
