import builtins
import csv
import json
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image
from tiny_main import start

from jinv.cli.main import main
from jinv.inversion.presets import find_preset

pytestmark = pytest.mark.usefixtures("small_zoo")


def options(weights, folder):
    """A quick search over two fields, by trials of two batches."""
    return [
        "search", "--model", "tiny", "--weights", weights[0], "--images", "12",
        "--batch-size", "6", "--steps", "4", "--resolutions", "8", "--devices", "1",
        "--judge", "other", "--judge-weights", weights[1],
        "--over", "lr=0.01..1:log", "w_tv2=0,0.3,3", "--trials", "3",
        "--out", str(folder),
    ]  # fmt: skip


@pytest.fixture
def base(weights, tmp_path):
    return options(weights, tmp_path / "search")


def rows_of(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shared(small_zoo, weights, tmp_path_factory):
    """A search that two workers have shared."""
    folder = tmp_path_factory.mktemp("shared") / "search"
    other = start(*options(weights, folder))
    # Neither is to find that the other has done it all.
    while not (folder / "study.db").is_file():
        assert other.poll() is None, other.stderr.read().decode()
        time.sleep(0.05)
    assert main(options(weights, folder)) == 0
    said = other.communicate(timeout=300)[1].decode()
    assert other.returncode == 0, said
    return folder


def test_two_workers_share_a_search(shared):
    rows = rows_of(shared)
    assert len(rows) == 3 and len({row["lr"] for row in rows}) == 3
    assert [row["trial"] for row in rows if row["baseline"] == "True"] == ["0"]
    assert (rows[0]["lr"], rows[0]["w_tv2"]) == ("0.1", "0.3")
    assert {path.name for path in shared.iterdir()} == {
        "best.json", "config.json", "images", "index.html",
        "parallel_coordinates.png", "study.db", "trials.csv",
    }  # fmt: skip
    complete = [row for row in rows if row["state"] == "complete"]
    assert len(list((shared / "images").iterdir())) == len(complete) > 0


def test_the_best_settings_are_a_preset_for_invert(shared, weights, tmp_path, capsys):
    complete = [row for row in rows_of(shared) if row["value"]]
    best = max(float(row["value"]) for row in complete)
    preset = find_preset(str(shared / "best.json"))
    (found,) = [row for row in complete if float(row["lr"]) == preset.method.lr]
    assert float(found["value"]) == best
    assert preset.method.steps == (4,) and preset.batch_size == 6
    words = ["invert", "--model", "tiny", "--weights", weights[0], "--images", "6"]
    words += ["--preset", str(shared / "best.json"), "--devices", "1"]
    words += ["--steps", "2", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    said = "".join(capsys.readouterr().err.split())
    assert "jinvsearchoverlr,w_tv2:trial" in said
    used = (tmp_path / "run" / "config.json").read_text()
    assert f'"lr": {preset.method.lr}' in used
    assert f'"w_tv2": {preset.method.w_tv2}' in used


def test_a_search_goes_on_and_no_other_may(shared, weights, capsys):
    words = options(weights, shared)
    before = {path: path.read_bytes() for path in shared.rglob("*.*")}
    assert main([*words, "--seed", "1"]) == 2
    assert "another configuration (seed: 0 there, 1 now)" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in shared.rglob("*.*")} == before
    old = rows_of(shared)
    assert main([*words, "--trials", "4"]) == 0
    assert "4 of 4 done" in capsys.readouterr().err
    assert rows_of(shared)[:3] == old and len(rows_of(shared)) == 4


def test_ctrl_c_ends_a_search_that_can_go_on(base, tmp_path, capsys, monkeypatch):
    def begin(worker, number, job):
        os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr("jinv.cli.search._Worker.begin", begin)
        assert main(base) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert rows_of(tmp_path / "search") == []
    assert main([*base, "--trials", "1"]) == 0
    assert [row["baseline"] for row in rows_of(tmp_path / "search")] == ["True"]


def test_an_objective_may_compare_with_real_images(base, tmp_path, capsys):
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    real = tmp_path / "real.npz"
    np.savez(real, x_train=images, y_train=np.arange(20) % 6)
    words = [*base, "--trials", "1", "--objective", "fid"]
    words += ["--real", str(real), "--real-images", "15", "--extractor"]
    assert main([*words, f"other={base[base.index('--judge-weights') + 1]}"]) == 0
    said = capsys.readouterr().err
    assert "real images: 15 of 20 seen" in said and "lowest FID" in said
    assert float(rows_of(tmp_path / "search")[0]["value"]) > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--over", "w_tv=0,1"], "did you mean w_tv2"),
        (["--over", "lr=-1..1"], "lr: expected a number over 0"),
        (["--sampler", "grid"], "lr=0.01..1:log is a range"),
        (["--grid", "technion"], "give --over or --grid, not both"),
        (["--grid", "tecnion"], "did you mean technion?"),
        (["--trials", "0"], "--trials: expected a whole number from 1"),
        (["--objective", "fjd"], "unknown objective 'fjd' (did you mean fid?)"),
        (["--objective", "fid"], "the objective fid needs real images: --real"),
        (["--storage", "nonsense"], "no database address: 'nonsense'"),
        (
            ["--storage", "sqlite:///ours.db", "--overwrite"],
            "would remove the study 'search' from a database that others may share",
        ),
        (
            ["--storage", "sqlite:////nowhere/at/all.db"],
            "there is no /nowhere/at",
        ),
    ],
)
def test_bad_input_is_one_line_and_touches_nothing(
    base, tmp_path, capsys, words, message
):
    if words[0] == "--over":
        place = base.index("--over")
        del base[place : place + 3]
    assert main([*base, *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert not (tmp_path / "search").exists()


def test_a_folder_with_other_files_is_left_alone(base, tmp_path, capsys):
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "thesis.tex").write_text("precious")
    assert main([*base, "--overwrite"]) == 2
    assert "holds files, but no search" in capsys.readouterr().err
    assert [p.name for p in (tmp_path / "search").iterdir()] == ["thesis.tex"]


def test_without_optuna_it_says_how_to_get_it(base, tmp_path, capsys, monkeypatch):
    real_import = builtins.__import__

    def no_optuna(name, *rest):
        if name == "jinv.search.storage":
            raise ModuleNotFoundError("No module named 'optuna'", name="optuna")
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", no_optuna)
    assert main(base) == 2
    assert "pip install 'jinv[search]'" in capsys.readouterr().err


@pytest.fixture
def of_photographs(weights, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        image = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    return [
        "search", "--reconstruct", str(tmp_path / "one.png"), str(tmp_path / "two.png"),
        "--layers", "stage1", "--model", "tiny", "--weights", weights[0],
        "--steps", "3", "--devices", "1", "--out", str(tmp_path / "search"),
    ]  # fmt: skip


def test_a_search_takes_the_error_of_reconstructions(of_photographs, tmp_path, capsys):
    words = [*of_photographs, "--over", "lr=1e-6,0.1", "--sampler", "grid"]
    assert main([*words, "--lr", "1e-6"]) == 0
    folder = tmp_path / "search"
    found = {float(row["lr"]): float(row["value"]) for row in rows_of(folder)}
    assert found[0.1] < found[1e-6] and set(found) == {0.1, 1e-6}
    assert "‖Φ - Φ₀‖² / ‖Φ₀‖²" in (folder / "index.html").read_text()
    assert len(list((folder / "images").iterdir())) == 2
    best = folder / "best.json"
    again = ["reconstruct", *of_photographs[2:4], *of_photographs[4:-1]]
    assert main([*again, str(tmp_path / "run"), "--preset", str(best)]) == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["inversion"]["settings"]["lr"] == 0.1
    capsys.readouterr()
    for more in ("--classes cat", "--judge other", "--objective fid", "--lr 1 --w-x 1"):
        assert main([*words, *more.split()]) == 2
        assert capsys.readouterr().err.count("\n") == 1
