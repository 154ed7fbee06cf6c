import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from jinv.cli.main import main
from jinv.priors.files import load_prior, write_prior
from jinv.priors.form import Form, Subject
from jinv.priors.prior import Prior


@pytest.fixture
def photographs(tmp_path):
    """Smooth photographs, grey and of several sizes."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name, (height, width) in {"wide": (20, 26), "tall": (26, 20)}.items():
        rows, columns = np.mgrid[:height, :width]
        image = (60 + 3 * rows + 60 * (columns > 10)).astype(np.uint8)
        Image.fromarray(image).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def prior(tmp_path):
    filters = np.zeros((2, 2, 2, 1), np.float32)
    filters[0, 0, 0], filters[0, 0, 1] = -40, 40
    filters[1, 0, 0], filters[1, 1, 0] = -40, 40
    variables = {
        "filters": filters,
        "offsets": np.zeros(2, np.float32),
        "alphas": np.ones(2, np.float32),
        "mean": np.zeros((), np.float32),
        "deviation": np.ones((), np.float32),
    }
    found = Prior(Form(Subject(1), 2, 2), variables)
    return write_prior(tmp_path / "edges.safetensors", found).path


def test_noise_is_added_and_removed_and_what_is_done_stays(
    photographs, prior, tmp_path, capsys
):
    out = tmp_path / "out"
    words = ["denoise", str(photographs), "--add-noise", "--out", str(out)]
    words += ["--prior", str(prior), "--weight", "0.4", "--steps", "20"]
    assert main(words) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["images"] == 2
    assert summary["psnr_noisy"] == pytest.approx(20.2, abs=0.4)
    assert summary["psnr"] > summary["psnr_noisy"] + 5
    files = sorted(path.name for path in (out / "images").iterdir())
    assert files == ["00000_tall.png", "00001_wide.png"]
    page = (out / "index.html").read_text()
    assert "wide" in page and "dB" in page and "edges" in page
    capsys.readouterr()
    assert main(words) == 0
    assert "there is nothing to do" in capsys.readouterr().err

    # As if killed before the second image, and the summary.
    (out / "summary.json").unlink()
    wanted = (out / "images" / files[1]).read_bytes()
    (out / "images" / files[1]).unlink()
    assert main(words) == 0
    assert "Denoising 1 image of 2" in capsys.readouterr().err
    assert (out / "images" / files[1]).read_bytes() == wanted
    again = json.loads((out / "summary.json").read_text())
    assert again["psnr"] == summary["psnr"]
    assert main([*words, "--sigma", "15"]) == 2
    assert "another configuration" in capsys.readouterr().err


def test_noisy_images_of_any_kind_are_denoised_by_total_variation(
    photographs, prior, tmp_path, capsys
):
    rng = np.random.default_rng(0)
    colour = rng.integers(100, 160, (12, 9, 3), np.uint8)
    Image.fromarray(colour).save(photographs / "colour.webp", lossless=True)
    out = tmp_path / "out"
    words = ["denoise", str(photographs), "--out", str(out)]
    assert main([*words, "--tv", "1", "--steps", "30"]) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert summary["images"] == 3 and "psnr" not in summary
    found = np.asarray(Image.open(out / "images" / "00000_colour.png"))
    assert found.shape == colour.shape and found.std() < 0.5 * colour.std()
    capsys.readouterr()
    # A prior of grey images sees each channel by itself; one of RGB ones no grey ones.
    assert main([*words, "--prior", str(prior), "--overwrite"]) == 0
    assert Image.open(out / "images" / "00000_colour.png").mode == "RGB"
    rgb = Prior(Form(Subject(3), 2, 2), load_prior(prior).variables)
    rgb = replace(rgb, variables=rgb.variables | {"filters": np.ones((2, 2, 2, 3))})
    path = write_prior(tmp_path / "rgb.safetensors", rgb).path
    capsys.readouterr()
    assert main([*words, "--prior", str(path), "--overwrite"]) == 2
    said = capsys.readouterr().err
    assert "tall.png are grey" in said and said.count("\n") == 1
    assert (out / "summary.json").exists()  # and nothing was removed
    assert main([*words, "--prior", str(prior), "--grey", "--overwrite"]) == 0


def test_a_seed_is_of_noise_that_is_added(photographs, tmp_path, capsys):
    words = ["denoise", str(photographs), "--tv", "0.7", "--seed", "3"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "--seed is of the noise that --add-noise adds" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
