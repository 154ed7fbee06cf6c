import json

import numpy as np
import pytest
from tiny_main import TINY

from jinv.cli.main import main
from jinv.models import zoo
from jinv.models.classifier import load_classifier


@pytest.fixture(autouse=True)
def small_zoo(monkeypatch):
    monkeypatch.setitem(zoo._zoo(), "tiny", TINY)


def test_training_leaves_weights_that_load_and_their_card(tmp_path, capsys):
    rng = np.random.default_rng(0)
    arrays = {
        f"{kind}_{split}": rng.integers(0, high, shape, np.uint8)
        for split in ("train", "test")
        for kind, high, shape in (("x", 256, (64, 8, 8, 3)), ("y", 6, (64,)))
    }
    np.savez(tmp_path / "set.npz", **arrays)
    words = [
        "train", "--model", "tiny", "--data", str(tmp_path / "set.npz"),
        "--epochs", "1", "--batch-size", "32", "--warmup-epochs", "0",
    ]  # fmt: skip
    first, second = tmp_path / "first", tmp_path / "second"
    assert main([*words, "--out", str(first), "--storage", "float16"]) == 0
    weights = first / "tiny.safetensors"
    card = json.loads((first / "tiny.json").read_text())
    assert card["sha256"] == load_classifier("tiny", weights).sha256
    assert card["recipe"]["epochs"] == 1 and card["initial_weights"] is None

    assert main([*words, "--out", str(second), "--init", str(weights)]) == 0
    later = json.loads((second / "tiny.json").read_text())
    assert later["initial_weights"] == card
    assert main([*words, "--data", "nowhere"]) == 2
    assert "no labelled images" in capsys.readouterr().err
