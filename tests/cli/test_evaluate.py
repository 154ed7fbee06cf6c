import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_main import TINY

from jinv.cli.main import main
from jinv.models.weights.checksums import sha256_of

pytestmark = pytest.mark.usefixtures("small_zoo")

IMAGES = np.random.default_rng(1).integers(0, 256, (90, 8, 8, 3), np.uint8)
LABELS = np.arange(90) % 6


@pytest.fixture
def real(tmp_path):
    path = tmp_path / "real.npz"
    np.savez(
        path,
        x_train=IMAGES,
        y_train=LABELS,
        x_test=IMAGES[:50] // 2,
        y_test=LABELS[:50],
    )
    return str(path)


@pytest.fixture
def folder(tmp_path):
    """A set of thirty images, some of them real ones."""
    root = tmp_path / "set"
    for number in range(30):
        image = IMAGES[number] if number < 10 else 255 - IMAGES[number]
        place = root / "train" / TINY.classes[LABELS[number]]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{number:02d}.png")
    return root


@pytest.fixture
def base(weights, folder, real):
    return [
        "evaluate", str(folder), "--real", real,
        "--judge", f"tiny={weights[0]}", f"other={weights[1]}",
    ]  # fmt: skip


def evaluation(folder):
    return json.loads((folder / "evaluation" / "evaluation.json").read_text())


def test_a_set_is_measured_beside_its_controls(base, folder, capsys):
    assert main(base) == 0
    found = evaluation(folder)
    assert list(found["rows"]) == ["this set", "real images (test)", "noise"]
    expected = {"top1:tiny", "top1:other", "fid", "precision", "recall", "density"}
    expected |= {"coverage", "f_8", "f_1/8", "inception_score", "diversity"}
    for row in found["rows"].values():
        assert set(row) == expected
        assert row["fid"]["images"] == 30
    assert found["extractor"]["name"] == "tiny"
    assert found["set"]["classes"]["cat"] == 5
    assert sum(row["images"] for row in found["judges"][0]["per_class"].values()) == 30
    names = {path.name for path in (folder / "evaluation").iterdir()}
    assert names == {
        "index.html", "evaluation.json", "grid.png", "embedding.png", "neighbours.png",
        "precision_recall.png", "confusion_tiny.png", "confusion_other.png",
        "config.json",
    }  # fmt: skip
    assert "this set" in capsys.readouterr().out


def test_real_images_in_disguise_are_found_out(base, folder, tmp_path, real):
    """A set that is the real one has the scores of an ideal one."""
    twin = ["evaluate", real, "--real", real, "--out", str(tmp_path / "twin")]
    assert main([*twin, *base[4:]]) == 0
    found = json.loads((tmp_path / "twin" / "evaluation.json").read_text())
    same, noise = found["rows"]["this set"], found["rows"]["noise"]
    assert same["fid"]["value"] < 1e-6 < noise["fid"]["value"]
    assert same["coverage"]["value"] == 1.0 and same["f_8"]["value"] > 0.99


def test_an_evaluation_is_replaced_only_when_asked(base, folder, capsys):
    assert main(base) == 0
    page = folder / "evaluation" / "index.html"
    before = page.read_bytes()
    assert main(base) == 0
    assert "this evaluation, finished: --overwrite" in capsys.readouterr().err
    assert main([*base, "--seed", "1"]) == 2
    assert "another configuration (seed: 0 there, 1 now)" in capsys.readouterr().err
    assert page.read_bytes() == before
    assert main([*base, "--seed", "1", "--overwrite"]) == 0
    assert evaluation(folder)["settings"]["seed"] == 1


def test_further_sets_join_the_table(base, folder, real, capsys):
    words = ["--also", f"half as bright={folder}", "--no-noise"]
    assert main([*base, *words, "--real-images", "40"]) == 0
    found = evaluation(folder)
    assert found["real"]["images"] == 40
    assert list(found["rows"]) == ["this set", "real images (test)", "half as bright"]


