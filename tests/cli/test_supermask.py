import json

import numpy as np
import pytest
from tiny_main import TINY

from jinv.cli.main import main
from jinv.cli.supermask import defaults
from jinv.models import zoo
from jinv.models.weights.checksums import sha256_of
from jinv.transfer.train_config import TrainConfig


@pytest.fixture(autouse=True)
def small_zoo(monkeypatch):
    monkeypatch.setitem(zoo._zoo(), "tiny", TINY)


def test_a_subnetwork_is_found_written_and_inverted(stripes, tmp_path, capsys):
    arrays = {}
    for split, data in zip(("train", "test"), stripes, strict=True):
        arrays |= {f"x_{split}": data.images, f"y_{split}": data.labels}
    np.savez(tmp_path / "set.npz", **arrays)
    words = [
        "supermask", "--model", "tiny", "--data", str(tmp_path / "set.npz"),
        "--epochs", "2", "--batch-size", "32", "--warmup-epochs", "0",
        "--keep-fraction", "0.3", "--layers", "fc=0.8", "--devices", "2",
        "--out", str(tmp_path / "found"),
    ]  # fmt: skip
    assert main(words) == 0
    weights = tmp_path / "found" / "tiny.safetensors"
    card = json.loads(weights.with_suffix(".json").read_text())
    assert card["sha256"] == sha256_of(weights)
    assert card["mask"]["keep_fraction"] == 0.3
    assert 30 < card["kept"] < 40  # fc keeps more
    assert f"{card['test_accuracy']} % with {card['kept']} %" in capsys.readouterr().err

    place = words.index("--layers") + 1
    again = main([*words[:place], "fc=0.7", *words[place + 1 :]])
    assert again == 2
    assert "another configuration" in capsys.readouterr().err

    out = tmp_path / "inverted"
    words = [
        "invert", "--model", "tiny", "--weights", str(weights), "--classes", "0,1",
        "--images", "2", "--company", "0", "--steps", "2", "--out", str(out),
    ]  # fmt: skip
    assert main(words) == 0
    config = json.loads((out / "config.json").read_text())
    assert config["inversion"]["weights_sha256"] == card["sha256"]
    rows = (out / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["terms"]["bn"]["raw"] > 0


@pytest.mark.parametrize("words", [[], ["--data", "a.npz", "--published", "b.pth"]])
def test_there_is_something_to_search_or_something_to_convert(words, capsys):
    assert main(["supermask", "--model", "tiny", *words]) == 2
    assert "either --data" in capsys.readouterr().err


def test_drawn_masks_have_a_learning_rate_of_their_own():
    assert defaults(["--sampled"]).config.lr == 20
    assert defaults(["--sampled"]).config.weight_decay == 0
    assert defaults([]).config == TrainConfig()
