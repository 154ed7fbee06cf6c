import io

import pytest
from rich.console import Console

from jinv.cli.bar import Bar
from jinv.cli.progress import LessonProgress
from jinv.cli.student_progress import StudentProgress
from jinv.engine.events import Begun, Far, Learning, Logged


def test_what_comes_before_the_first_step_says_nothing_of_the_pace(monkeypatch):
    clock = iter([1000, 1500, 1520])
    monkeypatch.setattr("jinv.cli.bar.time.monotonic", lambda: next(clock))
    said = io.StringIO()
    bar = Bar(Console(file=said))
    bar.say(Far(0, 100), "rehearsing")
    bar.say(Far(0, 100), "rehearsing")
    bar.say(Far(10, 100), "learning")
    bar.close()
    assert said.getvalue().splitlines() == [
        "step 0/100: rehearsing",
        "step 0/100: rehearsing",
        "step 10/100: learning, about 0:03:00 left",  # 2 seconds a step
    ]


@pytest.mark.parametrize(
    "make", [StudentProgress, lambda console: LessonProgress(console, "round", 4, str)]
)
def test_what_was_done_before_a_stop_says_nothing_of_the_pace(make, monkeypatch):
    clock = iter([1000, 1020])
    monkeypatch.setattr("jinv.cli.bar.time.monotonic", lambda: next(clock))
    said = io.StringIO()
    with make(Console(file=said)) as progress:
        progress.on_event(Begun(Far(50, 100)))
        for done in (51, 61):
            row = {"loss": 1.0, "agreement": 50.0}
            progress.on_event(Learning(row, Far(done, 100)))
    assert said.getvalue().splitlines()[-1].endswith("about 0:01:18 left")  # 2 s each


def test_a_student_whose_images_are_made_first_is_where_it_was_left(monkeypatch):
    clock = iter([1000, 1030, 1050])
    monkeypatch.setattr("jinv.cli.bar.time.monotonic", lambda: next(clock))
    said = io.StringIO()
    with StudentProgress(Console(file=said)) as progress:
        progress.on_event(Begun(Far(50, 100)))
        for _ in range(2):
            progress.on_event(Logged({"batch": 7, "loss": 1.0}, Far(3, 9)))
        row = {"loss": 1.0, "agreement": 50.0}
        progress.on_event(Learning(row, Far(60, 100)))
    assert said.getvalue().splitlines() == [
        "step 50/100: making images",
        "step 50/100: making images",
        "step 60/100: loss 1, agrees 50 %, about 0:01:20 left",
    ]