def test_a_further_set_that_is_not_there_costs_nothing(base, folder, capsys):
    assert main([*base, "--also", f"half={folder}", "nothing=nowhere"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "no labelled images" in said


def test_real_images_may_have_another_form(base, folder, tmp_path):
    images = np.zeros((20, 8, 12, 3), np.uint8)
    images[:, 0] = np.arange(20, dtype=np.uint8)[:, None, None]
    np.savez(tmp_path / "wide.npz", x_train=images, y_train=np.arange(20) % 6)
    out = ["--out", str(tmp_path / "wide")]
    assert main([base[0], str(tmp_path / "wide.npz"), *base[2:], *out]) == 0
    with Image.open(tmp_path / "wide" / "neighbours.png") as sheet:
        assert sheet.size[0] > sheet.size[1] / 4


def test_without_real_images_or_judges_something_is_measured(folder, weights):
    words = ["evaluate", str(folder), "--extractor", f"tiny={weights[0]}"]
    assert main(words) == 0
    found = evaluation(folder)
    assert set(found["rows"]["this set"]) == {"inception_score", "diversity"}
    assert found["real"] is None and found["judges"] == []


def test_bad_images_and_strange_classes_cost_only_themselves(base, folder):
    (folder / "train" / "cat" / "02.png").write_bytes(b"")
    (folder / "train" / "dog").rename(folder / "train" / "griffin")
    assert main(base) == 0
    found = evaluation(folder)
    assert found["set"]["skipped"] == 1 and found["set"]["images"] == 29
    assert found["rows"]["this set"]["top1:tiny"]["images"] == 24
    text = "\n".join(found["warnings"])
    assert "02.png cannot be read as an image" in text
    assert "classes that tiny does not know" in text
    assert "griffin" not in found["judges"][0]["per_class"]


def test_a_set_that_tells_its_batches_has_their_diversity(base, folder, capsys):
    files = sorted((folder / "train").rglob("*.png"))
    rows = [
        {"file_name": f"{file.parent.name}/{file.name}", "batch": number % 2}
        for number, file in enumerate(files)
    ]
    lines = "\n".join(map(json.dumps, rows))
    (folder / "train" / "metadata.jsonl").write_text(lines)
    assert main(base) == 0
    found = evaluation(folder)
    own, control = (found["rows"][n] for n in ("this set", "real images (test)"))
    within, between, ratio = (
        own[f"diversity_{name}"]["value"] for name in ("within", "between", "ratio")
    )
    assert ratio == pytest.approx(within / between)
    # Either kind of pairs is averaged by class, and so are all.
    assert min(within, between) < own["diversity"]["value"] < max(within, between)
    assert "diversity_ratio" not in control
    page = (folder / "evaluation" / "index.html").read_text()
    assert "Diversity within batches" in page and "Within / between" in page
    assert "Within /" in capsys.readouterr().out


def test_too_few_images_still_give_a_page(base, folder):
    for path in sorted(folder.rglob("*.png"))[4:]:
        path.unlink()
    assert main(base) == 0
    found = evaluation(folder)
    assert "precision" not in found["rows"]["this set"]
    assert any("needs at least 6 samples, got 4" in w for w in found["warnings"])
    assert any("too few to estimate a covariance" in w for w in found["warnings"])


def test_a_network_that_was_inverted_is_no_judge(base, folder, weights):
    made_from = {"weights_sha256": sha256_of(Path(weights[0]))}
    (folder / "config.json").write_text(json.dumps({"set": made_from}))
    assert main([*base[:2], *base[4:]]) == 0
    text = "\n".join(evaluation(folder)["warnings"])
    assert "the extractor tiny is the network that was inverted" in text
    assert "the judge tiny is" in text and "the judge other is" not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--split", "test"], "has no folder 'test'"),
        (["--extractor", "tinny"], "did you mean tiny"),
        (["--also", "nonsense"], "expected TITLE=SET"),
        (["--feature", "pool5"], "has no feature 'pool5'"),
        (["--real", "nowhere"], "no labelled images at 'nowhere'"),
        (["--also", "noise=x"], "'noise' is the title of another row"),
        (["--also", "a=x", "a=y"], "'a' is the title of another row"),
    ],
)
def test_bad_input_is_one_line(base, folder, capsys, words, message):
    assert main([*base, *words]) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
    assert not (folder / "evaluation").exists()


def test_two_judges_of_one_name_are_refused(base, folder, weights, capsys):
    judges = [f"tiny={path}" for path in weights]
    assert main([*base[:4], "--judge", *judges]) == 2
    assert "--judge: two are called tiny" in capsys.readouterr().err


def test_titles_are_plain_text_on_a_terminal_too(base, folder, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main([*base, "--also", f"[/x] :100:={folder}", "--no-noise"]) == 0
    assert "[/x] :100:: 30 images seen" in re.sub(
        "\x1b\\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err
    )
