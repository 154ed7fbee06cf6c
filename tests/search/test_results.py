import csv

import numpy as np
import pytest
from PIL import Image

from jinv.inversion.deep import DeepInversion
from jinv.metrics.bootstrap import Estimate
from jinv.metrics.table import METRICS, top1_of
from jinv.search.objective import Objective
from jinv.search.parallel_coordinates import plot_parallel_coordinates
from jinv.search.results import Results, Trial, write_csv
from jinv.search.space import parse_space

SPACE = parse_space(["lr=0.05..0.4:log", "steps=500/100,900"], DeepInversion)
TOP1 = top1_of("judge")


def objective(metric=TOP1):
    return Objective("top1", metric, {}, lambda *_: Estimate(0.0))


def trial(number, value, lr=0.1, steps=(900,), **facts):
    state = "pruned" if value is None else "complete"
    return Trial(number, state, {"lr": lr, "steps": steps}, value, **facts)


TRIALS = (
    trial(0, 0.5, lr=0.5, baseline=True),
    trial(1, None, note="10.0 % after 20 images"),
    trial(2, 0.75, lr=0.2, steps=(500, 100), low=0.6, high=0.9, images=40),
    trial(3, 0.5, lr=0.07),
)


def test_the_best_comes_first_and_of_equals_the_start():
    ranked = Results(TRIALS, SPACE, objective()).ranked
    assert [trial.number for trial in ranked] == [2, 0, 3, 1]
    ranked = Results(TRIALS, SPACE, objective(METRICS["fid"])).ranked
    assert [trial.number for trial in ranked] == [0, 3, 2, 1]


def test_the_table_tells_what_became_of_each_trial():
    header, rows = Results(TRIALS, SPACE, objective()).table()
    assert header[:2] == ["trial", "Top-1 of judge"]
    assert rows[0][:5] == ["2", "75.0 %", "60.0 – 90.0 %", "0.2", "500/100"]
    assert rows[1][-1] == "where the search started"
    assert rows[-1][1] == "pruned" and rows[-1][-1] == "10.0 % after 20 images"


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        (TRIALS, "trial 2 is the best: 75.0 %, where the settings that"),
        (TRIALS[:2], "no other trial (1) is better than the settings that"),
        (TRIALS[1:2], "no trial is complete yet"),
        (TRIALS[2:], "trial 2 is the best: 75.0 %"),
    ],
)
def test_the_conclusion_compares_with_the_start(trials, words):
    assert words in Results(trials, SPACE, objective()).conclusion()


def test_the_csv_has_every_trial_with_all_digits(tmp_path):
    write_csv(tmp_path / "trials.csv", Results(TRIALS, SPACE, objective()))
    with (tmp_path / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["trial"] for row in rows] == ["0", "1", "2", "3"]
    assert rows[2]["steps"] == "500/100" and rows[2]["value"] == "0.75"
    assert rows[1]["state"] == "pruned" and rows[1]["value"] == ""


@pytest.mark.parametrize("metric", [TOP1, METRICS["fid"]])
def test_the_plot_shows_each_trial(tmp_path, metric):
    def ink(trials):
        path = tmp_path / "plot.png"
        plot_parallel_coordinates(path, Results(trials, SPACE, objective(metric)))
        with Image.open(path) as image:
            return (np.asarray(image.convert("RGB")) < 250).any(-1).sum()

    assert ink(TRIALS[:1]) < ink(TRIALS[:2]) < ink(TRIALS[:3]) < ink(TRIALS)


def test_there_is_no_plot_before_a_trial_is_complete(tmp_path):
    results = Results(TRIALS[1:2], SPACE, objective())
    plot_parallel_coordinates(tmp_path / "plot.png", results)
    assert not list(tmp_path.iterdir())
