import json

import numpy as np
import pytest
from PIL import Image

from jinv.cli.main import main
from jinv.priors.files import write_prior
from jinv.priors.form import Form, Subject
from jinv.priors.prior import Prior

pytestmark = pytest.mark.usefixtures("small_zoo")


@pytest.fixture
def photographs(tmp_path):
    """Photographs of several sizes and kinds, one of them in a folder."""
    rng = np.random.default_rng(0)
    (tmp_path / "more").mkdir()
    for name, shape in (
        ("one.png", (20, 31, 3)),
        ("two.webp", (12, 9, 3)),
        ("more/grey.png", (16, 16)),
    ):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(tmp_path / name)
    (tmp_path / "more" / "notes.txt").write_text("no image")
    return [str(tmp_path / name) for name in ("one.png", "two.webp", "more")]


@pytest.fixture
def words(photographs, weights, tmp_path):
    return [
        "reconstruct", *photographs, "--model", "tiny", "--weights", weights[0],
        "--layers", "stage1,stage2", "--steps", "4", "--devices", "1",
        "--log-every", "2", "--out", str(tmp_path / "run"),
    ]  # fmt: skip


def test_photographs_of_any_size_are_reconstructed(words, tmp_path, capsys):
    assert main(words) == 0
    run = tmp_path / "run"
    names = sorted(path.name for path in (run / "images").iterdir())
    assert [name.split("_", 1)[1] for name in names] == [
        "one.png",
        "two.png",
        "grey.png",
    ]
    summary = json.loads((run / "summary.json").read_text())
    errors = summary["reconstruction"]["images"]
    assert list(errors) == ["one", "two", "grey"]
    assert set(errors["one"]["features"]) == {"stage1", "stage2"}
    page = (run / "index.html").read_text()
    assert "two" in page and "‖Φ - Φ₀‖² / ‖Φ₀‖² of stage2" in page
    assert (run / "differences.png").exists()
    config = json.loads((run / "config.json").read_text())["inversion"]
    assert list(config["photographs"]) == ["one", "two", "grey"]
    capsys.readouterr()
    assert main(words) == 0
    assert "finished: there is nothing to do" in capsys.readouterr().err


def test_a_preset_is_that_of_the_depth_and_options_change_it(words, tmp_path):
    steps = words.index("--steps")
    words = [*words[:steps], *words[steps + 2 :], "--preset", "mahendran-2015"]
    assert main([*words, "--steps", "2", "1", "1", "--w-alpha", "0"]) == 0
    settings = json.loads((tmp_path / "run" / "config.json").read_text())["inversion"][
        "settings"
    ]
    assert settings["w_tv"] == 50 and settings["w_alpha"] == 0
    assert settings["steps"] == [2, 1, 1] and settings["rates"] == [1.0, 0.1, 0.01]


def test_two_files_of_one_name_are_told_apart(words, tmp_path):
    (tmp_path / "other").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "other" / "one.png")
    assert main([words[0], str(tmp_path / "other" / "one.png"), *words[1:]]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())["inversion"]
    assert "other one.png" in config["photographs"]
    assert len(config["photographs"]) == 4


def test_another_photograph_is_another_run(words, tmp_path, capsys):
    assert main(words) == 0
    image = np.full((12, 12, 3), 77, np.uint8)
    Image.fromarray(image).save(tmp_path / "one.png")
    assert main(words) == 2
    assert "photographs" in capsys.readouterr().err


@pytest.fixture
def prior(tmp_path):
    rng = np.random.default_rng(0)
    variables = {
        "filters": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "offsets": np.zeros(4, np.float32),
        "alphas": np.ones(4, np.float32),
        "mean": np.zeros((), np.float32),
        "deviation": np.ones((), np.float32),
    }
    form = Form(Subject(3), 3, 3)
    return write_prior(tmp_path / "edges.safetensors", Prior(form, variables))


def test_a_prior_takes_part_and_another_one_is_another_run(
    words, prior, tmp_path, capsys
):
    assert main([*words, "--prior", f"{prior.path}:0.25"]) == 0
    said = "".join(capsys.readouterr().err.split())
    assert "withprior_images:edges,student-t" in said and "weight0.25" in said
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["terms"]["prior_images"]["weight"] == 0.25
    page = (tmp_path / "run" / "index.html").read_text()
    assert prior.sha256 in page and "edges" in page
    assert main([*words, "--prior", f"{prior.path}:0.5"]) == 2
    assert "weight: 0.25 there, 0.5 now" in capsys.readouterr().err
    assert main(words) == 2


def test_a_preset_that_needs_a_prior_says_so(words, capsys):
    assert main([*words, "--preset", "thesis-conv1"]) == 2
    said = capsys.readouterr().err
    assert "give --prior FILE" in said and said.count("\n") == 1
