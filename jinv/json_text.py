"""JSON that others wrote: what cannot be read is a ValueError, however it is torn."""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is none, is not in UTF-8, or is nested too deeply.

    Example:
        >>> parse_json('{"steps": [500, 100]}')
        {'steps': [500, 100]}
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
