#!/usr/bin/env python3
"""Record the work of the version before, so that tests can go on with it.

Run by that version's own code, with a checkout of it at hand:

    git worktree add ../before eb3f35e
    PYTHONPATH=../before python scripts/record_before.py ../before tests/recorded_before

It leaves `work.tar.gz` with two networks' weights, a small labelled set, a preset, and
what commands left: finished, or stopped in the middle. Figures are left out, as nothing
is read from them.
"""

import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from unittest import mock

os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0"
os.environ["JAX_PLATFORMS"] = "cpu"

TINY = "--model tiny --weights 0.safetensors --devices 1 --log-every 2"
JUDGE = "--verifier other --verifier-weights 1.safetensors"
RUN = (
    f"invert {TINY} {JUDGE} --classes cat,dog --images 4 --batch-size 2 --company 0 "
    "--steps 6 --resolutions 8 --frames 0 --checkpoint-every 2"
)
SET = f"synthesize {TINY} {JUDGE} --per-class 1 --batch-size 2 --steps 4 --best 1"
SEARCH = (
    f"search {TINY} {JUDGE} --images 6 --batch-size 6 --steps 2 --resolutions 8 "
    "--over w_feature=1,2 w_tv2=0,0.3 --sampler grid"
)
EVALUATE = (
    "evaluate set.npz --verifier other=1.safetensors --extractor tiny=0.safetensors"
)
WORK = {
    # The command, and the how-manieth step (from 0) it is stopped at, if at all.
    "run": (RUN, None),
    "stopped_run": (RUN, 9),
    "set": (SET, None),
    "stopped_set": (SET, 11),
    "stopped_search": (SEARCH, 7),
    "evaluation": (f"{EVALUATE} --split test --no-noise", None),
}
LEFT_OUT = (
    *("grid.png", "preview.png", "curves.png", "evolution.webp", "index.html"),
    *("parallel_coordinates.png", "confusion_*.png", "trial-*.png", ".lock*"),
)


def make_inputs(zoo) -> None:
    import jax
    import numpy as np
    from jinv.models.state_dict import to_state_dict
    from jinv.models.weight_files import write_weights

    from jinv.models.classifier import make_classifier

    for seed in (0, 1):
        variables = make_classifier(zoo.classifier_spec("tiny"), seed).variables
        state = to_state_dict(jax.device_get(variables))
        write_weights(Path(f"{seed}.safetensors"), state, {})
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 8, 8, 3), np.uint8)
    np.savez_compressed("set.npz", x_test=images, y_test=np.arange(24) % 6)


def make_preset() -> None:
    from jinv.inversion.preset import Preset, write_preset

    from jinv.inversion.presets import find_preset

    shown = find_preset("default-imagenet")
    facts = {"input_size": shown.input_size, "patience": 0.25}
    write_preset(Path("preset.json"), Preset(shown.method, "recorded", "", **facts))


def leave(name: str, words: str, stopped: int | None) -> None:
    """Give a command; stopped or not, its folder is what is recorded."""
    from jinv.cli.main import main
    from jinv.cli.stopping import Stop

    asked = iter(range(10**9))
    with mock.patch.object(
        Stop, "requested", lambda self: next(asked) == stopped or self.signal != 0
    ):
        status = main([*words.split(), "--out", name])
    print(f"{name}: {status}", file=sys.stderr)
    for pattern in LEFT_OUT:
        for path in Path(name).rglob(pattern):
            path.unlink()


def record(before: Path, out: Path) -> None:
    sys.path.insert(0, str(before / "tests" / "cli"))
    import tiny_main

    from jinv.models import zoo

    zoo._zoo().update(tiny=tiny_main.TINY, other=tiny_main.OTHER)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_inputs(zoo)
        make_preset()
        for name, (words, stopped) in WORK.items():
            leave(name, words, stopped)
        commands = {name: words for name, (words, _) in WORK.items()}
        Path("commands.json").write_text(json.dumps(commands, indent=2) + "\n")
        with tarfile.open(out / "work.tar.gz", "w:gz") as archive:
            for path in sorted(Path().iterdir()):
                archive.add(path)


if __name__ == "__main__":
    record(*(Path(word).absolute() for word in sys.argv[1:3]))
