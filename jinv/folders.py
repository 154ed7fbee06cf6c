"""Output folders, taken for work: whose they are, and what may be removed.

Every command that leaves a folder takes it here, before any work is done. A folder says
what it is for in `config.json`, which is written first and, when work is replaced,
removed never: so a folder is recognised whenever its process was killed. It holds
finished work once its last file is there. Nothing is ever removed but names of jinv's
own making, directly below the folder.
"""

import glob
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from jinv.atomic import remove, sweep, write_json
from jinv.configuration import first_difference
from jinv.errors import FolderError
from jinv.former import filled, renewed
from jinv.json_text import parse_json
from jinv.locks import Busy, Lock

CONFIG = "config.json"
_LOCK = ".lock"
_PATIENCE = 10.0
"""Seconds to wait for a process that starts or ends in a folder that is shared."""


@dataclass(frozen=True)
class Kind:
    """A kind of work, and what it leaves in a folder.

    Attributes:
        name: Name that people have for it, e.g. "run".
        entry: Entry of `config.json`, under which it is described.
        owned: Patterns of the names that it makes, directly below the folder.
        last: Last file that is written, a JSON object: with it the work is finished,
            unless it has a `status` other than "finished". "" if there is always more
            to do.
        scraps: Patterns of what nobody needs once the work is finished.
        shared: Whether several processes may work on it together.
        clear: Function that removes what patterns cannot name, given the folder and how
            its work was described there. That comes from a file, so nothing may follow
            from it but names of jinv's own making.
    """

    name: str
    entry: str
    owned: tuple[str, ...]
    last: str = ""
    scraps: tuple[str, ...] = ()
    shared: bool = False
    clear: Callable[[Path, Mapping[str, Any]], None] = lambda *_: None


def weights_kind(name: str, model: str, *owned: str, once: bool = False) -> Kind:
    """Make the kind of a work that leaves weights of a model, and their card.

    Args:
        name: Name that people have for the work.
        model: Name of the model, and of both files.
        *owned: Patterns of what else it leaves.
        once: Whether there is nothing more to do once the card is there.
    """
    stem = glob.escape(model)
    return Kind(
        name,
        name,
        owned=(*owned, f"{stem}.safetensors", f"{stem}.json"),
        last=f"{model}.json" if once else "",
    )


