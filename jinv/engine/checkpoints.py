"""Run state on disk, by Orbax: complete or absent, never half-written."""

import logging
import os
import re
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from jinv.atomic import remove
from jinv.errors import FolderError
from jinv.folders import CONFIG
from jinv.former import renewed

_SYSTEM_ERROR = re.compile(r"os_error_code='(\d+)'")
"""How TensorStore, which writes the arrays, tells of a full disk."""


class Checkpoints:
    """The newest checkpoint of a run: a tree of arrays and a small JSON object."""

    def __init__(self, folder: Path, noted: Collection[str] = ()):
        """Keep checkpoints under `folder`, which is made when the first is saved.

        Args:
            folder: Folder of the checkpoints.
            noted: Names that the JSON object must have at least, if any; all that it
                has are numbers then.
        """
        self._folder, self._noted = folder.absolute(), frozenset(noted)
        self._description = self._folder.parent / CONFIG
        self._described = self._description.is_file()
        self._manager: ocp.CheckpointManager | None = None

    def save(self, state: Any, notes: dict[str, Any]) -> None:
        """Save what takes the place of the checkpoint before, wherever that was taken.

        Raises:
            OSError, FolderError: It cannot be written; the one before is kept.
        """
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state), notes=ocp.args.JsonSave(notes)
        )
        if not self._folder.parent.is_dir():
            # Orbax would make it again, with nothing of the work in it.
            raise FolderError(
                f"{self._folder.parent} was removed while work was going on there: "
                "begin it again"
            )
        try:
            with _quiet():
                manager = self._open()
                newest = manager.latest_step()
                serial = 0 if newest is None else newest + 1
                manager.save(serial, args=items, force=True)
                manager.wait_until_finished()
        except OSError:
            self._leave_no_ruin()
            raise
        except Exception as error:
            self._leave_no_ruin()
            if code := _SYSTEM_ERROR.search(str(error)):
                number = int(code[1])
                where = str(self._folder)
                raise OSError(number, os.strerror(number), where) from error
            raise FolderError(
                f"cannot keep the state of the work in {self._folder}: "
                f"{_first_line(error)}"
            ) from error

    def notes(self) -> dict[str, Any] | None:
        """The newest checkpoint's JSON object; None where there is no checkpoint.

        Raises:
            FolderError: It cannot be read, or is not what is saved here.
        """
        if not self._folder.is_dir() or (newest := self._newest()) is None:
            return None
        items = ocp.args.Composite(notes=ocp.args.JsonRestore())
        notes = self._restored(newest, items)["notes"]
        if isinstance(notes, dict):
            notes = renewed(notes, "notes")
        if self._noted and not (
            isinstance(notes, dict)
            and notes.keys() >= self._noted
            and all(type(value) in (int, float) for value in notes.values())
        ):
            raise self.unreadable("its notes are not those of this version")
        return notes

    def restore(self, like: Any) -> Any:
        """The newest checkpoint's arrays, placed as those of `like` are.

        Raises:
            FolderError: They cannot be read, or are of other shapes.
        """
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(target))
        return self._restored(self._newest(), items)["state"]

    def close(self) -> None:
        """Finish writing and let go of the folder."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def unreadable(self, reason: str) -> FolderError:
        """What to raise where a checkpoint is not what was expected."""
        return FolderError(
            f"the checkpoint in {self._folder} cannot be read ({reason}): remove that "
            "folder to begin the work anew, or choose another --out"
        )

    def _newest(self) -> int | None:
        try:
            return self._open().latest_step()
        except Exception as error:
            raise self.unreadable(_first_line(error)) from error

    def _restored(self, serial: int | None, items: Any) -> Any:
        try:
            return self._open().restore(serial, args=items)
        except Exception as error:  # whatever lies there, it is no checkpoint of ours
            raise self.unreadable(_first_line(error)) from error

    def _open(self) -> ocp.CheckpointManager:
        if self._manager is None:
            options = ocp.CheckpointManagerOptions(
                max_to_keep=1, create=True, enable_async_checkpointing=False
            )
            self._manager = ocp.CheckpointManager(self._folder, options=options)
            self._forget_older(self._manager.latest_step())
        return self._manager

    def _leave_no_ruin(self) -> None:
        """Remove what Orbax made anew of a folder that was removed while it wrote."""
        if self._described and not self._description.exists():
            with suppress(OSError):
                remove(self._folder)
                self._folder.parent.rmdir()

    def _forget_older(self, newest: int | None) -> None:
        """Remove the checkpoint of which a killed process removed a half."""
        for entry in self._folder.iterdir():
            if entry.name.isdigit() and newest is not None and int(entry.name) < newest:
                remove(entry)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Orbax's threads from telling at length what it raises anyway."""
    loggers = [logging.getLogger(name) for name in ("absl", "asyncio")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    report = sys.unraisablehook

    def hush(failed: Any) -> None:
        # What TensorStore wrote for nobody any more; it may take a while to notice.
        if str(failed.exc_value) != "Event loop is closed":
            report(failed)

    sys.unraisablehook = hush
    try:
        yield
        sys.unraisablehook = report
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def _first_line(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return text if len(text) <= 200 else text[:199] + "…"
