"""What a folder of tensorflow-datasets may name before it is opened.

tensorflow-datasets imports the modules that a folder's `features.json` names, whichever
they are: a downloaded data set would run what it likes.
"""

import re
from pathlib import Path
from typing import Any

from jinv.errors import DataError
from jinv.json_text import parse_json

_FEATURE = re.compile(r"tensorflow_datasets\.core\.features(\.[A-Za-z_]\w*)+")
_KNOWN = re.compile(_FEATURE.pattern + r"|tensorflow_datasets\.[A-Z]\w*")
"""Messages of earlier versions are named after the package, and not imported."""
_DOTTED = re.compile(r"\s*[A-Za-z_]\w*(\.[A-Za-z_]\w*)+\s*")
_NAMING = ("pythonClassName", "python_class_name", "type")
"""Keys under which features are named, in this version or an earlier one."""


def check_features(folder: Path) -> None:
    """Refuse a folder whose features are not those of tensorflow-datasets itself.

    Args:
        folder: Folder with `features.json` in it.

    Raises:
        DataError: The file names something else, or cannot be read.
    """
    path = folder / "features.json"
    try:
        content = parse_json(path.read_bytes())
        strange = _strange(content)
    except OSError as error:
        raise DataError(
            f"cannot read {path} ({error.strerror}): expected what tensorflow-datasets "
            "leaves in the folder of a data set"
        ) from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if strange is not None or not isinstance(content, dict):
        raise DataError(
            f"{path} names {strange!r}, which would be imported: expected only types "
            "of tensorflow_datasets.core.features; do not open this data set"
        )


def _strange(node: Any, key: str = "") -> str | None:
    """A name in nested JSON that could be a module's and is no feature's."""
    if isinstance(node, dict):
        found = (_strange(value, name) for name, value in node.items())
    elif isinstance(node, list):
        found = (_strange(value, key) for value in node)
    elif isinstance(node, str) and (content := _nested(node)):
        # Some features keep their content as a text of JSON, with features in it.
        return _strange(content)
    elif isinstance(node, str):
        named = key in _NAMING or _DOTTED.fullmatch(node)
        known = _FEATURE if key in _NAMING else _KNOWN
        return node[:80] if named and not known.fullmatch(node) else None
    else:
        return None
    return next((name for name in found if name is not None), None)


def _nested(text: str) -> dict | list | None:
    try:
        content = parse_json(text)
    except ValueError:
        return None
    return content if isinstance(content, dict | list) else None
