import json

import numpy as np
import pytest
from PIL import Image

from jinv.cli.main import main

pytestmark = pytest.mark.usefixtures("small_zoo")


@pytest.fixture
def base(weights, tmp_path):
    return [
        "visualize", "--model", "tiny", "--weights", weights[0], "--steps", "3",
        "--devices", "1", "--init-scale", "1", "--out", str(tmp_path / "run"),
    ]  # fmt: skip


@pytest.fixture
def photographs(tmp_path):
    """A photograph in colour, a grey one of the same size, and a larger one."""
    rng = np.random.default_rng(0)
    paths = []
    for name, shape in {
        "colour": (12, 16, 3), "grey": (12, 16), "large": (30, 20, 3),
    }.items():  # fmt: skip
        paths.append(tmp_path / f"{name}.png")
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(paths[-1])
    return list(map(str, paths))


def summary(tmp_path):
    return json.loads((tmp_path / "run" / "summary.json").read_text())


def settings(tmp_path):
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    return config["inversion"]


def images(tmp_path):
    paths = sorted((tmp_path / "run" / "images").iterdir())
    return {path.name: Image.open(path).size for path in paths}


def test_units_classes_and_directions_leave_an_image_each(base, tmp_path, capsys):
    np.save(tmp_path / "probe.npy", np.arange(8.0))
    words = [
        "--unit", "stage2:0-1", "stage2:7@centre", "--class", "cat,egg",
        "--direction", str(tmp_path / "probe.npy"), "--layer", "stage2",
    ]  # fmt: skip
    assert main([*base, *words]) == 0
    assert list(images(tmp_path)) == [
        "00000_stage2_0.png", "00001_stage2_1.png", "00002_stage2_7-2-2.png",
        "00003_cat.png", "00004_egg.png", "00005_probe.png",
    ]  # fmt: skip
    found = settings(tmp_path)
    assert found["method"] == "Visualization"
    assert found["settings"]["layers"] == ["stage2", "logits"]
    assert found["questions"][2:4] == ["stage2_7@2,2", "cat"]
    assert len(summary(tmp_path)["excitation"]["images"]) == 6
    said = capsys.readouterr().err
    assert "Visualising 6 images by stage2, logits of tiny, 8x8 pixels" in said
    assert main([*base, *words]) == 0
    assert "holds this run, finished" in capsys.readouterr().err


def test_a_photograph_is_dreamt_on_in_its_own_size(base, photographs, tmp_path):
    words = ["--layer", "stage2", "--start", photographs[0], "--octaves", "2"]
    assert main([*base, *words, "--init-scale", "0"]) == 0
    assert images(tmp_path) == {"00000_colour.png": (16, 12)}
    found = settings(tmp_path)
    assert found["method"] == "DeepDream"
    assert found["settings"]["size"] == [12, 16]
    assert found["settings"]["optimizer"] == "normalised"
    (row,) = summary(tmp_path)["excitation"]["images"]
    assert row["own"] > row["photograph"]
    assert (tmp_path / "run" / "photographs.png").is_file()


def test_photographs_dream_together_in_the_size_asked_for(
    base, photographs, tmp_path, capsys
):
    words = ["--layers", "stage1", "--start", *photographs, "--octaves", "1"]
    assert main([*base, *words]) == 2
    said = capsys.readouterr().err
    assert "30x20 pixels dream together in one size: give --size HEIGHT" in said
    assert main([*base, *words, "--size", "10,8"]) == 0
    assert set(images(tmp_path).values()) == {(8, 10)}


def test_caricatures_have_the_size_of_the_network(base, photographs, tmp_path):
    words = ["--layers", "stage2,stage1", "--caricature", *photographs]
    assert main([*base, *words]) == 0
    assert list(images(tmp_path)) == [
        "00000_colour.png", "00001_grey.png", "00002_large.png",
    ]  # fmt: skip
    assert set(images(tmp_path).values()) == {(8, 8)}
    assert settings(tmp_path)["method"] == "Caricature"


def test_units_that_shall_differ_are_neighbours(base, tmp_path):
    words = ["--unit", "stage2:0-1", "--per-unit", "2", "--w-diversity", "1"]
    assert main([*base, *words]) == 0
    assert list(images(tmp_path)) == [
        "00000_stage2_0.png", "00001_stage2_0.png",
        "00002_stage2_1.png", "00003_stage2_1.png",
    ]  # fmt: skip
    terms = summary(tmp_path)["terms"]
    assert set(terms) == {"activation", "similarity"}
    assert 0 < terms["similarity"]["raw"] <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing is asked for: give units (LAYER:CHANNEL)"),
        (["--unit", "stage3:0"], "did you mean stage"),
        (["--unit", "stage2:8"], "channels of stage2 are 0..7; see jinv models tiny"),
        (["--unit", "stage2"], "expected LAYER:CHANNEL"),
        (["--unit", "stage2:0@9,9"], "4x4 positions"),
        (["--unit", "logits:0@centre"], "logits has no positions"),
        (["--class", "lynx"], "unknown class 'lynx'"),
        (["--direction", "nowhere.npy"], "nowhere.npy cannot be read"),
        (["--direction", "text.npy", "--layer", "stage2"], "text.npy cannot be read"),
        (["--direction", "nine.npy", "--layer", "stage2"], "8 channels, the direction"),
        (["--direction", "nine.npy"], "of one layer, 0 were given"),
        (["--start", "nowhere.png", "--layer", "stage2"], "nowhere.png does not exist"),
        (["--start", "text.npy", "--layer", "stage2"], "cannot be read as an image"),
        (
            ["--start", "colour.png"],
            "no layers are given: name some of tiny",
        ),
        (["--caricature", "colour.png", "--layer", "stag2"], "did you mean stage2"),
        (["--caricature", "colour.png", "--unit", "stage2:0"], "not both"),
        (["--unit", "stage2:0", "--preset", "deepdream"], "is of DeepDream, but"),
        (["--start", "colour.png", "--preset", "lucid"], "is of Visualization, but"),
        (["--unit", "stage2:0", "--preset", "lucdi"], "did you mean lucid"),
        (["--unit", "stage2:0", "--octave-scale", "1"], "--octave-scale: expected"),
        (["--unit", "stage2:0", "--octave-scael", "2"], "octave-scael"),
        (["--unit", "stage2:0", "--size", "8"], "size: expected height and width"),
    ],
)
def test_bad_input_is_one_line(
    base, photographs, tmp_path, monkeypatch, capsys, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.npy").write_text("precious")
    np.save(tmp_path / "nine.npy", np.ones(9))
    assert main([*base, *words]) == 2
    said = capsys.readouterr().err
    assert any(part in said for part in message.split("|")), said
    assert said.count("\n") == 1 and not (tmp_path / "run").exists()
