"""What the version before has left is read, and gone on with."""

import csv
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jinv.cli.main import main
from jinv.inversion.presets import find_preset
from jinv.report.evaluation_page import write_evaluation_page
from jinv.report.page import write_page

RECORDED = Path(__file__).parents[1] / "recorded_before"

pytestmark = pytest.mark.usefixtures("small_zoo", "work")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(RECORDED / "work.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture
def work(unpacked, monkeypatch):
    monkeypatch.chdir(unpacked)


def again(name: str) -> int:
    """Give the command that left a folder, word for word."""
    commands = json.loads(Path("commands.json").read_text())
    return main([*commands[name].split(), "--out", name])


def content(path: str):
    return json.loads(Path(path).read_text())


def files(folder: str) -> dict[Path, bytes]:
    found = Path(folder).rglob("[!.]*")
    return {path: path.read_bytes() for path in found if path.is_file()}


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_a_preset_has_its_settings():
    found, meant = find_preset("preset.json"), find_preset("default-imagenet")
    assert found.method == replace(meant.method, patience=0.25)


@pytest.mark.parametrize(
    ("name", "said"),
    [("run", "nothing to do"), ("set", "0 to do here"), ("evaluation", "--overwrite")],
)
def test_finished_work_is_left_as_it_is(name, said, capsys):
    before = files(name)
    assert again(name) == 0
    printed = capsys.readouterr()
    assert said in printed.err and "judge" in printed.err
    assert "other" in printed.err + printed.out
    assert files(name) == before


def test_pages_are_made_of_it_anew():
    page = write_page(Path("run")).read_text()
    assert "Judge recognises" in page and "image steps a second" in page
    page = write_evaluation_page(Path("evaluation")).read_text()
    assert "Class by class" in page and "<th>judge</th>" in page


def test_a_stopped_run_goes_on():
    kept = Path("stopped_run/images/00000_cat.png").read_bytes()
    assert again("stopped_run") == 0
    summary = content("stopped_run/summary.json")
    assert summary["status"] == "finished" and summary["judge"]["name"] == "other"
    assert "verifier" not in summary
    assert Path("stopped_run/images/00000_cat.png").read_bytes() == kept
    rows = lines("stopped_run/metrics.jsonl")
    assert [(row["batch"], row["step"]) for row in rows] == [
        (batch, step) for batch in (0, 1) for step in (2, 4, 6)
    ]
    # One set of names, whichever version wrote a row.
    assert len({(*row, *row["terms"]) for row in rows}) == 1


def test_a_stopped_set_goes_on():
    with np.load("stopped_set/parts/000000.npz") as part:
        apple = part["images"][0]
    assert again("stopped_set") == 0
    with Image.open("stopped_set/train/apple/000000.png") as image:
        np.testing.assert_array_equal(image, apple)
    rows = lines("stopped_set/train/metadata.jsonl")
    assert len(rows) == 6 and len({tuple(row) for row in rows}) == 1
    assert not [name for name in rows[0] if name.startswith("verifier")]
    assert content("stopped_set/summary.json")["judge"]["name"] == "other"


def test_a_stopped_search_goes_on():
    with Path("stopped_search/trials.csv").open() as file:
        before = [row["value"] for row in csv.DictReader(file)]
    assert again("stopped_search") == 0
    with Path("stopped_search/trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["value"] for row in rows[: len(before)]] == before
    settings = [tuple(row.values())[2:4] for row in rows]
    assert sorted(settings) == [(w, v) for w in ("1.0", "2.0") for v in ("0.0", "0.3")]
    assert find_preset("stopped_search/best.json").method