class Held(ABC):
    """Something that is held until it is closed, e.g. by leaving a `with` block."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Folder(Held):
    """A folder that is taken for some work, until it is closed."""

    def __init__(
        self,
        path: Path,
        kind: Kind,
        description: Mapping[str, Any],
        *,
        overwrite: bool = False,
        more: Mapping[str, Any] | None = None,
    ):
        """Take a folder, to begin work in it or to go on.

        Args:
            path: Path of the folder; made if missing.
            kind: Kind of work that it is taken for.
            description: Description of all that the work depends on, as JSON: work of
                another description is refused.
            overwrite: Whether to remove the work of this kind that the folder holds.
            more: More that `config.json` is to say.

        Raises:
            FolderError: The folder holds something else, or another process works on
                it.
            OSError: The folder cannot be written.
        """
        self.path, self.kind = path, kind
        # Refused before anything is touched; and again, as another may come first.
        self._admit(description, overwrite)
        path.mkdir(parents=True, exist_ok=True)
        self._lock = self._take(alone=overwrite)
        try:
            self.begun = self._admit(description, overwrite)
            """Whether the folder held this work already."""
            if self._lock.alone():
                sweep(path)
                if overwrite:
                    self._clear()
                elif self.finished:
                    self._remove(kind.scraps)
            content = json.loads(json.dumps({kind.entry: description, **(more or {})}))
            if not self.finished and self._config() != content:
                write_json(path / CONFIG, content)
            if kind.shared:
                self._lock.share()
        except BaseException:
            self._lock.release()
            raise

    @property
    def finished(self) -> bool:
        """Whether the work is done: all that is to be seen of it lies there."""
        return self.last is not None

    @property
    def last(self) -> dict[str, Any] | None:
        """Content of the file that is written last; None while work is not finished."""
        if not self.kind.last:
            return None
        found = _read(self.path / self.kind.last)
        if not isinstance(found, dict):
            return None
        return found if found.get("status", "finished") == "finished" else None

    def member(self, name: str) -> Lock:
        """Take a place among those who share the work, which only one can have.

        Raises:
            FolderError: Another process has that place.
        """
        try:
            return Lock(self.path / f"{_LOCK}-{name}")
        except Busy as holder:
            raise _busy(self.path, f"{name} of the {self.kind.name}", holder) from None

    def turn(self) -> Lock:
        """Wait until no other process that shares the work has its turn."""
        return Lock(self.path / f"{_LOCK}-turn", wait=float("inf"))

    def close(self) -> None:
        """Let go of the folder; whoever is last removes what nobody needs any more."""
        try:
            if self.finished and self._lock.alone():
                self._remove(self.kind.scraps)
        finally:
            self._lock.release()

    def _admit(self, description: Mapping[str, Any], overwrite: bool) -> bool:
        """Whether the folder holds this kind of work already; False where it is free.

        Names that begin with a dot are nobody's work.
        """
        path, kind = self.path, self.kind
        if not path.is_dir():
            if path.exists() or path.is_symlink():
                raise FolderError(f"{path} is a file: choose another --out")
            return False
        if all(entry.name.startswith(".") for entry in path.iterdir()):
            return False
        if not (path / CONFIG).is_file() or not (content := self._config()):
            raise FolderError(
                f"{path} holds files, but no {kind.name}: choose another --out"
            )
        found = content.get(kind.entry)
        if not isinstance(found, dict):
            named = next(iter(content), "nothing")
            raise FolderError(
                f"{path} holds files, but no {kind.name} (its {CONFIG} describes "
                f"{named!r}): choose another --out"
            )
        if overwrite:
            return True
        if difference := first_difference(filled(found, description), description):
            anew = "--overwrite, " if kind.owned else ""
            raise FolderError(
                f"{path} holds a {kind.name} of another configuration ({difference}): "
                f"give the same options, {anew}or another --out"
            )
        return True

    def _config(self) -> dict[str, Any] | None:
        """What `config.json` says; None where there is none.

        Raises:
            FolderError: It is not what jinv writes.
        """
        found = _read(self.path / CONFIG)
        if found is None or isinstance(found, dict):
            return found
        raise FolderError(
            f"{self.path / CONFIG} is not what jinv writes ({found}): choose another "
            "--out, or remove that folder"
        )

    def _take(self, alone: bool) -> Lock:
        shared = self.kind.shared
        try:
            # Whoever comes first is alone, and looks after what others left.
            return Lock(self.path / _LOCK)
        except Busy as holder:
            if alone or not shared:
                raise _busy(self.path, f"the {self.kind.name}", holder) from None
        try:
            return Lock(self.path / _LOCK, shared=True, wait=_PATIENCE)
        except Busy as holder:
            raise _busy(self.path, f"the {self.kind.name}", holder) from None

    def _clear(self) -> None:
        """Remove the work; that it is finished first, and what it is never."""
        kind = self.kind
        self._remove((kind.last,) if kind.last else ())
        self._remove(kind.owned + kind.scraps)
        kind.clear(self.path, description_of(self.path, kind))

    def _remove(self, patterns: tuple[str, ...]) -> None:
        for pattern in patterns:
            for found in self.path.glob(pattern):
                if found.parent == self.path:
                    remove(found)


def description_of(path: Path, kind: Kind) -> dict[str, Any]:
    """Read the description of a folder's work; empty where it is of another kind."""
    content = _read(path / CONFIG)
    found = content.get(kind.entry) if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _read(path: Path) -> Any:
    """A JSON object by today's names, or in a few words why it is none.

    None where there is no file.
    """
    try:
        found = parse_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        return f"no JSON: {error}"
    if not isinstance(found, dict):
        return f"a JSON {type(found).__name__}"
    return renewed(found, path.name)


def _busy(path: Path, work: str, holder: Busy) -> FolderError:
    return FolderError(
        f"{holder} is at work on {work} in {path}: wait for it, stop it, or choose "
        "another --out"
    )
