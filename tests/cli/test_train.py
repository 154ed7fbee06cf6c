import json

import numpy as np
import pytest
from tiny_main import TINY

from jinv.cli.main import main
from jinv.cli.training import load_soft_labels
from jinv.data.exporting import Description, Example, export
from jinv.data.labelled import hold_out
from jinv.data.sets import load_labelled
from jinv.data.soft_labels import SoftLabels, soft_labels_path, write_soft_labels
from jinv.models import zoo
from jinv.models.loading import load_classifier


@pytest.fixture(autouse=True)
def small_zoo(monkeypatch):
    monkeypatch.setitem(zoo._zoo(), "tiny", TINY)


@pytest.fixture
def synthetic(tmp_path):
    """Writes a set of 64 images as `jinv synthesize` does; returns where."""

    def write(form="npz", count=64):
        rng = np.random.default_rng(0)
        shape = (TINY.input_size, TINY.input_size, 3)
        examples = (
            Example(i, rng.integers(0, 256, shape, np.uint8), i % 6, {})
            for i in range(count)
        )
        export(
            form,
            tmp_path / "set",
            Description("train", TINY.classes, count, TINY.input_size),
            examples,
        )
        return tmp_path / "set"

    return write


@pytest.fixture
def learn(tmp_path):
    """Runs a command that learns for one epoch; returns the status and the card."""

    def run(*words, command="train"):
        out = tmp_path / "out"
        brief = [
            "--model", "tiny", "--epochs", "1", "--batch-size", "32",
            "--warmup-epochs", "0", "--out", str(out),
        ]  # fmt: skip
        status = main([command, *brief, *map(str, words)])
        return status, status == 0 and json.loads((out / "tiny.json").read_text())

    return run


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


@pytest.mark.parametrize(
    ("command", "form"), [("train", "folder"), ("train", "npz"), ("supermask", "npz")]
)
def test_a_synthetic_set_is_learnt_but_for_a_tenth(
    synthetic, learn, capsys, command, form
):
    place = synthetic(form)
    status, card = learn("--data", place, command=command)
    assert status == 0
    assert card["data"] == f"{place} (58 training, 6 held-out images)"
    said = capsys.readouterr().err
    assert f"{place} has no test images: 6 of its 64 are held out; --test" in said


def test_test_images_may_come_from_another_set(synthetic, learn, tmp_path):
    place, real = synthetic(), tmp_path / "real.npz"
    images = np.zeros((7, 8, 8, 3), np.uint8)
    np.savez(real, x_test=images, y_test=np.arange(7) % 6)
    status, card = learn("--data", place, "--test", real)
    assert status == 0
    assert card["data"] == f"{place} (64 training images), {real} (7 test images)"


def test_a_set_without_test_images_cannot_be_the_test(synthetic, learn, capsys):
    place = synthetic()
    status, _ = learn("--data", place, "--test", place)
    said = capsys.readouterr().err
    assert status == 2 and said.count("\n") == 1
    assert f"{place} has no test images: expected x_test and y_test" in said


def test_what_is_learnt_from_is_no_test(learn, tmp_path, capsys):
    place, labels = tmp_path / "one.npz", np.arange(40) % 6
    np.savez(place, x_test=np.zeros((40, 8, 8, 3), np.uint8), y_test=labels)
    words = "--data", place, "--split", "test"
    status, card = learn(*words)
    assert status == 0 and "36 training, 4 held-out images" in card["data"]
    capsys.readouterr()
    # By whatever path it is called.
    for command, test in (("train", place), ("supermask", f"{tmp_path}/./one.npz")):
        assert learn(*words, "--test", test, command=command)[0] == 2
        said = capsys.readouterr().err
        assert "cannot be learnt from and tested by: give another --test-s" in said


def test_of_too_few_images_none_is_held_out(synthetic, learn, capsys):
    status, _ = learn("--data", synthetic(count=9))
    assert status == 2
    assert "of its 9 training images no tenth can be held" in capsys.readouterr().err


@pytest.fixture
def taught(synthetic, tmp_path):
    """A set of 64 images with soft labels, whose first logit tells the row."""

    def write(form="npz", rows=64, classes=TINY.classes):
        place = synthetic(form)
        logits = np.zeros((rows, len(classes)), np.float16)
        logits[:, 0] = np.arange(rows)
        found = SoftLabels(logits, classes, "teacher", "abc")
        write_soft_labels(soft_labels_path(place, "train"), found)
        return place

    return write


def real_images(tmp_path, size=8, classes=6):
    """A set of 20 images to learn from and as many to test by."""
    images, labels = np.zeros((20, size, size, 3), np.uint8), np.arange(20) % classes
    arrays = {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels}
    np.savez(tmp_path / "real.npz", **arrays)
    return tmp_path / "real.npz"


