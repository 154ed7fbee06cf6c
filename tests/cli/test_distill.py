import json

import numpy as np
import pytest
from tiny_main import TINY

from jinv.cli.main import main
from jinv.models import zoo
from jinv.models.loading import load_classifier


@pytest.fixture
def teach(monkeypatch, weights, tmp_path):
    """Runs `jinv distill` for a few steps; returns the status and the folder."""
    monkeypatch.setitem(zoo._zoo(), "tiny", TINY)
    rng = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = rng.integers(0, 256, (24, 8, 8, 3), np.uint8)
        arrays[f"y_{split}"] = np.arange(24) % 6
    np.savez(tmp_path / "real.npz", **arrays)

    def run(*words, out="out"):
        brief = [
            "--model", "tiny", "--weights", weights[0], "--student", "tiny",
            "--steps", "4", "--round-steps", "2", "--batch-size", "4",
            "--margin", "1", "--collage", "1", "--out", str(tmp_path / out),
        ]  # fmt: skip
        return main(["distill", *brief, *map(str, words)]), tmp_path / out

    return run


WITHOUT_DATA = (
    "--images-at-once", "6", "--warmup-batches", "1", "--synthesis.rehearsals", "1",
    "--synthesis.channels", "4", "--synthesis.latent", "8", "--leaves", "0",
)  # fmt: skip


def test_a_student_from_a_set_stands_beside_its_control(teach, tmp_path, capsys):
    assert teach("--data", tmp_path / "real.npz", out="real")[0] == 0
    status, out = teach(
        "--data", tmp_path / "real.npz", "--beside", f"real={tmp_path / 'real'}"
    )
    assert status == 0
    assert "test 16." in capsys.readouterr().err
    card = json.loads((out / "tiny.json").read_text())
    assert card["command"].startswith("jinv distill")
    assert card["data"] == str(tmp_path / "real.npz")
    loaded = load_classifier("tiny", out / "tiny.safetensors")
    assert loaded.sha256 == card["sha256"]
    page = (out / "index.html").read_text()
    assert "real" in page and f"{card['test_accuracy']:.2f}" in page


def test_a_student_is_not_tested_by_what_it_learns_from(teach, tmp_path, capsys):
    words = "--data", tmp_path / "real.npz", "--split", "test"
    status, out = teach(*words)
    assert status == 0
    assert json.loads((out / "tiny.json").read_text())["test_accuracy"] is None
    assert teach(*words, "--test", tmp_path / "real.npz", out="another")[0] == 2
    assert "cannot be learnt from and tested by" in capsys.readouterr().err


def test_a_student_without_data_leaves_a_pool_that_another_learns_from(teach, capsys):
    status, out = teach(*WITHOUT_DATA)
    assert status == 0
    card = json.loads((out / "tiny.json").read_text())
    assert card["budget"]["images"] == 18
    assert "labels" not in card["images"]
    assert (out / "pool.png").is_file()
    before = (out / "tiny.safetensors").read_bytes()
    # Again: there is nothing to do, and nothing changes.
    assert teach(*WITHOUT_DATA)[0] == 0
    assert (out / "tiny.safetensors").read_bytes() == before
    again = json.loads((out / "tiny.json").read_text())
    for found in (card, again):
        found["budget"].pop("peak_memory_mib")
    assert again == card
    assert teach("--data", out / "pool", out="another")[0] == 0
    assert (
        json.loads((out.parent / "another" / "tiny.json").read_text())["budget"][
            "image_passes"
        ]
        == card["budget"]["image_passes"]
    )
    capsys.readouterr()
    assert teach("--data", out / "pool", "--synthesis.w-bn", 1)[0] == 2
    assert "--synthesis.w-bn is for images that are made" in capsys.readouterr().err
    for flag in ("--synthesis.lr", "--lr"):
        assert teach(flag, -1)[0] == 2
        assert f"error: {flag}: expected a number over 0" in capsys.readouterr().err
    assert teach("--synthesis.stepz", 3)[0] == 2
    assert "did you mean --synthesis.steps or" in capsys.readouterr().err
    assert teach(*WITHOUT_DATA, "--seed", "5")[0] == 2
    assert "another configuration" in capsys.readouterr().err
