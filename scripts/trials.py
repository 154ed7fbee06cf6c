#!/usr/bin/env python3
"""Is anything lost at a kill, or does a full or read-only disk cost a result?

Small jobs are done by every command that leaves a folder, and disturbed at one of the
operations by which they change it: `kills` ends the process there, `disks` lets the
disk fail or puts something into the way. Then the same command has to go on, to the
same bytes as if nothing had happened.

Needs Linux and a C compiler; some trials of disks need root, and are skipped without.
"""

import argparse
import contextlib
import csv
import ctypes
import errno
import itertools
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__)
ROOT = "TRIALS_ROOT"
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "MPLBACKEND": "Agg",
    "OPENBLAS_NUM_THREADS": "1",  # as threads do not survive a fork
    "TF_CPP_MIN_LOG_LEVEL": "3",  # XLA has its say on every cached program
    "XLA_FLAGS": "--xla_backend_optimization_level=0",
}
PATIENCE = 180  # seconds that a command may take
NOBODY = 65534


class Job(NamedTuple):
    """A piece of work, by its command.

    Attributes:
        name: What it is called here.
        words: Of the command, less --out; {inputs} is a folder.
        anew: Whether --overwrite is tried, too.
        typical: Whether all accidents are tried; of others, only failing disks.
        beside: More words of a process that works in the same folder at the same time.
    """

    name: str
    words: str
    anew: bool = False
    typical: bool = True
    beside: str = ""


TINY = "--model tiny --weights {inputs}/0.safetensors --devices 1 --log-every 2"
JUDGE = "--judge other={inputs}/1.safetensors"
INVERT = f"invert {TINY} {JUDGE} --company 0 --frames 2 --checkpoint-every 3"
SET = f"synthesize {TINY} {JUDGE} --per-class 2 --batch-size 6 --steps 4"
LEARN = "--model tiny --data {inputs}/set.npz --epochs 2 --batch-size 32"
SMALL = "--latent 12 --channels 32 --jitter 1"
JOBS = [
    Job(
        "pixels",
        f"{INVERT} --classes cat,dog --images 8 --batch-size 4 --steps 6",
        anew=True,
    ),
    Job(
        "natural",
        f"{INVERT} --method natural --images 24 --batch-size 12 --steps 4 {SMALL}",
        typical=False,
    ),
    Job(
        "fast",
        f"{INVERT} --method fast --images 16 --batch-size 8 --steps 2 --rehearsals 2 "
        f"{SMALL}",
        typical=False,
    ),
    Job("set", f"{SET} --checkpoint-every 3", anew=True),
    Job("npz", f"{SET} --form npz", typical=False),
    Job("shards", f"{SET} --shard 1/2", typical=False, beside="--shard 0/2"),
    Job("train", f"train {LEARN} --warmup-epochs 0"),
    Job("supermask", f"supermask {LEARN} --warmup-epochs 0 --devices 1"),
    Job(
        "search",
        f"search {TINY} {JUDGE} --images 12 --batch-size 6 --steps 4 --resolutions 8 "
        "--over w_tv2=0,0.3,3 --sampler grid --no-pruner",
    ),
    Job(
        "evaluate",
        "evaluate {inputs}/set.npz --split test --real {inputs}/set.npz "
        "--judge tiny={inputs}/0.safetensors",
    ),
]


class Attempt(NamedTuple):
    """What a command did: its exit status, its lines on stderr, its operations."""

    status: int
    said: list[str]
    log: list[str]

    @property
    def end(self) -> str:
        return f"{self.status}, saying {' / '.join(self.said[-2:])!r:.400}"


@dataclass(frozen=True)
class Trial:
    """One disturbance, and what was wrong afterwards."""

    job: str
    what: str
    problems: list[str] = field(default_factory=list)
    skipped: bool = False


