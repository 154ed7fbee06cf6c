"""Is anything lost at a kill?"""

import random
import signal
from collections.abc import Iterator

from disturbing.bench import Bench, Trial


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
            rng = random.Random(f"{seed} {bench.job.name} {moment}")
            again = rng.randint(1, len(bench.operations))
            second = bench.run(out, again, signal=signal.SIGKILL, torn=not torn)
            what += f", then at {again} ({' '.join(second.log[-1:])})"
        extra = ["--overwrite"] if bench.job.anew and turn % 4 == 3 else []
        what += ", then --overwrite" * len(extra)
        yield Trial(bench.job.name, what, problems + bench.settle(out, *extra))
