#!/usr/bin/env python3
"""Is anything lost at a kill, or does a full or read-only disk cost a result?

Small jobs are done by every command that leaves a folder, and disturbed at one of the
operations by which they change it: `kills` ends the process there, `disks` lets the
disk fail or puts something into the way. Then the same command has to go on, to the
same bytes as if nothing had happened.

Needs Linux and a C compiler; some trials of disks need root, and are skipped without.
"""

import argparse
import itertools
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

from disturbing.bench import ROOT, Bench, Trial
from disturbing.disks import disks
from disturbing.jobs import JOBS, make_inputs, prepare
from disturbing.kills import kills
from disturbing.processes import fork, wait

SHIM = Path(__file__).with_name("disturbing") / "shim.c"
ENVIRONMENT = {
    "JAX_PLATFORMS": "cpu",
    "MPLBACKEND": "Agg",
    "OPENBLAS_NUM_THREADS": "1",  # as threads do not survive a fork
    "TF_CPP_MIN_LOG_LEVEL": "3",  # XLA has its say on every cached program
    "XLA_FLAGS": "--xla_backend_optimization_level=0",
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
        ending = "skipped" if trial.skipped else "; ".join(trial.problems) or "well"
        took = time.monotonic() - started
        print(f"{took:4.0f} s {name}, {trial.what}: {ending}", file=sys.stderr)
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
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(SHIM), "-ldl"]
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
