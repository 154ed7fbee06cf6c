"""Where a job is done, undisturbed and disturbed."""

import ctypes
import itertools
import os
import re
import signal
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from disturbing.contents import contents
from disturbing.jobs import Job
from disturbing.processes import fork, wait

ROOT = "TRIALS_ROOT"
"""Names the folder of all trials, in the environment."""


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


def tracebacks(attempt: Attempt) -> list[str]:
    """How many there are on stderr, and of what the first was."""
    count = sum("Traceback (most" in line for line in attempt.said)
    raised = (
        line for line in attempt.said if re.match(r"[\w.]*(Error|Exception)", line)
    )
    return [f"{count} tracebacks, the first of {next(raised, '')!r:.200}"] * (count > 0)
