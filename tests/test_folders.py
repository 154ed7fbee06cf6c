import json
import os

import pytest

from jinv.errors import FolderError
from jinv.folders import Folder, Kind, description_of
from jinv.locks import Busy, Lock

KIND = Kind(
    "run", "inversion", owned=("log", "images"), last="end.json", scraps=("state-*",)
)
SHARED = Kind("set", "set", owned=("images",), last="end.json", shared=True)


def names(path):
    return sorted(entry.name for entry in path.iterdir())


def fill(path):
    """What work leaves, finished, and what is not its own."""
    (path / "images").mkdir(exist_ok=True)
    for name in ("images/1.png", "log", "state-1", "end.json", "thesis.tex"):
        (path / name).write_text("{}")


def test_a_folder_says_first_what_it_is_for(tmp_path):
    with Folder(tmp_path / "a" / "b", KIND, {"lr": (1, 2)}, more={"by": "me"}):
        content = json.loads((tmp_path / "a" / "b" / "config.json").read_text())
        assert content == {"inversion": {"lr": [1, 2]}, "by": "me"}
    assert names(tmp_path / "a" / "b") == ["config.json"]
    assert description_of(tmp_path / "a" / "b", KIND) == {"lr": [1, 2]}
    assert description_of(tmp_path / "a" / "b", SHARED) == {}


def test_the_same_work_goes_on_and_another_does_not(tmp_path):
    with Folder(tmp_path, KIND, {"lr": 1}) as first:
        assert not first.begun
    with Folder(tmp_path, KIND, {"lr": 1}) as second:
        assert second.begun and not second.finished
    with pytest.raises(FolderError, match=r"lr: 1 there, 2 now.*--overwrite"):
        Folder(tmp_path, KIND, {"lr": 2})
    with pytest.raises(FolderError, match=r"no set \(its config.json describes 'inve"):
        Folder(tmp_path, SHARED, {"lr": 1}, overwrite=True)


def test_overwriting_removes_what_is_ours_and_nothing_else(tmp_path):
    with Folder(tmp_path, KIND, {"lr": 1}):
        fill(tmp_path)
    with Folder(tmp_path, KIND, {"lr": 2}, overwrite=True) as folder:
        assert not folder.finished
    assert names(tmp_path) == ["config.json", "thesis.tex"]
    assert description_of(tmp_path, KIND) == {"lr": 2}


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    with Folder(tmp_path / "run", KIND, {}):
        (tmp_path / "run" / "images").symlink_to(tmp_path / "mine")
    Folder(tmp_path / "run", KIND, {}, overwrite=True).close()
    assert names(tmp_path / "run") == ["config.json"]
    assert names(tmp_path / "mine") == ["thesis.tex"]


def test_finished_work_loses_its_scraps_even_if_it_was_killed_before(tmp_path):
    with Folder(tmp_path, KIND, {}):
        fill(tmp_path)
    assert "state-1" not in names(tmp_path)
    (tmp_path / "state-2").mkdir()
    with Folder(tmp_path, KIND, {}) as folder:
        assert folder.finished
    assert names(tmp_path) == ["config.json", "end.json", "images", "log", "thesis.tex"]


@pytest.mark.parametrize("end", ["", "[1]", "{", '{"status": "interrupted"}'])
def test_work_is_finished_only_when_its_last_file_says_so(tmp_path, end):
    with Folder(tmp_path, KIND, {}) as folder:
        (tmp_path / "end.json").write_text(end)
        assert not folder.finished and folder.last is None


def test_what_killed_processes_left_is_swept(tmp_path):
    with Folder(tmp_path, KIND, {}):
        fill(tmp_path)
    left = ".log.0123456789abcdef.partial", ".images.0123456789abcdef.removed"
    (tmp_path / "images" / left[0]).write_text("half")
    (tmp_path / left[1]).mkdir()
    (tmp_path / ".mine.partial").write_text("precious")
    Folder(tmp_path, KIND, {}).close()
    found = {path.name for path in tmp_path.rglob("*")}
    assert ".mine.partial" in found and not found & set(left)


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", '"text"', "\0\0\0"])
def test_a_description_that_is_not_ours_is_one_line(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    for overwrite in (False, True):
        with pytest.raises(FolderError, match="config.json is not what jinv writes"):
            Folder(tmp_path, KIND, {}, overwrite=overwrite)
    assert names(tmp_path) == ["config.json"]


@pytest.mark.parametrize("content", ['{"a": 1}', '{"inversion": [1]}'])
def test_a_description_of_something_else_is_one_line(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(FolderError, match="holds files, but no run"):
        Folder(tmp_path, KIND, {}, overwrite=True)


def test_files_and_dead_links_are_no_folders(tmp_path):
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(FolderError, match="is a file: choose another --out"):
            Folder(tmp_path / name, KIND, {})


def test_what_begins_with_a_dot_is_in_nobodys_way(tmp_path):
    (tmp_path / ".DS_Store").write_text("macOS")
    with Folder(tmp_path, KIND, {}) as folder:
        assert not folder.begun


def test_a_second_process_is_told_who_is_at_work(tmp_path):
    with Folder(tmp_path, KIND, {}):
        with pytest.raises(FolderError, match=f"process {os.getpid()} is at work on"):
            Folder(tmp_path, KIND, {})
    Folder(tmp_path, KIND, {}).close()


def test_shared_work_is_shared_but_not_removed_from_under_others(tmp_path):
    with Folder(tmp_path, SHARED, {}) as one, Folder(tmp_path, SHARED, {}) as other:
        place = one.member("shard-0")
        with pytest.raises(FolderError, match="at work on shard-0"):
            other.member("shard-0")
        place.release()
        other.member("shard-0").release()
        with pytest.raises(FolderError, match="is at work on the set"):
            Folder(tmp_path, SHARED, {}, overwrite=True)
    Folder(tmp_path, SHARED, {}, overwrite=True).close()
    assert names(tmp_path) == ["config.json"]


def test_who_asks_in_vain_to_be_alone_shares_the_lock_still(tmp_path):
    """Where systems give a lock up before they change its kind, others may be alone."""
    path = tmp_path / "lock"
    one = Lock(path)
    one.share()
    two = Lock(path, shared=True)
    assert not two.alone() and not one.alone()
    one.release()
    assert path.exists()
    with pytest.raises(Busy):
        Lock(path)
    assert two.alone()
    two.release()
    assert not path.exists()


def test_without_locks_work_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr("jinv.locks.fcntl", None)
    with Folder(tmp_path, SHARED, {}) as folder, folder.turn():
        assert names(tmp_path) == [".lock", ".lock-turn", "config.json"]
    assert names(tmp_path) == ["config.json"]
