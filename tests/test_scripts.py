"""Scripts are run seldom: what they import from jinv must be there all the same."""

import ast
import importlib
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from jinv.errors import ConfigError, DataError

SCRIPTS = sorted(Path(__file__).parent.with_name("scripts").rglob("*.py"))


def imports(path):
    """Names that a script imports from jinv when it begins, by their modules."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jinv"):
            yield node.module, [alias.name for alias in node.names]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_what_it_imports(path):
    for module, names in imports(path):
        found = importlib.import_module(module)
        missing = [name for name in names if not hasattr(found, name)]
        submodules = Path(found.__file__).parent
        assert not [n for n in missing if not (submodules / f"{n}.py").exists()], module


@dataclass(frozen=True)
class Study:
    steps: int
    arms: tuple[str, ...]
    out: Path


@dataclass(frozen=True)
class Nothing:
    pass


@pytest.fixture
def studying(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS[0].parent))
    return importlib.import_module("studying")


def test_a_study_s_folder_holds_no_arms_of_another(studying, tmp_path):
    study = Study(2, ("a",), tmp_path / "study")
    studying.claim(study, study.out, "arms").close()
    studying.claim(replace(study, arms=("b",)), study.out, "arms").close()
    with pytest.raises(SystemExit, match="another configuration .steps: 2 there, 3"):
        studying.claim(replace(study, steps=3), study.out, "arms")


def test_words_hold_any_path(studying):
    paths = Path("my photos/a.png"), Path("it's/$HOME.png")
    words = f"{studying.quoted(*paths)} --steps 3"
    assert shlex.split(words) == [*map(str, paths), "--steps", "3"]


def test_a_command_that_fails_ends_the_study(studying):
    with pytest.raises(SystemExit, match="ended with status 2: jinv models nosuch"):
        studying.call("models", "nosuch")


def test_what_is_known_to_be_done_is_not_called(studying, tmp_path, capsys):
    (tmp_path / "card.json").write_text("{}")
    studying.call("models", "nosuch", tmp_path / "card.json")
    assert capsys.readouterr().out == ""


def test_some_real_images_are_drawn_once(studying, tiny, tmp_path):
    labels = np.arange(30, dtype=np.int32) % 6
    images = np.broadcast_to(
        np.arange(30, dtype=np.uint8)[:, None, None, None], (30, 8, 8, 3)
    )
    np.savez(tmp_path / "real.npz", x_train=images, y_train=labels)
    path, data = tmp_path / "sets" / "some.npz", str(tmp_path / "real.npz")
    assert studying.save_real(path, data, tiny.spec, 12, 0) == path
    with np.load(path) as found:
        chosen = found["x_train"][:, 0, 0, 0]
        np.testing.assert_array_equal(found["y_train"], labels[chosen])
        assert found["x_train"].shape == (12, 8, 8, 3)
    assert len(set(chosen)) == 12
    before = path.read_bytes()
    assert studying.save_real(path, "gone.npz", tiny.spec, 12, 0).read_bytes() == before
    with pytest.raises(DataError, match="has 30 training images, and not 31"):
        studying.save_real(tmp_path / "more.npz", data, tiny.spec, 31, 0)


def test_what_a_study_cannot_do_is_told_in_a_line(studying, monkeypatch):
    monkeypatch.setattr("sys.argv", ["study"])

    def refused(study):
        raise ConfigError("expected more")

    with pytest.raises(SystemExit, match="^error: expected more$"):
        studying.begin(refused, Nothing)
