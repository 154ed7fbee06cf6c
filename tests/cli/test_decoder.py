import json

import numpy as np
import pytest
from PIL import Image

from jinv.cli.main import main

pytestmark = pytest.mark.usefixtures("small_zoo")


@pytest.fixture
def photographs(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(10):
        image = rng.integers(0, 256, (12, 9 + number, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    return [str(tmp_path / f"{number}.png") for number in range(10)]


def test_a_decoder_is_taught_and_used(photographs, weights, tmp_path, capsys):
    network = ["--model", "tiny", "--weights", weights[0]]
    out = tmp_path / "decoder"
    words = [
        "decoder", *photographs, *network, "--layer", "stage1", "--steps", "4",
        "--round-steps", "2", "--batch-size", "4", "--regime", "stacked",
        "--devices", "1", "--out", str(out),
    ]  # fmt: skip
    assert main(words) == 0
    said = capsys.readouterr().err
    assert "learns from 9 photographs, 1 others are held out" in said
    assert "step 4/4" in said and "wrote" in said
    card = json.loads((out / "decoder.json").read_text())
    assert card["recipe"]["regime"] == "stacked" and card["held_out"] == 1
    assert card["command"].startswith("jinv ")
    path = out / "decoder.safetensors"
    before = path.read_bytes()
    assert main(words) == 0 and path.read_bytes() == before

    # Neither network nor layer need to be said again.
    run = tmp_path / "run"
    words = ["reconstruct", photographs[0], "--decoder", str(path), "--devices", "1"]
    words += ["--weights", weights[0], "--out", str(run)]
    assert main(words) == 0
    summary = json.loads((run / "summary.json").read_text())
    assert summary["classifier_passes"] == 0 and summary["status"] == "finished"
    assert list(summary["reconstruction"]["images"]["0"]["features"]) == ["stage1"]
    config = json.loads((run / "config.json").read_text())["inversion"]
    assert config["settings"]["start"] == "decoder"
    assert config["settings"]["steps"] == [0]

    words[-1] = str(tmp_path / "longer")
    assert main([*words, "--steps", "3", "--preset", "mahendran-2015"]) == 0
    settings = json.loads((tmp_path / "longer" / "config.json").read_text())
    settings = settings["inversion"]["settings"]
    assert settings["steps"] == [3] and settings["init_scale"] == 0
    capsys.readouterr()
    words[words.index("--weights") + 1] = weights[1]
    assert main([*words, "--overwrite"]) == 2
    assert "learnt from other weights of tiny" in capsys.readouterr().err
