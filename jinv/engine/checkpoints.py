"""Run state on disk, by Orbax: complete or absent, never half-written."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp


class Checkpoints:
    """The newest checkpoint of a run: a tree of arrays and a small JSON object."""

    def __init__(self, folder: Path):
        """Keep checkpoints under `folder`, which is made when the first is saved."""
        self._folder = folder.absolute()
        self._manager: ocp.CheckpointManager | None = None

    def save(self, serial: int, state: Any, notes: dict[str, Any]) -> None:
        """Save under a serial number that grows from one checkpoint to the next."""
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state), notes=ocp.args.JsonSave(notes)
        )
        self._open().save(serial, args=items, force=True)
        self._open().wait_until_finished()

    def notes(self) -> dict[str, Any] | None:
        """The newest checkpoint's JSON object; None where there is no checkpoint."""
        if not self._folder.is_dir() or self._open().latest_step() is None:
            return None
        items = ocp.args.Composite(notes=ocp.args.JsonRestore())
        return self._open().restore(self._open().latest_step(), args=items)["notes"]

    def restore(self, like: Any) -> Any:
        """The newest checkpoint's arrays, placed as those of `like` are."""
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        items = ocp.args.Composite(state=ocp.args.StandardRestore(target))
        return self._open().restore(self._open().latest_step(), args=items)["state"]

    def close(self) -> None:
        """Finish writing and let go of the folder."""
        if self._manager is not None:
            self._manager.close()
            self._manager = None

    def _open(self) -> ocp.CheckpointManager:
        if self._manager is None:
            options = ocp.CheckpointManagerOptions(
                max_to_keep=1, create=True, enable_async_checkpointing=False
            )
            self._manager = ocp.CheckpointManager(self._folder, options=options)
        return self._manager
