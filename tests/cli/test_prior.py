import json

import numpy as np
import pytest
from PIL import Image
from tiny_main import TINY

from jinv import dead_leaves, load_prior
from jinv.cli.main import main
from jinv.models import zoo

BRIEF = (
    "--patch 3 --filters 5 --steps 4 --round-steps 2 --patches 200 --out out".split()
)


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    monkeypatch.setitem(zoo._zoo(), "tiny", TINY)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, image in enumerate(dead_leaves(11, 20, seed=0)):
        Image.fromarray(image[: 10 + number]).save(folder / f"{number}.png")
    return tmp_path


def page(place):
    return (place / "out" / "index.html").read_text()


def test_a_prior_of_photographs_its_card_and_its_page(place, capsys):
    assert main(["prior", "photographs", "--grey", *BRIEF]) == 0
    said = capsys.readouterr().err
    assert "from 11 images in 4 steps" in said and "round   2/2  loss" in said
    prior = load_prior(place / "out" / "prior.safetensors")
    assert prior.form.patch == (3, 3, 1) and prior.card["held_out"] == 1
    html = page(place)
    assert "student-t experts on 3x3 patches of grey images" in html
    assert html.count("<img") == 2 and "AUC" in html and "Median kurtosis" in html
    assert main(["prior", "photographs", *BRIEF]) == 2  # another lesson's folder


def test_a_prior_of_features_of_a_labelled_set(place, weights):
    images = np.stack(list(dead_leaves(6, 8, seed=1)))
    np.savez("set.npz", x_train=images, y_train=np.arange(6))
    of = "--layer stage1 --layout separable --channels 0,2".split()
    of += ["--model", "tiny", "--weights", str(weights[0])]
    assert main(["prior", "set.npz", *of, *BRIEF]) == 0
    prior = load_prior(place / "out" / "prior.safetensors")
    assert prior.variables["across"].shape == (5, 2)
    subject = json.loads((place / "out" / "prior.json").read_text())["of"]
    assert subject["layer"] == "stage1" and subject["chosen"] == [0, 2]
    assert "2 of 4 channels of stage1 of tiny" in page(place)


def test_a_denoiser_has_a_page_without_filters(place):
    words = "--preset denoiser --crop 10 --crops 20 --batch-size 4".split()
    assert main(["prior", "photographs", *words, *BRIEF[4:]]) == 0
    assert page(place).count("<img") == 1 and "a denoiser on 9x9" in page(place)


@pytest.mark.parametrize(
    "words, message",
    [
        ("--layer stage1", "name its network by --model"),
        ("--model tiny", "give --layer; `jinv models tiny` lists"),
        ("--model tiny --layer stage1 --grey", "--grey is for priors of images"),
        ("--patch 21", "21x21 are to be cut out of it: take a smaller patch"),
        ("--preset thesis --kind dae --layout separable", "is one of experts"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_line(place, capsys, words, message):
    assert main(["prior", "photographs", *words.split(), "--out", "out"]) == 2
    said = capsys.readouterr().err
    assert not (place / "out").exists()
    assert message in said.replace("\n", " ") and said.count("error:") == 1
