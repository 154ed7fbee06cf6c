"""The walk through a new method in docs/design.md, as it stands there."""

import json
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from jinv.cli.main import main
from jinv.inversion.methods import METHODS
from jinv.inversion.presets import PRESETS

PAGE = Path(__file__).parents[1] / "docs" / "design.md"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.S)


@pytest.fixture
def walked(monkeypatch, tmp_path):
    """What the page defines, in a place of its own."""
    for table in (METHODS, PRESETS):
        for name, row in table.items():
            monkeypatch.setitem(table, name, row)
        monkeypatch.setitem(table, "margin", None)
    monkeypatch.chdir(tmp_path)
    # Annotations of dataclasses are looked up in the module.
    module = ModuleType("margin")
    monkeypatch.setitem(sys.modules, "margin", module)
    for block in blocks("python"):
        exec(compile(block, PAGE.name, "exec"), vars(module))
    return module


def test_the_objective_is_what_its_formula_says(walked):
    logits = walked.jnp.asarray([[3.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
    losses = walked.margin_loss(logits, walked.jnp.asarray([0, 2]), 5.0)
    assert losses.tolist() == [3.0, 8.0]


def test_the_walk_ends_with_a_flag(walked, tmp_path):
    (command,) = blocks("bash")
    words = shlex.split(command)
    assert words[:2] == ["jinv", "invert"] and main(words[1:]) == 0
    told = json.loads((tmp_path / "margin" / "config.json").read_text())["inversion"]
    settings = told["settings"]
    assert told["method"] == "MarginInversion"
    assert (settings["w_margin"], settings["margin"], settings["steps"]) == (2, 8, 30)
    summary = json.loads((tmp_path / "margin" / "summary.json").read_text())
    assert summary["teacher"]["top1"] == 1.0
    assert summary["terms"]["margin"]["weight"] == 2
    assert len(list((tmp_path / "margin" / "images").glob("*.png"))) == 4
