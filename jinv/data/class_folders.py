"""Names of classes as names of folders, one to one, on every file system.

What a file system cannot hold, or treats specially, is written as in addresses: `a/b`
as `a%2Fb`. Names that would meet where case is ignored are kept apart: `Cat` beside
`cat` is `%43at`.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from urllib.parse import unquote_to_bytes

from jinv.errors import DataError

JUNK = frozenset({"__macosx", "@eadir", "metadata.jsonl"})
"""What programs leave beside the folders of classes, in lower case."""
_FORBIDDEN = re.compile(r'[/\\:*?"<>|%\x00-\x1f\x7f-\x9f\ud800-\udfff]')
_ENDS = re.compile(r"^\.|[. ]$")
"""Hidden where it begins a name; Windows drops it where it ends one."""
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\..*)?")
_LONGEST = 255  # bytes of a name, on nearly all file systems
_CODE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def folder_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Names of the classes' folders, no two alike, also where case is ignored.

    Args:
        classes: All classes of a set, as names are told apart side by side.

    Example:
        >>> folder_names(["cat", "Cat", "a/b", "..", "con"])
        ('cat', '%43at', 'a%2Fb', '%2E%2E', '%63on')
    """
    counts = Counter(_met(name) for name in classes)
    return tuple(_encoded(name, counts[_met(name)] > 1) for name in classes)


def check_folders(classes: Sequence[str]) -> None:
    """Find out whether every class can have a folder, before anything is computed.

    Raises:
        DataError: The name of a class is too long.
    """
    for name, folder in zip(classes, folder_names(classes), strict=True):
        if len(folder.encode()) > _LONGEST:
            raise DataError(
                f"class {name!r} is called too long for a folder "
                f"({len(folder.encode())} bytes, at most {_LONGEST}): choose the form "
                "npz, or shorter names"
            )


def class_name(folder: str) -> str:
    """The class that `folder_names` gave a folder; others keep their names, in NFC.

    Example:
        >>> class_name("a%2Fb"), class_name("100%")
        ('a/b', '100%')
    """
    folder = _nfc(folder)
    if "%" not in folder or _CODE.search(folder):
        return folder
    try:
        return unquote_to_bytes(folder.encode("utf-8", "surrogatepass")).decode(
            "utf-8", "surrogatepass"
        )
    except UnicodeDecodeError:
        return folder


def labels_by_folder(
    folders: Iterable[str], classes: Sequence[str]
) -> dict[str, int | None]:
    """The label of each folder; None where it is named after no class.

    A folder may be called as `folder_names` calls it, as the class itself, or, as of
    old, with "-" in the place of "/" where no other class can be meant.
    """
    known: dict[str, int] = {}
    once = Counter(_old(name) for name in classes)
    old = [_old(name) if once[_old(name)] == 1 else name for name in classes]
    # What comes first has the right to a name.
    for names in (folder_names(classes), classes, map(_nfc, classes), old):
        for label, name in enumerate(names):
            known.setdefault(name, label)

    def label_of(folder: str) -> int | None:
        tried = (folder, _nfc(folder), class_name(folder))
        return next((known[name] for name in tried if name in known), None)

    return {folder: label_of(folder) for folder in folders}


def _encoded(name: str, meets: bool) -> str:
    text = "".join(
        _code(c) if (meets and c != c.casefold()) or _FORBIDDEN.match(c) else c
        for c in name
    )
    if _nfc(name) != name:
        # Some file systems would change it to its NFC, and others would not.
        text = "".join(c if c.isascii() else _code(c) for c in text)
    text = _ENDS.sub(lambda found: _code(found[0]), text)
    taken = name.lower() in JUNK or _DEVICE.fullmatch(name.lower())
    return _code(text[0]) + text[1:] if taken and text[0] == name[0] else text


def _code(characters: str) -> str:
    data = characters.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in data)


def _met(name: str) -> str:
    return _nfc(_nfc(name).casefold())


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _old(name: str) -> str:
    return _nfc(name).replace("/", "-")
