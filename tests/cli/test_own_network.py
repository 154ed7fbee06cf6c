"""A network of three classes of one's own, by the command line alone."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny_main import OTHER, TINY

from jinv.cli.main import main
from jinv.models import zoo
from jinv.models.loading import load_classifier

CLASSES = ("a/b", "boat", "red fox")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
FACTS = ["--mean", "0.4914,0.4822,0.4465", "--std", "0.2023", "0.1994", "0.2010"]


@pytest.fixture(autouse=True)
def small_zoo(monkeypatch):
    for spec in (TINY, OTHER):
        monkeypatch.setitem(zoo._zoo(), spec.name, spec)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder as people have them, of 48 images in three classes that no zoo knows."""
    root = tmp_path_factory.mktemp("mine")
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for label, name in enumerate(("a%2Fb", "boat", "red fox")):
            place = root / split / name
            place.mkdir(parents=True)
            for number in range(16):
                image = rng.integers(0, 90, (8, 8, 3), np.uint8)
                image[..., label] += 150
                Image.fromarray(image).save(place / f"{number}.png")
    (root / "train" / ".DS_Store").write_bytes(b"\0")
    (root / "train" / "boat" / "._0.png").write_bytes(b"\0")
    (root / "train" / ".ipynb_checkpoints").mkdir()
    return root


@pytest.fixture(scope="module")
def networks(folder, tmp_path_factory):
    """Three trained networks: what is inverted, who judges, and a student."""
    out, found = tmp_path_factory.mktemp("runs"), []
    with pytest.MonkeyPatch.context() as patch:
        for spec in (TINY, OTHER):
            patch.setitem(zoo._zoo(), spec.name, spec)
        for seed, model, facts in (
            (0, "tiny", FACTS),
            (1, "other", []),
            (2, "tiny", FACTS),
        ):
            words = [
                "train", "--data", folder, "--model", model, "--seed", seed, *facts,
                "--epochs", 2, "--batch-size", 16, "--warmup-epochs", 0,
                "--out", out / str(seed),
            ]  # fmt: skip
            assert main([str(word) for word in words]) == 0
            found.append(f"{model}={out / str(seed) / model}.safetensors")
    return found


def test_training_takes_the_sets_classes_and_the_facts_given(networks, folder, capsys):
    file = networks[0].partition("=")[2]
    network = load_classifier("tiny", file)
    assert network.spec.classes == CLASSES
    assert (network.spec.mean, network.spec.std) == (MEAN, STD)
    card = json.loads(open(file.replace(".safetensors", ".json")).read())
    assert tuple(card["classes"]) == CLASSES and tuple(card["mean"]) == MEAN
    judge = load_classifier("other", networks[1].partition("=")[2])
    assert judge.spec.classes == CLASSES and judge.spec.mean != MEAN


def test_the_walk_from_inversion_to_evaluation(networks, folder, tmp_path, capsys):
    mine, judge, student = networks
    own = ["--model", "tiny", "--weights", mine.partition("=")[2]]
    run, made = tmp_path / "run", tmp_path / "set"
    brief = ["--steps", "2", "--company", "0", "--devices", "1"]
    words = ["invert", *own, "--classes", "a/b,red fox", "--images", "4", *brief]
    assert main([*words, "--judge", judge, "--out", str(run)]) == 0
    summary = json.loads((run / "summary.json").read_text())
    assert summary["classes"] == ["a/b", "red fox"]
    assert summary["judge"]["name"] == "other"

    words = ["synthesize", *own, "--images", "6", "--method", "dfad", "--devices", "1"]
    words += ["--rehearsals", "0", "--latent", "4", "--channels", "8"]
    words += ["--student", student, "--judge", judge]
    assert main([*words, "--out", str(made)]) == 0
    folders = {path.name for path in (made / "train").iterdir() if path.is_dir()}
    assert folders and folders <= {"a%2Fb", "boat", "red fox"}

    words = ["evaluate", str(made), "--real", str(folder), "--judge", judge]
    words += ["--extractor", judge, "--no-noise", "--out", str(tmp_path / "page")]
    assert main(words) == 0
    table = json.loads((tmp_path / "page" / "evaluation.json").read_text())
    (judge,) = table["judges"]
    assert judge["name"] == "other" and set(judge["per_class"]) <= set(CLASSES)


def test_facts_reach_every_network_by_its_companion(networks, folder, tmp_path, capsys):
    """A stranger's file has no metadata: FILE.json beside it tells what it needs."""
    from safetensors.numpy import load_file, save_file

    bare = tmp_path / "bare.safetensors"
    save_file(load_file(networks[1].partition("=")[2]), bare)
    words = ["evaluate", str(folder), "--judge", f"other={bare}", "--no-noise"]
    assert main([*words, "--out", str(tmp_path / "page")]) == 2
    assert "these weights tell 3 classes apart, not 6" in capsys.readouterr().err
    companion = {"classes": CLASSES, "mean": MEAN, "std": STD, "input_size": 8}
    bare.with_suffix(".json").write_text(json.dumps(companion))
    assert load_classifier("other", bare).spec.mean == MEAN
    assert main([*words, "--out", str(tmp_path / "page")]) == 0


def test_a_student_is_no_judge(networks, tmp_path, capsys):
    mine, judge, student = networks
    words = ["invert", "--model", "tiny", "--weights", mine.partition("=")[2]]
    words += ["--method", "dfad", "--student", judge, "--judge", judge]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "the judge has the weights of the student" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
