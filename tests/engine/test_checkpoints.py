import errno

import jax.numpy as jnp
import numpy as np
import pytest

from jinv.engine.checkpoints import Checkpoints
from jinv.errors import FolderError


def save(folder, step=1):
    checkpoints = Checkpoints(folder / "state", ["step"])
    checkpoints.save({"a": jnp.arange(3.0) * step}, {"step": step})
    return checkpoints


def test_the_newest_state_comes_back(tmp_path):
    save(tmp_path, 1).close()
    save(tmp_path, 2).close()
    again = Checkpoints(tmp_path / "state", ["step"])
    assert again.notes() == {"step": 2}
    restored = again.restore({"a": jnp.zeros(3)})
    np.testing.assert_array_equal(restored["a"], [0, 2, 4])
    again.close()


def test_work_that_was_begun_anew_takes_the_place_of_what_had_come_further(tmp_path):
    save(tmp_path, 9).close()
    save(tmp_path, 2).close()
    again = Checkpoints(tmp_path / "state", ["step"])
    assert again.notes() == {"step": 2}
    again.close()


def test_half_of_an_older_state_is_removed(tmp_path):
    for step in range(3):
        save(tmp_path, step).close()
    (tmp_path / "state" / "1" / "state").mkdir(parents=True)
    again = Checkpoints(tmp_path / "state", ["step"])
    assert again.notes() == {"step": 2}
    again.close()
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["2"]


def test_notes_of_another_shape_are_refused(tmp_path):
    save(tmp_path).close()
    other = Checkpoints(tmp_path / "state", ["epoch"])
    with pytest.raises(FolderError, match="notes are not those of this version"):
        other.notes()
    other.close()


def test_arrays_of_another_shape_are_refused(tmp_path):
    checkpoints = save(tmp_path)
    with pytest.raises(FolderError, match="cannot be read") as caught:
        checkpoints.restore({"b": jnp.zeros(4)})
    assert "\n" not in str(caught.value)
    checkpoints.close()


def test_a_full_disk_is_an_error_of_the_system(tmp_path, monkeypatch):
    checkpoints = save(tmp_path)

    def full(*_, **__):
        raise ValueError("Failed to write\nto file 14 [os_error_code='28']")

    monkeypatch.setattr(checkpoints._manager, "save", full)
    with pytest.raises(OSError) as caught:
        checkpoints.save({}, {"step": 2})
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "state")
    monkeypatch.undo()
    checkpoints.close()


def test_a_folder_that_was_removed_is_not_made_again(tmp_path):
    (tmp_path / "out").mkdir()
    checkpoints = save(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "elsewhere")
    with pytest.raises(FolderError, match="was removed while work was going on"):
        checkpoints.save({"a": jnp.zeros(3)}, {"step": 2})
    assert not (tmp_path / "out").exists()


def test_a_folder_removed_while_it_is_written_to_leaves_no_ruin(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "config.json").write_text("{}")
    checkpoints = save(out)

    def removed_meanwhile(*_, **__):
        (out / "config.json").unlink()
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "a/0")

    monkeypatch.setattr(checkpoints._manager, "save", removed_meanwhile)
    with pytest.raises(FileNotFoundError):
        checkpoints.save({}, {"step": 2})
    assert not out.exists()
