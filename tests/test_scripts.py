"""Scripts are run seldom: what they import from jinv must be there all the same."""

import ast
import importlib
import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

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
