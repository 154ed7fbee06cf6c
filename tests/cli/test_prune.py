import json

import numpy as np
import pytest
from tiny_main import TINY

from jinv.cli import distill
from jinv.cli.main import main
from jinv.models import zoo
from jinv.models.loading import load_classifier


@pytest.fixture
def place(monkeypatch, tmp_path):
    monkeypatch.setitem(zoo._zoo(), "tiny", TINY)
    rng = np.random.default_rng(0)
    arrays = {}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = rng.integers(0, 256, (24, 8, 8, 3), np.uint8)
        arrays[f"y_{split}"] = np.arange(24) % 6
    np.savez(tmp_path / "set.npz", **arrays)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_network_is_cut_measured_and_taken_by_other_commands(place, weights, capsys):
    model = f"--model tiny --weights {weights[0]}"
    words = f"prune {model} --ratio 0.5 --data set.npz --test set.npz --out small"
    assert main(words.split()) == 0
    said = capsys.readouterr().err
    assert "1,418" in said and "with statistics measured anew" in said
    card = json.loads((place / "small/tiny.json").read_text())
    assert card["narrowed"] == {"layer1.0.conv1": 2, "layer2.0.conv1": 4}
    assert card["parameters"] == [1418, 830]
    assert card["milliseconds"][1] > 0
    assert list(card["accuracies"]) == ["before", "cut", "statistics"]
    # Again: there is nothing to do; otherwise: it is another network.
    assert main(words.split()) == 0
    assert "already" in capsys.readouterr().err
    assert main([*words.split(), "--ratio", "0.25"]) == 2
    assert "another configuration" in capsys.readouterr().err
    small = place / "small/tiny.safetensors"
    learn = "--data set.npz --epochs 1 --batch-size 12 --warmup-epochs 0 --margin 1"
    assert main(f"train --model tiny --init {small} {learn} --out tuned".split()) == 0
    tuned = load_classifier("tiny", place / "tuned")
    assert tuned.spec.narrowed == card["narrowed"]
    # Who learns from a narrow teacher is as wide as ever.
    assert distill._student("tiny", tuned, 0).spec.narrowed == {}
    run = "--classes cat --images 2 --steps 2 --company 0 --devices 1 --out images"
    judge = "--judge tiny --judge-weights tuned/tiny.safetensors"
    assert main(f"invert --model tiny --weights {small} {judge} {run}".split()) == 0


def test_a_ratio_of_0_is_no_preset_s(place, weights, capsys):
    words = f"prune --model tiny --weights {weights[0]} --preset resnet56-a --ratio 0"
    assert main(words.split()) == 2
    assert "ratio" in capsys.readouterr().err


def test_the_control_has_weights_of_its_own(place, weights, capsys):
    words = f"prune --model tiny --weights {weights[0]} --ratio 0.5 --where trunk"
    for seed in (0, 1):
        assert main(f"{words} --fresh --seed {seed} --out {seed}".split()) == 0
    kernels = [
        np.asarray(
            load_classifier("tiny", place / name).variables["params"]["conv1"]["kernel"]
        )
        for name in ("0", "1")
    ]
    assert kernels[0].shape == (3, 3, 3, 2)
    assert not np.allclose(*kernels)
    assert main(f"{words} --fresh --data set.npz --out more".split()) == 2
    assert "--fresh draws weights" in capsys.readouterr().err