def test_real_images_are_measured_and_the_best_epoch_is_told(
    synthetic, learn, tmp_path, capsys
):
    place, real = synthetic(), real_images(tmp_path)
    status, card = learn("--data", place, "--test", real, "--real", real)
    assert status == 0
    assert card["real"] == str(real)
    assert card["real_accuracy"] == card["test_accuracy"]
    assert card["best_epoch"] == 1
    assert card["best_test_accuracy"] >= card["test_accuracy"]
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "epoch   1/1" in x]
    (row,) = map(json.loads, (tmp_path / "out" / "metrics.jsonl").open())
    assert (
        f"loss {row['loss']:.4f}  accuracy {row['accuracy']:.2f} %  "
        f"test {row['test_accuracy']:.2f} %  real {row['real_accuracy']:.2f} %  "
    ) in line
    assert "Accuracy on other images" in (tmp_path / "out" / "index.html").read_text()


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_of_what_is_held_out_no_soft_labels_are_learnt(taught, form):
    place = taught(form)
    data = load_labelled(place, "train", TINY.classes, 8)
    rest, held_out = hold_out(data, seed=3)
    whole = load_soft_labels(place, "train", TINY, data).logits[:, 0].astype(int)
    assert sorted(whole) == list(range(64))
    # The first image of the set has the class 0, the second 1, and so on.
    np.testing.assert_array_equal(whole % 6, data.labels)
    found = load_soft_labels(place, "train", TINY, rest).logits[:, 0].astype(int)
    np.testing.assert_array_equal(found, whole[rest.chosen])
    assert len(rest) + len(held_out) == 64


def test_a_set_and_its_soft_labels_are_enough_to_learn_from(learn, weights, tmp_path):
    words = [
        "synthesize", "--model", "tiny", "--weights", weights[0], "--per-class", "6",
        "--batch-size", "18", "--steps", "1", "--soft-labels",
    ]  # fmt: skip
    place, real = tmp_path / "set", real_images(tmp_path)
    assert main([*words, "--devices", "1", "--out", str(place)]) == 0
    status, card = learn("--data", place, "--test", real, "--soft-labels")
    assert status == 0
    teacher = load_classifier("tiny", weights[0])
    assert card["soft_labels"] == {"teacher": "tiny", "sha256": teacher.sha256}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": 63}, "holds logits of 63 images, which are not the 64 of the set"),
        ({"classes": (*TINY.classes, "lynx")}, "'lynx' is named after no class of"),
        ({"classes": TINY.classes[:5]}, "logits of 5 classes, the model has 6"),
    ],
)
def test_soft_labels_of_another_set_are_refused(
    taught, learn, tmp_path, capsys, options, message
):
    status, _ = learn("--data", taught(**options), "--soft-labels")
    said = capsys.readouterr().err.splitlines()
    assert status == 2 and message in said[-1]
    # What is held out is told before.
    assert len(said) == 2 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "real", "message"),
    [
        (["--soft-labels"], {}, "real.npz has no soft labels: expected soft_labels-tr"),
        (["--real", "other.npz"], {"size": 16}, "images of 8x8 pixels, found 16x16"),
        (["--real", "other.npz"], {"classes": 9}, "labels must lie in 0..5"),
        (["--real", "other.npz", "--real-split", "val"], {}, "no x_val and no y_val"),
    ],
)
def test_what_cannot_be_measured_or_learnt_is_one_line(
    learn, tmp_path, monkeypatch, capsys, words, real, message
):
    monkeypatch.chdir(tmp_path)
    real_images(tmp_path, **real).rename(tmp_path / "other.npz")
    status, _ = learn("--data", real_images(tmp_path), "--batch-size", "4", *words)
    said = capsys.readouterr().err
    assert status == 2 and said.count("\n") == 1 and message in said
    assert not (tmp_path / "out").exists()


def test_what_was_trained_loads_in_pytorch_by_its_keys(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file
    from torch_thin_resnet import ThinResNet

    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    arrays = {f"x_{split}": images for split in ("train", "test")}
    arrays |= {f"y_{split}": np.arange(20) % 10 for split in ("train", "test")}
    np.savez(tmp_path / "set.npz", **arrays)
    words = [
        "train", "--data", str(tmp_path / "set.npz"), "--model", "cifar10_resnet8",
        "--epochs", "1", "--batch-size", "10", "--devices", "1",
    ]  # fmt: skip
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    path = tmp_path / "out" / "cifar10_resnet8.safetensors"
    theirs, ours = ThinResNet(1).eval(), load_classifier("cifar10_resnet8", path)
    theirs.load_state_dict(load_file(path))
    inputs = np.asarray(ours.normalise(images / np.float32(255)))
    with torch.no_grad():
        expected = theirs(torch.from_numpy(inputs).permute(0, 3, 1, 2)).numpy()
    found = ours.logits(ours.variables, inputs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