def prepare() -> None:
    """Import all that commands do, so that their processes need not.

    No backend of jax may start here, nor a thread: neither survives a fork.
    """
    import jax

    from jinv.cli.main import COMMANDS
    from jinv.models import zoo
    from jinv.models.architectures.resnet import ResNet
    from jinv.search import storage

    cache = Path(os.environ["JINV_CACHE"])
    jax.config.update("jax_compilation_cache_dir", str(cache / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    for name in COMMANDS:
        # They would keep only what takes long to compile.
        vars(import_module(f"jinv.cli.{name}"))["keep_compiled_programs"] = lambda: None
    # The last is for another user, who may not be allowed to read Python's own files.
    for name in ("matplotlib.pyplot", "PIL.WebPImagePlugin", "encodings.cp437"):
        import_module(name)
    # A killed worker's trial is given to another sooner.
    storage.HEARTBEAT, storage.GRACE = 1, 3
    tiny = zoo.ClassifierSpec(
        name="tiny",
        build=partial(ResNet, (1, 1), (4, 8), stem="cifar"),
        classes=("apple", "boat", "cat", "dog", "egg", "fish"),
        input_size=8,
    )
    zoo._zoo().update(tiny=tiny, other=replace(tiny, name="other"))


def make_inputs(folder: Path) -> None:
    """Weights of two networks, and labelled images."""
    import jax
    import numpy as np

    from jinv.models.loading import make_classifier
    from jinv.models.weights.state_dict import to_state_dict
    from jinv.models.weights.writing import write_weights
    from jinv.models.zoo import classifier_spec

    for seed in (0, 1):
        variables = make_classifier(classifier_spec("tiny"), seed).variables
        state = to_state_dict(jax.device_get(variables))
        write_weights(folder / f"{seed}.safetensors", state, {})
    draw = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 96), ("test", 48)):
        arrays[f"x_{split}"] = draw.integers(0, 256, (count, 8, 8, 3), np.uint8)
        arrays[f"y_{split}"] = np.arange(count) % 6
    np.savez(folder / "set.npz", **arrays)


def fork(act: Callable[[], int | None]) -> int:
    """Act in a process of its own, and return its number."""
    if number := os.fork():
        return number
    status = 70
    try:
        signal.alarm(PATIENCE)  # ends a process that hangs
        status = act() or 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def wait(number: int, meanwhile: Callable[[], Any] | None = None) -> int:
    """The exit status of a process; if it stops, act before it goes on."""
    _, status = os.waitpid(number, os.WUNTRACED)
    if os.WIFSTOPPED(status):
        try:
            if meanwhile:
                meanwhile()
        finally:
            os.kill(number, signal.SIGCONT)
        _, status = os.waitpid(number, 0)
    return os.waitstatus_to_exitcode(status)


