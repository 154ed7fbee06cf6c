"""Comparison of the configuration of work begun with that of work to be done."""

import json
from collections.abc import Mapping
from typing import Any


def first_difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str | None:
    """Tell in words where two configurations differ; None where they do not.

    Args:
        found: Configuration as read from JSON.
        wanted: Configuration to be compared, as JSON would hold it.

    Example:
        >>> first_difference({"method": {"lr": 0.1}}, {"method": {"lr": 0.3}})
        'lr: 0.1 there, 0.3 now'
    """
    wanted = json.loads(json.dumps(wanted))
    for name in {**wanted, **found}:
        there, now = found.get(name), wanted.get(name)
        if there == now:
            continue
        if isinstance(there, dict) and isinstance(now, dict):
            return first_difference(there, now)
        if name not in found or name not in wanted:
            where, value = ("now", now) if name in wanted else ("there", there)
            return f"{name}: only {where}, {_short(value)}"
        return f"{name}: {_short(there)} there, {_short(now)} now"
    return None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "…"
