"""What may befall a folder while a command works there, or before.

Each accident returns what was wrong afterwards; None where it cannot be tried.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from functools import partial

from disturbing.bench import Attempt, Bench, tracebacks

NOBODY = 65534


def refused(attempt: Attempt, *words: str) -> list[str]:
    """What is wrong with a refusal: expected is one line, which has these words."""
    errors = [line for line in attempt.said if line.startswith("error:")]
    problems = []
    if attempt.status != 2:
        problems.append(f"ended with {attempt.end}")
    elif len(errors) != 1 or attempt.said[-1:] != errors:
        problems.append(f"not one line of error at the end: {attempt.said!r:.600}")
    elif missing := [word for word in words if word not in errors[0]]:
        problems.append(f"the error does not say {missing}: {errors[0]}")
    return problems + tracebacks(attempt)


def out_is_a_file(bench: Bench, _: Bench) -> list[str]:
    out = bench.fresh()
    out.write_text("precious")
    problems = refused(bench.run(out), "is a file")
    problems += [] if out.read_text() == "precious" else ["the file was changed"]
    out.unlink()
    return problems + bench.settle(out)


def out_is_below_a_file(bench: Bench, _: Bench) -> list[str]:
    file = bench.fresh()
    file.write_text("precious")
    problems = refused(bench.run(file / "out"))
    return problems + ([] if file.read_text() == "precious" else ["it was changed"])


def out_is_a_dangling_link(bench: Bench, _: Bench) -> list[str]:
    out = bench.fresh()
    out.symlink_to("nowhere")
    problems = refused(bench.run(out))
    out.unlink()
    return problems + bench.settle(out)


def out_holds_other_work(bench: Bench, other: Bench) -> list[str]:
    problems = []
    for extra in ([], ["--overwrite"] * bench.job.anew):
        out = bench.fresh()
        shutil.copytree(other.whole, out)
        problems += refused(bench.run(out, 0, *extra), "holds files, but no")
        problems += other.against_reference(out)
    return problems


def out_is_removed_meanwhile(bench: Bench, _: Bench) -> list[str]:
    out, moment = bench.fresh(), len(bench.operations) // 2
    stop = {"signal": signal.SIGSTOP, "meanwhile": lambda: shutil.rmtree(out)}
    return refused(bench.run(out, moment, **stop)) + bench.settle(out)


def two_at_once(bench: Bench, _: Bench) -> list[str] | None:
    if bench.job.name == "search":
        return None  # may be shared
    out, problems = bench.fresh(), []

    def second() -> None:
        problems.extend(refused(bench.run(out), "at work"))

    moment = len(bench.operations) // 2
    first = bench.run(out, moment, signal=signal.SIGSTOP, meanwhile=second)
    problems += [] if first.status == 0 else [f"the first one: {first.end}"]
    return problems + bench.against_reference(out)


def _on_a_disk(bench: Bench, options: str) -> list[str] | None:
    """Work on a disk that was mounted so, then where there is room and permission."""
    out = bench.fresh()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(out.parent)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        return None
    try:
        problems = refused(bench.run(out))
        again = ["mount", "-o", "remount,rw,size=256m", str(out.parent)]
        subprocess.run(again, check=True)
        return problems + bench.settle(out)
    finally:
        subprocess.run(["umount", "-l", str(out.parent)], check=True)


def a_full_disk(bench: Bench, _: Bench) -> list[str] | None:
    files = [path for path in bench.whole.rglob("*") if path.is_file()]
    pages = sum(-(-file.stat().st_size // 4096) for file in files)
    return _on_a_disk(bench, f"size={max(4, pages // 2) * 4096}")


def a_read_only_disk(bench: Bench, _: Bench) -> list[str] | None:
    return _on_a_disk(bench, "size=64m,ro")


def another_users_folder(bench: Bench, _: Bench) -> list[str] | None:
    if os.geteuid():
        return None
    out = bench.half()
    return refused(bench.run(out, user=NOBODY)) + bench.settle(out)


def config(text: str, bench: Bench, _: Bench) -> list[str] | None:
    out = bench.half()
    if not (out / "config.json").is_file():
        return None
    (out / "config.json").write_text(text)
    problems = refused(bench.run(out))
    shutil.rmtree(out)
    return problems + bench.settle(out)


def a_torn_file(pattern: str, after: str, bench: Bench, _: Bench) -> list[str] | None:
    """The newest file of these names lost its end to a power loss."""
    out = bench.half(bench.after(after)) if after else bench.fresh()
    if not after:
        shutil.copytree(bench.whole, out)
    found = sorted(out.glob(pattern))
    if not found:
        return None
    for path in found[-1:]:
        os.truncate(path, path.stat().st_size * 2 // 3)
    return bench.settle(out)


def a_strangers_picture(bench: Bench, _: Bench) -> list[str]:
    out = bench.half()
    (out / "images" / "holiday.png").write_bytes(b"precious")
    problems = bench.settle(out)
    return [p for p in problems if p != "left over: images/holiday.png"] + (
        [] if (out / "images" / "holiday.png").is_file() else ["it is gone"]
    )


def rubbish_in_the_checkpoint(bench: Bench, _: Bench) -> list[str]:
    out = bench.half(len(bench.operations) * 6 // 10)
    places = list(out.glob("checkpoint*"))
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    for path in files:
        path.write_bytes(b"rubbish")
    problems = refused(bench.run(out)) if files else ["there was no checkpoint"]
    for place in places:
        shutil.rmtree(place)
    return problems + bench.settle(out)


ACCIDENTS: list[Callable] = [
    out_is_a_file,
    out_is_below_a_file,
    out_is_a_dangling_link,
    out_holds_other_work,
    out_is_removed_meanwhile,
    two_at_once,
    a_full_disk,
    a_read_only_disk,
    another_users_folder,
    *(
        partial(config, text)
        for text in ("", '{"inv', "[1, 2]", '{"hello": 1}', '{"inversion": [1]}')
    ),
    partial(a_torn_file, "summary.json", ""),
]
BY_JOB: dict[str, list[Callable]] = {
    "pixels": [
        partial(a_torn_file, "images/*.png", "rename out/images/"),
        partial(a_torn_file, "frames/*.png", "rename out/frames/"),
        partial(a_torn_file, "metrics.jsonl", "rename out/images/"),
        a_strangers_picture,
        rubbish_in_the_checkpoint,
    ],
    "set": [
        partial(a_torn_file, "parts/*.npz", "rename out/parts/"),
        rubbish_in_the_checkpoint,
    ],
    "train": [
        partial(a_torn_file, "metrics.jsonl", "write out/metrics.jsonl"),
        rubbish_in_the_checkpoint,
    ],
}
