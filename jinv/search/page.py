"""The page about a search: one file that needs nothing else."""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from jinv.report.evaluation_table import MISSING, spread
from jinv.report.html import (
    card,
    card_row,
    configuration,
    count,
    duration,
    picture,
    wide_table,
    write_html,
)
from jinv.search.plan import Plan
from jinv.search.results import Results, Trial

_LINES = (
    "How to read this: each line is a trial, from the value of each setting on its "
    "axis to the objective on the right, where better is higher. The orange line is "
    "the best trial, the dashed one the settings that the search started from; darker "
    "lines are better than paler ones, and grey ones were ended early. Where good "
    "lines meet, the setting matters; where they lie anywhere, it does not."
)
_CAUTION = (
    "The best of many trials owes a part of its value to chance: all were judged by "
    "the same few images. Try it with another seed, and with more images, before it "
    "replaces anything."
)


def write_search_page(folder: Path, plan: Plan, results: Results) -> Path:
    """Write `index.html` from a search's results, and the pictures in its folder.

    Args:
        folder: Folder with any of `parallel_coordinates.png` and `images/trial-*.png`.
        plan: Plan of the search.
        results: Results so far.

    Returns:
        Path of the page.
    """
    pictured = {"Best": results.best, "Start": results.baseline}
    if results.best is results.baseline:
        del pictured["Best"]
    sections = (
        _headline(plan, results),
        card_row(_cards(results)),
        _caution(results),
        picture(
            folder / "parallel_coordinates.png",
            "Settings and objective",
            "Lines from settings to the objective",
            _LINES,
            kind="sheet figure",
        ),
        _table(results),
        *(_images(folder, title, trial) for title, trial in pictured.items() if trial),
        configuration({**plan.describe(), "labels": count(plan.job.count, "image")}),
    )
    return write_html(folder / "index.html", _title(plan), sections)


def _title(plan: Plan) -> str:
    return f"Search on {plan.job.classifier.spec.name}"


def _headline(plan: Plan, results: Results) -> str:
    metric = plan.objective.metric
    facts = [
        count(len(results.trials), "trial"),
        f"{count(plan.job.count, 'image')} each",
        f"{duration(sum(trial.seconds for trial in results.trials))} in all",
    ]
    if results.running:
        facts.append(f'<span class="status">{results.running} running</span>')
    conclusion = results.conclusion()
    return (
        f"<header>\n<h1>{escape(_title(plan))}</h1>\n<p>{' · '.join(facts)}</p>\n"
        f"<p>{escape(conclusion[0].upper() + conclusion[1:])}.</p>\n"
        f'<p class="pale">{escape(metric.title)}: {escape(metric.about)}; '
        f"{metric.better} is better.</p>\n</header>\n"
    )


def _cards(results: Results) -> Iterator[str]:
    shown = {"Best": results.best, "Start": results.baseline}
    for title, trial in shown.items():
        if trial is not None and trial.value is not None:
            ends = {"value": trial.value, "low": trial.low, "high": trial.high}
            notes = [
                f"trial {trial.number}",
                spread(ends, results.objective.metric.unit),
            ]
            yield card(
                title,
                escape(results.text(trial)),
                escape(" · ".join(filter(None, notes))),
            )
    early = [trial for trial in results.trials if trial.state == "pruned"]
    failed = [trial for trial in results.trials if trial.state == "failed"]
    yield card(
        "Complete",
        f"{len(results.complete)} of {len(results.trials)}",
        f"{len(early)} pruned, {len(failed)} failed",
    )


def _caution(results: Results) -> str:
    if results.best is results.baseline or results.baseline is None:
        return ""
    return f'<div class="warnings"><b>Mind</b>\n<p>{_CAUTION}</p></div>\n'


def _table(results: Results) -> str:
    if not results.trials:
        return ""
    header, rows = results.table()
    table = wide_table(
        map(escape, header),
        ([escape(text or MISSING) for text in row] for row in rows),
        led=True,
    )
    return f"<section>\n<h2>Trials, the best first</h2>\n{table}</section>\n"


def _images(folder: Path, title: str, trial: Trial) -> str:
    return picture(
        picture_of(folder, trial.number),
        f"{title}: images of trial {trial.number}",
        f"Images made by trial {trial.number}",
    )


def picture_of(folder: Path, number: int) -> Path:
    """Path of the picture of a trial's images."""
    return folder / "images" / f"trial-{number:03d}.png"
