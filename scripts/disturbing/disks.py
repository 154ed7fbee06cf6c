"""Does a full or read-only disk, or what lies in the way, cost a result?"""

import errno
from collections.abc import Callable, Iterator

from disturbing.accidents import ACCIDENTS, BY_JOB, refused
from disturbing.bench import Bench, Trial

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
