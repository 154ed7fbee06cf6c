"""The page about a student, or about any training: one file that needs nothing else."""

from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from jinv.data.npz_set import NPZ
from jinv.data.sets import batch_numbers_of
from jinv.errors import ConfigError, FolderError
from jinv.formats.archives import read_npz
from jinv.report.evaluation_table import MISSING
from jinv.report.facts import number, text
from jinv.report.html import (
    card,
    card_row,
    command,
    configuration,
    count,
    duration,
    picture,
    read_json,
    wide_table,
    write_html,
)
from jinv.report.pictures import save_picture
from jinv.report.pool_picture import pool_picture
from jinv.report.student_curves import plot_students
from jinv.report.student_record import StudentRecord, read_record, record_of

OWN = "this one"
"""Name of the page's own student among others."""

_OTHER_ACCURACIES = {
    "accuracy": "Accuracy on images learnt from",
    "real_accuracy": "Accuracy on other images",
}
_DIGITS = 16
"""Digits of a checksum on a card; the configuration has them all."""

_CURVES = (
    "How to read this: the legend tells the last accuracy. Time counts the making of "
    "images and the student's steps. Agreement and loss are of the images that a "
    "student learns from, so they compare only students that learn from the same."
)
_POOL = (
    "How to read this: each row shows images of the batch that was made before a round "
    "of the student's steps; all batches stay in play to the end."
)


def write_student_page(
    folder: Path, card: Mapping[str, Any], beside: Mapping[str, Path] | None = None
) -> Path:
    """Write `index.html` and its pictures from what a student's folder holds.

    Pictures are embedded, so that the page can be sent around alone. What is missing is
    left out. A plain training has neither teacher nor rounds, and is told by epochs.

    Args:
        folder: Folder with any of `config.json`, `metrics.jsonl` and `pool/set.npz`.
        card: Content of the student's card.
        beside: Folders of other students, by their names on the page.

    Returns:
        Path of the page.

    Raises:
        ConfigError: Another student has the name of this one.
        FolderError: Another student cannot be read, or counts epochs where this one
            counts rounds. Nothing is written then.
    """
    own = record_of(card, folder)
    students = {OWN: own, **read_others(beside or {}, own.arm.unit)}
    level = number(card, "teacher", "test_accuracy")
    plot_students(
        folder / "curves.png",
        {name: student.arm for name, student in students.items()},
        None if level is None else (text(card, "teacher", "name"), level),
    )
    _save_pool(folder, card)
    sections = (
        _headline(own),
        card_row(_cards(own)),
        picture(
            folder / "curves.png",
            "Learning",
            "Accuracy and loss by steps and by time",
            _CURVES if own.arm.unit == "round" else "",
            kind="sheet figure",
        ),
        _comparison(students),
        picture(folder / "pool.png", "Images by round", "Images of some rounds", _POOL),
        command(text(card, "command")),
        configuration(read_json(folder / "config.json") | _origins(card)),
    )
    return write_html(folder / "index.html", _title(card), sections)


def read_others(beside: Mapping[str, Path], unit: str) -> dict[str, StudentRecord]:
    """Read the students that a page is to show beside its own.

    Args:
        beside: Folders of the students, by their names on the page.
        unit: What the log of the page's own student counts: "round" or "epoch".

    Raises:
        ConfigError: One has the name of the page's own.
        FolderError: One cannot be read, or counts something else.
    """
    if OWN in beside:
        raise ConfigError(
            f"{OWN!r} is the name of the page's own student: call {beside[OWN]} "
            "otherwise"
        )
    others = {name: read_record(path) for name, path in beside.items()}
    for name, other in others.items():
        if other.arm.unit != unit:
            raise FolderError(
                f"{beside[name]}: expected a log of {unit}s, as this student's "
                f"is, found one of {other.arm.unit}s: leave it out"
            )
    return others


def _save_pool(folder: Path, found: Mapping[str, Any]) -> None:
    pool = folder / "pool"
    if not (pool / NPZ).is_file():
        return
    images = read_npz(pool / NPZ, ["x_train"])["x_train"]
    batches = batch_numbers_of(pool, "train", len(images))
    if batches is not None:
        warmup = int(number(found, "images", "warmup_batches") or 0)
        save_picture(folder / "pool.png", pool_picture(images, batches, warmup))


def _title(found: Mapping[str, Any]) -> str:
    kind = "Student" if "teacher" in found else "Training of"
    return f"{kind} {text(found, 'model') or 'a network'}"


