import json
import random
import shutil
import signal
import socket
import time
from itertools import count

import numpy as np
import pytest
from PIL import Image
from tiny_main import start

from jinv.cli.main import main
from jinv.engine.events import Logged
from jinv.synthesis.synthetic_set import SyntheticSet

pytestmark = pytest.mark.usefixtures("small_zoo")


def options(weights, folder):
    """A quick synthesis of four batches."""
    return [
        "synthesize", "--model", "tiny", "--weights", weights[0], "--per-class", "4",
        "--batch-size", "6", "--steps", "6", "--devices", "1", "--log-every", "2",
        "--judge", f"other={weights[1]}", "--out", str(folder),
    ]  # fmt: skip


@pytest.fixture
def base(weights, tmp_path):
    return options(weights, tmp_path / "set")


@pytest.fixture(scope="module")
def finished(small_zoo, weights, tmp_path_factory):
    """A set that is complete."""
    folder = tmp_path_factory.mktemp("finished") / "set"
    assert main(options(weights, folder)) == 0
    return folder


@pytest.fixture
def made(finished, tmp_path):
    """A copy of it, where `base` goes."""
    return shutil.copytree(finished, tmp_path / "set")


def contents(folder):
    """All that a set is, less what says how long it took."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "summary.json"
    }


def rows_of(folder):
    lines = (folder / "train" / "metadata.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_set_has_images_a_card_and_an_account_of_each(base, tmp_path):
    assert main(base) == 0
    folder = tmp_path / "set"
    assert sorted(p.name for p in folder.iterdir()) == [
        "README.md", "config.json", "grid.png", "summary.json", "train",
    ]  # fmt: skip
    rows = rows_of(folder)
    assert [row["image"] for row in rows] == list(range(24))
    assert [row["batch"] for row in rows] == [n // 6 for n in range(24)]
    for row in rows:
        with Image.open(folder / "train" / row["file_name"]) as image:
            assert image.size == (8, 8)
        assert row["file_name"].split("/")[0] == row["class"]
        assert {"teacher_cross_entropy", "judge_class", "batch_bn"} <= set(row)
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["classes"] == dict.fromkeys(
        ("apple", "boat", "cat", "dog", "egg", "fish"), 4
    )
    assert summary["classifier_passes"] == 24 * 12
    share = np.mean([row["judge_accepts"] for row in rows])
    assert summary["judge"]["top1"] == pytest.approx(share)
    card = (folder / "README.md").read_text()
    assert summary["teacher"]["sha256"] in card and "24 of 24 made" in card


def test_the_batches_of_a_set_differ(finished):
    files = sorted((finished / "train" / "cat").iterdir())
    assert len({file.read_bytes() for file in files}) == 4


def test_a_finished_set_is_left_as_it_is(base, made, capsys):
    before = contents(made)
    assert main(base) == 0
    assert "0 to do here" in capsys.readouterr().err
    assert contents(made) == before


def test_another_configuration_is_refused(base, made, capsys):
    before = contents(made)
    assert main([*base, "--seed", "1"]) == 2
    assert "another configuration (seed: 0 there, 1 now)" in capsys.readouterr().err
    assert main([*base, "--form", "npz"]) == 2
    assert "form: folder there, npz now" in capsys.readouterr().err
    assert contents(made) == before
    assert not (made / "parts").exists()
    (made / "notes.txt").write_text("precious")
    assert main([*base, "--seed", "1", "--overwrite"]) == 0
    after = contents(made)
    assert after.pop("notes.txt") and after.keys() == before.keys() and after != before


def test_a_folder_with_other_files_is_left_alone(base, tmp_path, capsys):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.tex").write_text("precious")
    assert main([*base, "--overwrite"]) == 2
    assert "holds files, but no synthetic set" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["thesis.tex"]


def test_only_what_the_judge_recognises_is_kept(base, tmp_path):
    assert main([*base, "--accepted-only"]) == 0
    rows = rows_of(tmp_path / "set")
    assert 0 < len(rows) < 24
    assert all(row["judge_class"] == row["class"] for row in rows)
    images = list((tmp_path / "set" / "train").rglob("*.png"))
    assert len(images) == len(rows)


def test_the_best_of_each_class_are_those_the_judge_is_surest_of(
    base, finished, tmp_path
):
    assert main([*base, "--best", "2"]) == 0
    everything, best = rows_of(finished), rows_of(tmp_path / "set")
    for name in ("apple", "fish"):
        ranked = sorted(
            (row for row in everything if row["class"] == name),
            key=lambda row: row["judge_cross_entropy"],
        )
        chosen = {row["image"] for row in best if row["class"] == name}
        assert chosen == {row["image"] for row in ranked[:2]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--images", "6"], "not both"),
        (["--shard", "4/4"], "I from 0 to N - 1"),
        (["--best", "0"], "--best: expected a whole number from 1"),
        (["--split", "../train"], "a plain name"),
        (["--hosts", "nonsense"], "expected auto, or ADDRESS:PORT,I/N"),
        (["--classes", "cst"], "did you mean cat?"),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    base, tmp_path, capsys, words, message
):
    assert main([*base, *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "set").exists()


def test_how_many_must_be_said(base, capsys):
    words = [word for word in base if word not in ("--per-class", "4")]
    assert main(words) == 2
    assert "give --per-class N or --images N" in capsys.readouterr().err


LONG = ["--steps", "80", "--checkpoint-every", "30"]


@pytest.fixture(scope="module")
def whole(small_zoo, weights, tmp_path_factory):
    """A set that nothing interrupts, made by one process."""
    folder = tmp_path_factory.mktemp("whole") / "set"
    assert main([*options(weights, folder), *LONG]) == 0
    return contents(folder)


def test_a_set_stopped_and_then_killed_is_the_same_byte_for_byte(
    base, whole, tmp_path, monkeypatch
):
    draw, made, rows = random.Random(time.time_ns()), tmp_path / "set", count(1)
    last, write = draw.randint(1, 80), SyntheticSet.on_event

    def on_event(growing, event):
        write(growing, event)
        if isinstance(event, Logged) and next(rows) == last:
            signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(SyntheticSet, "on_event", on_event)
        assert main([*base, *LONG]) == 128 + signal.SIGTERM
    process = start(*base, *LONG)
    # At a random moment after the third batch has begun.
    deadline = time.monotonic() + 120
    while len(list((made / "parts").glob("*.npz"))) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(draw.uniform(0, 0.2))
    process.kill()
    process.communicate(timeout=60)
    assert main([*base, *LONG]) == 0
    assert contents(made) == whole


def test_two_shards_in_two_processes_make_the_same_set(base, whole, tmp_path):
    other = start(*base, *LONG, "--shard", "1/2")
    assert main([*base, *LONG, "--shard", "0/2"]) == 0
    said = other.communicate(timeout=300)[1].decode()
    assert other.returncode == 0, said
    assert contents(tmp_path / "set") == whole


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_two_hosts_of_four_devices_each_make_the_images_of_one(base, tmp_path):
    place = base.index("--per-class")
    base[place : place + 2] = ["--images", "8"]
    base += ["--batch-size", "8", "--resolutions", "8"]
    assert main(base) == 0
    words = [*base, "--devices", "8", "--out", str(tmp_path / "together")]
    address = f"127.0.0.1:{free_port()}"
    hosts = [start(*words, "--hosts", f"{address},{i}/2", devices=4) for i in (0, 1)]
    for process in hosts:
        said = process.communicate(timeout=300)[1].decode()
        assert process.returncode == 0, said
    alone, together = tmp_path / "set" / "train", tmp_path / "together" / "train"
    files = sorted(alone.rglob("*.png"))
    assert len(files) == 8
    for file in files:
        one, other = (
            np.asarray(Image.open(path), int)
            for path in (file, together / file.relative_to(alone))
        )
        # Sums over devices may round another way.
        assert np.abs(one - other).max() <= 1


def test_a_process_per_device_cannot_span_hosts(base, capsys, monkeypatch):
    monkeypatch.setattr("jax.process_count", lambda: 2)
    assert main([*base, "--parallel", "pmap"]) == 2
    assert "--parallel jit" in capsys.readouterr().err
