"""The image files of a folder of classes, among whatever else lies there."""

import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from jinv.data.class_folders import JUNK
from jinv.data.pictures import SUFFIXES
from jinv.errors import JinvWarning
from jinv.folders import Kind, description_of

_METADATA = "metadata.jsonl"
_EVALUATION = Kind("evaluation", "evaluation", owned=())
"""What `jinv evaluate` adds to a set."""
_HIDDEN, _DEAD, _OTHER = "hidden", "dead links", "of another kind"
_CIRCLE, _UNREACHED = "links in a circle", "in no class's folder"
_MOST_KINDS = 5
_said: set[tuple[str, str]] = set()


@dataclass
class Listing:
    """What a folder of classes holds.

    Attributes:
        files: Images of each class's folder that has some, in order: by the names of
            folders, then by their paths below.
        left_out: Files left out: reason → how many of each kind.
    """

    files: dict[str, list[Path]] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )


def list_images(root: Path) -> Listing:
    """Find the images in the folders of a folder, however deep they lie in these.

    Links are followed, but none that lead back to a folder above.
    """
    listing = Listing()
    for entry in _entries(root):
        if _is_ours(entry):
            continue
        if not _is_folder(entry):
            if _sort_out(entry, listing.left_out):
                listing.left_out[_UNREACHED][entry.name] += 1
        elif found := list(_below(entry, {_identity(root)}, listing.left_out)):
            listing.files[entry.name] = found
    return listing


def folders_with_images(root: Path) -> list[str]:
    """The names of those folders of a folder that have images, in their order."""
    nothing: dict[str, Counter[str]] = defaultdict(Counter)
    return [
        entry.name
        for entry in _entries(root)
        if _is_folder(entry)
        and not _is_ours(entry)
        and any(True for _ in _below(entry, {_identity(root)}, nothing))
    ]


def tell_left_out(root: Path, listing: Listing) -> None:
    """Warn, once of each folder, of what is not read in it."""
    total = sum(sum(kinds.values()) for kinds in listing.left_out.values())
    if not total:
        return
    parts = []
    for reason, kinds in listing.left_out.items():
        count = sum(kinds.values())
        what = reason.replace("links", "link") if count == 1 else reason
        parts.append(f"{count} {what} ({_shown(kinds)})")
    were = "file was" if total == 1 else "files were"
    text = f"{root}: {total} {were} left out: {', '.join(parts)}"
    # A command opens a set more than once.
    if (place := (os.path.abspath(root), text)) not in _said:
        _said.add(place)
        warnings.warn(text, JinvWarning, stacklevel=2)


def _below(
    folder: os.DirEntry, seen: set[tuple[int, int]], left_out: dict[str, Counter[str]]
) -> Iterator[Path]:
    """The images of a folder of a class; all in a junk folder is left out.

    Args:
        folder: Folder of the class.
        seen: Folders above; those below are added, as each is read once.
        left_out: Is added to.
    """
    # A path may be deeper than Python lets functions call themselves.
    waiting = [(folder, folder.name if _is_junk(folder.name) else "")]
    while waiting:
        entry, junk = waiting.pop()
        if not _is_folder(entry):
            if junk:
                left_out[_HIDDEN][junk] += 1
            elif _sort_out(entry, left_out):
                yield Path(entry.path)
        elif (identity := _identity(entry)) in seen:
            left_out[_CIRCLE][entry.name] += 1
        else:
            seen.add(identity)
            for inner in reversed(_entries(entry)):
                own = inner.name if _is_junk(inner.name) and _is_folder(inner) else ""
                waiting.append((inner, junk or own))


def _sort_out(entry: os.DirEntry, left_out: dict[str, Counter[str]]) -> bool:
    """Whether a file is an image; else it is noted what it is."""
    name, suffix = entry.name, os.path.splitext(entry.name)[1].lower()
    if name == _METADATA:
        return False
    plain = _is(entry.is_file)
    if entry.is_symlink() and not os.path.exists(entry):
        left_out[_DEAD][name] += 1
    elif _is_junk(name):
        left_out[_HIDDEN][name] += 1
    elif suffix not in SUFFIXES or not plain:
        left_out[_OTHER][suffix if plain and suffix else name] += 1
    else:
        return True
    return False


def _is_ours(entry: os.DirEntry) -> bool:
    """Whether a folder is that of an evaluation, finished or begun."""
    if not _is_folder(entry):
        return False
    finished = os.path.exists(os.path.join(entry.path, f"{_EVALUATION.entry}.json"))
    return finished or bool(description_of(Path(entry.path), _EVALUATION))


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in JUNK


def _is_folder(entry: os.DirEntry) -> bool:
    return _is(entry.is_dir)


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except OSError:  # a link to itself
        return False


def _entries(folder: Path | os.DirEntry) -> list[os.DirEntry]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _identity(place: Path | os.DirEntry) -> tuple[int, int]:
    # On Windows, that of an entry has no numbers.
    status = os.stat(place)
    return status.st_dev, status.st_ino


def _shown(kinds: Counter[str]) -> str:
    names = [repr(name)[1:-1] for name, _ in kinds.most_common(_MOST_KINDS)]
    return ", ".join([*names, "…"] if len(kinds) > _MOST_KINDS else names)
