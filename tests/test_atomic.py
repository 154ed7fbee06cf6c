import json
import os
import stat

import pytest

from jinv.atomic import JsonLines, is_leftover, remove, replacing, sweep, write_json


def test_the_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "page.html"
    with replacing(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"


def test_a_failure_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "page.html"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk"), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_temporary_names_cannot_be_foreseen_and_are_known_afterwards(tmp_path):
    path = tmp_path / "page.html"
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        assert one.parent == other.parent == tmp_path
        assert is_leftover(one.name) and not is_leftover("page.html")
        assert not is_leftover(".page.html.123.partial")


def test_a_file_that_lies_where_it_is_written_is_not_followed(tmp_path, monkeypatch):
    monkeypatch.setattr("secrets.token_hex", lambda _: "0123456789abcdef")
    mine, path = tmp_path / "mine", tmp_path / "page.html"
    mine.write_text("precious")
    (tmp_path / ".page.html.0123456789abcdef.partial").symlink_to(mine)
    with pytest.raises(FileExistsError), replacing(path) as partial:
        partial.write_text("new")
    assert mine.read_text() == "precious"


def test_permissions_are_those_of_any_new_file(tmp_path):
    plain = tmp_path / "plain"
    plain.write_text("")
    with replacing(tmp_path / "file") as partial:
        # As a library does that writes a private file and renames it.
        other = tmp_path / "private"
        other.touch(0o600)
        os.replace(other, partial)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (plain, tmp_path / "file")]
    assert modes[0] == modes[1]


def test_an_error_names_the_file_that_was_to_be_written(tmp_path):
    path = tmp_path / "page.html"
    with pytest.raises(OSError) as caught, replacing(path):
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as caught, replacing(tmp_path / "no" / "x"):
        pass
    assert caught.value.filename == str(tmp_path / "no" / "x")


def test_what_is_removed_is_gone_from_its_place_at_once(tmp_path, monkeypatch):
    (tmp_path / "state" / "deep").mkdir(parents=True)

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("jinv.atomic.shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove(tmp_path / "state")
    assert not (tmp_path / "state").exists()
    monkeypatch.undo()
    sweep(tmp_path)
    assert not list(tmp_path.iterdir())
    remove(tmp_path / "nothing")


def test_a_log_loses_what_is_torn_and_nothing_else(tmp_path):
    log = JsonLines(tmp_path / "log.jsonl")
    assert log.rows() == []
    for step in range(3):
        log.append({"step": step})
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write(b'\0\0\xff\n[1]\n{"step": 3')
    assert [row["step"] for row in log.rows()] == [0, 1, 2]
    log.keep(lambda row: row["step"] < 2)
    log.append({"step": 9})
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [0, 1, 9]


def test_json_is_written_for_people(tmp_path):
    write_json(tmp_path / "a.json", {"a": [1]})
    assert (tmp_path / "a.json").read_text() == '{\n  "a": [\n    1\n  ]\n}\n'
