import json
import shutil
import signal
import time
from itertools import count

import jax
import numpy as np
import pytest
from PIL import Image
from tiny_main import start

from jinv.cli.main import main
from jinv.engine.events import Logged
from jinv.models.loading import make_classifier
from jinv.models.weights.state_dict import to_state_dict
from jinv.models.weights.writing import write_weights
from jinv.models.zoo import classifier_spec
from jinv.report.run_folder import RunFolder

pytestmark = pytest.mark.usefixtures("small_zoo")


def options(weights, folder):
    """A quick run's options."""
    return [
        "invert", "--model", "tiny", "--weights", weights[0], "--classes", "cat,dog",
        "--images", "6", "--batch-size", "6", "--company", "0", "--steps", "6",
        "--devices", "1", "--log-every", "2", "--out", str(folder),
    ]  # fmt: skip


@pytest.fixture
def base(weights, tmp_path):
    return options(weights, tmp_path / "run")


@pytest.fixture(scope="module")
def finished(small_zoo, weights, tmp_path_factory):
    """A run that has ended."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    assert main(options(weights, folder)) == 0
    return folder


@pytest.fixture
def run(finished, tmp_path):
    """A copy of it, where `base` goes."""
    return shutil.copytree(finished, tmp_path / "run")


def contents(folder):
    return {p.name: p.read_bytes() for p in (folder / "images").iterdir()}


def test_a_run_leaves_everything(base, weights, tmp_path, capsys):
    words = ["--judge", "other", "--judge-weights", weights[1]]
    assert main([*base, *words]) == 0
    run = tmp_path / "run"
    assert sorted(p.name for p in run.iterdir()) == [
        "config.json", "curves.png", "evolution.webp", "grid.png", "images",
        "index.html", "metrics.jsonl", "summary.json",
    ]  # fmt: skip
    names = sorted(p.name for p in (run / "images").iterdir())
    assert names[:2] == ["00000_cat.png", "00001_dog.png"] and len(names) == 6
    assert Image.open(run / "images" / names[0]).size == (8, 8)
    config = json.loads((run / "config.json").read_text())
    assert config["inversion"]["settings"]["steps"] == [6]
    assert len(config["inversion"]["weights_sha256"]) == 64
    rows = [json.loads(row) for row in (run / "metrics.jsonl").read_text().splitlines()]
    assert [(row["phase"], row["step"]) for row in rows] == [
        (phase, step) for phase in (0, 1) for step in (2, 4, 6)
    ]
    for row in rows:
        weighted = sum(term["weighted"] for term in row["terms"].values())
        np.testing.assert_allclose(weighted, row["loss"], rtol=1e-5)
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["judge"]["name"] == "other"
    assert 0 <= summary["teacher"]["top1"] <= summary["teacher"]["top5"] <= 1
    assert summary["classifier_passes"] == 6 * 12
    assert {"compiling", "running", "total"} == set(summary["seconds"])
    assert "index.html" in capsys.readouterr().err


def test_a_network_for_grey_images_yields_grey_files(tmp_path):
    classifier = make_classifier(classifier_spec("mnist_fc"))
    file, run = tmp_path / "fc.safetensors", tmp_path / "run"
    write_weights(file, to_state_dict(jax.device_get(classifier.variables)), {})
    words = [
        "invert", "--model", "mnist_fc", "--weights", str(file), "--classes", "3,7",
        "--images", "4", "--steps", "4", "--warmup", "0", "--devices", "1",
        "--out", str(run),
    ]  # fmt: skip
    assert main(words) == 0
    images = [Image.open(path) for path in sorted((run / "images").iterdir())]
    assert {(image.mode, image.size) for image in images} == {("L", (28, 28))}
    assert np.asarray(images[0]).std() > 1
    for name in ("grid.png", "evolution.webp", "index.html"):
        assert (run / name).is_file()
    summary = json.loads((run / "summary.json").read_text())
    assert summary["classes"] == ["3", "7"] and summary["teacher"]["name"] == "mnist_fc"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--classes", "cst"], "unknown class 'cst' (did you mean cat?)"),
        (["--classes", "9"], "out of range: the classes are 0..5"),
        (["--model", "resnet5O"], "did you mean resnet50"),
        (["--model", "cifar10_resnet20"], "tensor"),
        (["--images", "0"], "--images: expected a whole number from 1"),
        (["--steps", "-3"], "--steps: expected a list of whole numbers from 1"),
        (["--batch-size", "5", "--devices", "2"], "4 or 6, or --devices 1"),
        (["--weights", "nowhere.npz"], "no weights file at nowhere.npz"),
        (["--preset", "technon"], "did you mean technion"),
        (["--judge", "stranger"], "no published weights"),
        (["--judge", "tiny"], "no published weights"),
        (["--resume", "--overwrite"], "not both"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    base, tmp_path, capsys, words, message
):
    assert main([*base, *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_judge_must_be_another_network_and_know_the_classes(base, weights, capsys):
    same = ["--judge", "other", "--judge-weights", weights[0]]
    assert main([*base, *same]) == 2
    assert "took no part" in capsys.readouterr().err
    stranger = ["--judge", "stranger", "--judge-weights", weights[1]]
    assert main([*base, *stranger]) == 2
    assert "does not know the class 'cat'" in capsys.readouterr().err


def test_a_finished_run_is_left_as_it_is(base, run, capsys):
    before = contents(run)
    log = (run / "metrics.jsonl").read_bytes()
    for words in ([], ["--resume"]):
        assert main([*base, *words]) == 0
        said = capsys.readouterr().err
        assert "finished: there is nothing to do" in said and "index.html" in said
    assert contents(run) == before
    assert (run / "metrics.jsonl").read_bytes() == log


def test_another_run_needs_a_decision(base, run, capsys):
    before = contents(run)
    assert main([*base, "--seed", "1"]) == 2
    said = capsys.readouterr().err
    assert "another configuration (seed: 0 there, 1 now)" in said
    assert "--overwrite" in said
    assert main([*base, "--lr", "0.3", "--resume"]) == 2
    assert "(lr: 0.1 there, 0.3 now)" in capsys.readouterr().err
    assert contents(run) == before
    assert main([*base, "--seed", "1", "--overwrite"]) == 0
    assert contents(run) != before


def test_a_folder_with_other_files_is_left_alone(base, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    assert main([*base, "--overwrite"]) == 2
    assert "holds files, but no run" in capsys.readouterr().err
    assert (tmp_path / "run" / "thesis.tex").read_text() == "precious"


def test_divergence_keeps_the_last_finite_images_and_exits_1(base, tmp_path, capsys):
    words = ["--optimizer", "sgd", "--lr", "1e30", "--no-clip"]
    assert main([*base, *words]) == 1
    assert "no longer finite" in capsys.readouterr().err
    assert len(contents(tmp_path / "run")) == 6
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["status"] == "diverged"


def wait_for(path, lines, process):
    deadline = time.monotonic() + 120
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)


LONG = ["--steps", "200", "--checkpoint-every", "50"]


@pytest.fixture(scope="module")
def whole(small_zoo, weights, tmp_path_factory):
    """The images of a run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert main([*options(weights, folder), *LONG]) == 0
    return contents(folder)