class Bench:
    """A job, what it yields undisturbed, and places to disturb it."""

    def __init__(self, job: Job, root: Path):
        self.job, self.root = job, root / job.name
        self._names, self._records = itertools.count(), itertools.count()
        first, self.whole = self.fresh(), self.fresh()
        attempts = [self.run(out) for out in (first, self.whole)]
        self.operations = attempts[1].log
        self.reference = contents(first)
        self.unsteady = self.against_reference(self.whole)
        self.unsteady += [a.end for a in attempts if a.status or not a.log]

    def fresh(self) -> Path:
        """A place for --out, in a folder of its own."""
        trial = self.root / f"{next(self._names):03d}"
        trial.mkdir(parents=True)
        return trial / "out"

    def run(self, out: Path, moment: int = 0, *extra: str, **how: Any) -> Attempt:
        """Give the command; see `_command` for what may befall it."""
        meanwhile = how.pop("meanwhile", None)
        words = [*self.job.words.split(), *extra]
        record = self.root / f"{out.parent.name}-{next(self._records)}"
        beside = 0
        if self.job.beside:
            others = [*words, *self.job.beside.split()]
            other = self.root / f"{record.name}-beside"
            beside = fork(partial(self._command, others, out, other))
        status = wait(
            fork(partial(self._command, words, out, record, moment, **how)), meanwhile
        )
        said, log = (
            record.with_suffix(suffix).read_text("utf-8", "replace").splitlines()
            for suffix in (".said", ".log")
        )
        if beside and (ended := wait(beside)):
            said.append(f"the process beside ended with {ended}: {other}.said")
        return Attempt(status, said, log)

    def _command(
        self,
        words: list[str],
        out: Path,
        record: Path,
        moment: int = 0,
        signal: int = 0,
        error: int = 0,
        torn: bool = False,
        user: int = 0,
    ) -> int:
        from jinv.cli.main import main

        said, log = (record.with_suffix(suffix) for suffix in (".said", ".log"))
        log.touch()
        with said.open("w") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        words = [
            word.format(inputs=Path(os.environ[ROOT]) / "inputs") for word in words
        ]
        sys.argv = ["jinv", *words, "--out", str(out)]
        arm = ctypes.CDLL(None).trial_arm
        arm.argtypes = [ctypes.c_char_p, ctypes.c_long, *[ctypes.c_int] * 3]
        arm.argtypes += [ctypes.c_char_p]
        arm(bytes(out.parent), moment, signal, error, torn, bytes(log))
        if user:
            os.setgid(user)
            os.setuid(user)
        return main(sys.argv[1:])

    def settle(self, out: Path, *extra: str) -> list[str]:
        """Give the command again: what is not as if nothing had happened."""
        last = self.run(out, 0, *extra)
        problems = [] if last.status == 0 else [f"the command again: {last.end}"]
        return problems + tracebacks(last) + self.against_reference(out)

    def against_reference(self, out: Path, extra: bool = True) -> list[str]:
        """How a folder differs from that of undisturbed work."""
        found, wanted = contents(out), self.reference
        problems = [f"missing: {name}" for name in wanted.keys() - found.keys()]
        if extra:
            problems += [f"left over: {name}" for name in found.keys() - wanted.keys()]
        for name in sorted(wanted.keys() & found.keys()):
            if found[name] != wanted[name]:
                here, there = (f"{x!r:.150}" for x in (found[name], wanted[name]))
                problems.append(f"{name} is {here} instead of {there}")
        return problems

    def after(self, pattern: str, turn: int = 0) -> int:
        """The moment after an operation that the log calls so."""
        found = [i for i, op in enumerate(self.operations) if re.search(pattern, op)]
        return found[turn] + 2

    def half(self, moment: int | None = None) -> Path:
        """A folder of which the work was killed in the middle, or at a moment."""
        out = self.fresh()
        moment = moment or len(self.operations) // 2
        self.run(out, moment, signal=signal.SIGKILL)
        return out


# What tells of times, of numbers of trials, or of anything else that may differ.
UNSTEADY = re.compile(
    r"summary\.json|index\.html|curves\.png|best\.json|study\.db|parallel_.*\.png"
)
TIMES = {"seconds", "peak_memory_mib", "settings", "command", "images_per_second"}