def _headline(student: StudentRecord) -> str:
    found, facts = student.card, []
    if teacher := text(found, "teacher", "name"):
        facts.append(f"taught by {escape(teacher)}")
    for unit in ("step", "epoch"):
        if (length := number(found, "recipe", f"{unit}s")) is not None:
            facts.append(count(int(length), unit))
    if (batch := number(found, "recipe", "batch_size")) is not None:
        facts.append(f"{count(int(batch), 'image')} a step")
    if student.seconds is not None:
        facts.append(duration(student.seconds))
    return (
        f"<header>\n<h1>{escape(_title(found))}</h1>\n<p>{' · '.join(facts)}</p>\n"
        f'<p class="pale">{escape(text(found, "data"))}</p>\n</header>\n'
    )


def _cards(student: StudentRecord) -> Iterator[str]:
    found, level = student.card, number(student.card, "teacher", "test_accuracy")
    if (accuracy := student.accuracy) is None:
        yield card("Test accuracy", "not measured", "<code>--test SET</code> does")
    else:
        yield card("Test accuracy", _percent(accuracy), _gap(accuracy, level))
    if student.best is not None:
        value, when = student.best
        notes = (f"{student.arm.unit} {when:,}", _gap(value, level))
        yield card("Best on the way", _percent(value), " · ".join(filter(None, notes)))
    for name, title in _OTHER_ACCURACIES.items():
        if (values := student.arm.line(name)[1]).size:
            yield card(title, _percent(values[-1]), f"in the last {student.arm.unit}")
    if (agreement := number(found, "agreement")) is not None:
        note = "of the last round's answers are the teacher's"
        yield card("Agreement", _percent(agreement), note)
    if teacher := text(found, "teacher", "name"):
        note = "not tested" if level is None else f"{_percent(level)} of test images"
        if sha256 := text(found, "teacher", "sha256"):
            note += f" · sha256 <code>{escape(sha256[:_DIGITS])}…</code>"
        yield card("Teacher", escape(teacher), note)
    yield from _budget(student)
    for seed in (number(found, "seed"), number(found, "recipe", "seed")):
        if seed is not None:
            yield card("Seed", f"{seed}")
            break


def _budget(student: StudentRecord) -> Iterator[str]:
    """Cards of what was spent."""
    bill = student.card.get("budget")
    passes, forward = number(bill, "image_passes"), number(bill, "teacher_passes")
    if (images := number(bill, "images")) is not None:
        note = f"{passes:,} teacher passes, forward and backward" if passes else ""
        yield card("Images", f"{images:,}", note)
    if (steps := number(bill, "student_steps")) is not None:
        note = f"{forward:,} images through the teacher" if forward else ""
        yield card("Student's steps", f"{steps:,}", note)
    if student.seconds is not None:
        parts = {
            name: number(bill, f"seconds_{name}") for name in ("images", "student")
        }
        known = (f"{n} {duration(s)}" for n, s in parts.items() if s is not None)
        yield card(
            "Time", duration(student.seconds), " · ".join(known) or "of the steps alone"
        )
    if (memory := number(bill, "peak_memory_mib")) is not None:
        platform = escape(text(student.card, "platform"))
        yield card("Peak memory", f"{memory:,.0f} MiB", platform)


def _comparison(students: Mapping[str, StudentRecord]) -> str:
    """A table of the students, without columns in which nobody has anything."""
    if len(students) == 1:
        return ""
    columns = {
        title: [tell(student) for student in students.values()]
        for title, tell in _COLUMNS.items()
    }
    told = {title: cells for title, cells in columns.items() if any(cells)}
    names = (
        f"{escape(name)}<small>{escape(text(student.card, 'data'))}</small>"
        for name, student in students.items()
    )
    rows = (
        [name, *(cell or MISSING for cell in cells)]
        for name, *cells in zip(names, *told.values(), strict=True)
    )
    return (
        "<section>\n<h2>Beside others</h2>\n"
        f"{wide_table(['student', *told], rows, led=True)}</section>\n"
    )


def _origins(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration does not tell: which files, and on what they were made."""
    names = ("teacher", "sha256", "platform", "jax")
    return {name: found[name] for name in names if name in found}


def _gap(accuracy: float, level: float | None) -> str:
    if level is None:
        return ""
    side = "below" if accuracy <= level else "above"
    return f"{abs(level - accuracy):.2f} points {side} the teacher"


def _percent(value: float) -> str:
    return f"{value:.2f} %"


def _told(value: float | None, tell: Callable[[float], str]) -> str:
    return "" if value is None else tell(value)


_COLUMNS: dict[str, Callable[[StudentRecord], str]] = {
    "images": lambda s: _told(number(s.card, "budget", "images"), "{:,}".format),
    "time of the images": lambda s: _told(
        number(s.card, "budget", "seconds_images"), duration
    ),
    "time in all": lambda s: _told(s.seconds, duration),
    "test accuracy": lambda s: _told(s.accuracy, _percent),
    "best on the way": lambda s: _told(s.best and s.best[0], _percent),
}
"""Columns of the table of students, and what each tells of one."""