def finish(base, run):
    """Give the same command again; returns the images."""
    assert main([*base, *LONG]) == 0
    rows = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    reached = [(row["phase"], row["step"]) for row in rows]
    assert reached == [(s, step) for s in (0, 1) for step in range(2, 201, 2)]
    return contents(run)


def test_a_killed_run_goes_on_to_the_same_images(base, whole, tmp_path):
    process = start(*base, *LONG)
    wait_for(tmp_path / "run" / "metrics.jsonl", 60, process)
    process.kill()
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert finish(base, tmp_path / "run") == whole


def test_so_does_one_that_sigterm_ends_with_a_page(base, whole, tmp_path, monkeypatch):
    run, rows = tmp_path / "run", count(1)
    write = RunFolder.on_event

    def on_event(folder, event):
        write(folder, event)
        if isinstance(event, Logged) and next(rows) == 60:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "on_event", on_event)
        assert main([*base, *LONG]) == 128 + signal.SIGTERM
    summary = json.loads((run / "summary.json").read_text())
    assert summary["status"] == "interrupted"
    assert len(contents(run)) == 6 and (run / "index.html").is_file()
    assert finish(base, run) == whole


def test_stages_may_have_steps_of_their_own(base, tmp_path):
    assert main([*base, "--steps", "3,5", "--resolutions", "4,8"]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    settings = config["inversion"]["settings"]
    assert (settings["steps"], settings["resolutions"]) == ([3, 5], [4, 8])


def test_help_names_units_and_defaults(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["invert", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for flag in ("--w-bn", "--w-tv2", "--bn-scope", "--checkpoint-every"):
        assert flag in text
    assert "in pixels" in text and "default" in text


def test_unknown_commands_and_options_are_refused(capsys):
    assert main(["invret"]) == 2
    assert "did you mean invert" in capsys.readouterr().err
    assert main(["invert", "--stepps", "3"]) == 2
    said = capsys.readouterr().err
    assert "--stepps, 3 (did you mean --steps" in said and said.count("\n") == 1


def test_classes_may_have_other_names(base, tmp_path):
    names = tmp_path / "names.txt"
    names.write_text("\n".join(["ant", "bee", "cow", "doe", "eel", "fox"]))
    words = ["--class-names", str(names), "--classes", "cow,fox"]
    assert main([*base, *words]) == 0
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["classes"] == ["cow", "fox"]


def test_names_for_another_number_of_classes_are_refused(base, capsys):
    assert main([*base, "--class-names", "cat,dog"]) == 2
    assert "tell 6 classes apart, not 2" in capsys.readouterr().err