def contents(folder: Path) -> dict[str, Any]:
    """What is in a folder, by name, as far as it must always be the same."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if re.match("checkpoint/.*/", name):
            continue  # Orbax notes times, and draws names
        if re.fullmatch(r"images/trial-\d+\.png", name):
            # A trial that was begun again has another number.
            name = f"images/trial {hash(path.read_bytes())}"
        found[name] = _content(path)
    return found


def _content(path: Path) -> Any:
    if path.is_dir():
        return "a folder"
    if UNSTEADY.fullmatch(path.name):
        return "a file"
    data = path.read_bytes()
    with contextlib.suppress(ValueError):  # a torn one stays as it is
        if path.name == "trials.csv":
            rows = list(csv.DictReader(data.decode().splitlines()))
            return sorted(
                str({n: x for n, x in row.items() if n not in ("trial", "seconds")})
                for row in rows
                if row["state"] == "complete"
            )
        if path.name == "metrics.jsonl":
            names = ("batch", "phase", "step", "epoch", "loss")
            rows = [json.loads(line) for line in data.decode().splitlines()]
            return [[row[name] for name in names if name in row] for row in rows]
        if path.suffix == ".json" and path.name != "config.json":
            return {n: x for n, x in json.loads(data).items() if n not in TIMES}
    return data


def kills(bench: Bench, moments: list[int], seed: int, _: Bench) -> Iterator[Trial]:
    """Kill a job at these moments, some a second time, and go on."""
    for turn, moment in enumerate(moments):
        out, torn = bench.fresh(), turn % 2 == 1
        first = bench.run(out, moment, signal=signal.SIGKILL, torn=torn)
        hit = " ".join(first.log[-1:])
        torn = torn and hit.startswith("write")
        what = f"killed at {moment} ({'in ' * torn}{hit})"
        problems = []
        # The number of operations varies a little, and more with two processes.
        late = moment > 0.8 * len(bench.operations) or bench.job.beside
        if first.status != -signal.SIGKILL and (first.status or not late):
            problems.append(f"was not killed, but ended with {first.end}")
        if turn % 3 == 2:
            draw = random.Random(f"{seed} {bench.job.name} {moment}")
            again = draw.randint(1, len(bench.operations))
            second = bench.run(out, again, signal=signal.SIGKILL, torn=not torn)
            what += f", then at {again} ({' '.join(second.log[-1:])})"
        extra = ["--overwrite"] if bench.job.anew and turn % 4 == 3 else []
        what += ", then --overwrite" * len(extra)
        yield Trial(bench.job.name, what, problems + bench.settle(out, *extra))


FULL, FORBIDDEN = ("ENOSPC", "EDQUOT", "EIO"), ("EROFS", "EACCES")


def disks(bench: Bench, _: list[int], seed: int, other: Bench) -> Iterator[Trial]:
    """Let the disk fail at some moments, and let accidents of other kinds happen."""
    if bench.job.typical:
        for accident in (*ACCIDENTS, *BY_JOB.get(bench.job.name, ())):
            try:
                problems = accident(bench, other)
            except (OSError, LookupError) as error:  # as when work came less far
                problems = [f"could not be tried: {error!r}"]
            skipped = problems is None
            yield Trial(bench.job.name, called(accident), problems or [], skipped)
    count = len(bench.operations)
    for name in (*FULL, *FORBIDDEN):
        moments = [max(1, count // 20), count // 2, count * 9 // 10]
        # Those that differ little from others are tried once.
        for moment in moments[1:2] if name in ("EDQUOT", "EIO") else moments:
            out = bench.fresh()
            first = bench.run(out, moment, error=getattr(errno, name))
            problems = refused(first)
            if first.status == 0:  # nothing failed but tidying up
                problems = bench.against_reference(out, extra=False)
            hit = " ".join(first.log[moment - 1 : moment])
            what = f"{name} at {moment}/{count} ({hit})"
            yield Trial(bench.job.name, what, problems + bench.settle(out))


def called(accident: Callable) -> str:
    name = getattr(accident, "func", accident).__name__.replace("_", " ")
    given = getattr(accident, "args", ())
    return " ".join([name, *map(repr, given)])


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


def tracebacks(attempt: Attempt) -> list[str]:
    """How many there are on stderr, and of what the first was."""
    count = sum("Traceback (most" in line for line in attempt.said)
    raised = (
        line for line in attempt.said if re.match(r"[\w.]*(Error|Exception)", line)
    )
    return [f"{count} tracebacks, the first of {next(raised, '')!r:.200}"] * (count > 0)


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


def work(options: argparse.Namespace, root: Path, name: str) -> list[Trial]:
    """All trials of one job."""
    jobs = {job.name: job for job in JOBS}
    bench = Bench(jobs[name], root)
    count = len(bench.operations)
    print(f"{name}: {count} operations", file=sys.stderr, flush=True)
    tried = [Trial(name, "undisturbed, twice", bench.unsteady)]
    if tried[0].problems:
        print(f"{name} is unsteady: {tried[0].problems}", file=sys.stderr)
        return tried
    step = options.every or max(1, (count - 1) / max(1, options.moments - 1))
    moments = sorted({round(1 + i * step) for i in range(int((count - 1) / step) + 1)})
    if options.at:
        moments = [
            i + 1 for i in range(count) if re.search(options.at, bench.operations[i])
        ]
    # Work of another kind, to be found in the way.
    other = bench
    if options.trials == "disks":
        kin = "pixels" if jobs[name].words.split()[0] != "invert" else "set"
        other = Bench(jobs[kin], root / "others" / name)
    act = {"kills": kills, "disks": disks}[options.trials]
    started = time.monotonic()
    for trial in act(bench, moments, options.seed, other):
        tried.append(trial)
        verdict = "skipped" if trial.skipped else "; ".join(trial.problems) or "well"
        took = time.monotonic() - started
        print(f"{took:4.0f} s {name}, {trial.what}: {verdict}", file=sys.stderr)
    return tried


def report(tried: list[Trial]) -> None:
    """A table of all jobs, and what went wrong."""
    print("| job | tried | survived | skipped | failures |\n|---|---|---|---|---|")
    for name in dict.fromkeys(trial.job for trial in tried):
        own = [trial for trial in tried if trial.job == name]
        failed = [trial for trial in own if trial.problems]
        skipped = sum(trial.skipped for trial in own)
        count = len(own) - skipped
        print(
            f"| {name} | {count} | {count - len(failed)} | {skipped} | "
            f"{'; '.join(trial.what for trial in failed) or 'none'} |"
        )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", choices=["kills", "disks"])
    parser.add_argument("--jobs", default=",".join(job.name for job in JOBS))
    parser.add_argument("--moments", type=int, default=15, help="of each job, at least")
    parser.add_argument("--at", help="instead, at all operations of such names")
    parser.add_argument("--every", type=int, default=0, help="instead, every N-th")
    parser.add_argument("--seed", type=int, default=0, help="of second moments")
    parser.add_argument("--processes", type=int, default=1, help="jobs at once")
    parser.add_argument("--work", type=Path, help="folder to keep all traces in")
    parser.add_argument("--out", type=Path, help="a .json file of all results")
    options = parser.parse_args()
    if unknown := set(options.jobs.split(",")) - {job.name for job in JOBS}:
        parser.error(f"unknown jobs: {', '.join(unknown)}")
    return options


def start(root: Path) -> int:
    """Start this script again, with the shim."""
    root = root.resolve()
    root.chmod(0o755)  # another user is to see it
    (root / "inputs").mkdir(parents=True)
    shim = root / "shim.so"
    source = HERE.with_suffix("").with_name("trials_shim.c")
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"]
    subprocess.run(command, check=True)
    places = {"LD_PRELOAD": str(shim), ROOT: str(root)}
    places["JINV_CACHE"] = str(root / "cache")
    environment = {**os.environ, **ENVIRONMENT, **places}
    return subprocess.call([sys.executable, *sys.argv], env=environment)


def main() -> int:
    options = parse()
    if ROOT not in os.environ:
        if options.work:
            options.work.mkdir(parents=True)
            return start(options.work)
        with tempfile.TemporaryDirectory(prefix="trials-") as folder:
            return start(Path(folder))
    root = Path(os.environ[ROOT])
    prepare()
    if wait(fork(partial(make_inputs, root / "inputs"))):
        return 1
    names = options.jobs.split(",")
    with multiprocessing.get_context("fork").Pool(options.processes) as pool:
        tried = pool.map(partial(work, options, root), names, chunksize=1)
    flat = list(itertools.chain.from_iterable(tried))
    if options.out:
        from jinv.atomic import write_json

        write_json(options.out, [asdict(trial) for trial in flat])
    report(flat)
    return int(any(trial.problems for trial in flat))


if __name__ == "__main__":
    raise SystemExit(main())
