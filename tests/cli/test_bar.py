import io

from rich.console import Console

from jinv.cli.bar import Bar
from jinv.engine.events import Far


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
