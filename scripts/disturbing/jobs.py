"""The pieces of work that are disturbed, and what they need."""

import os
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple


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
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", 96), ("test", 48)):
        arrays[f"x_{split}"] = rng.integers(0, 256, (count, 8, 8, 3), np.uint8)
        arrays[f"y_{split}"] = np.arange(count) % 6
    np.savez(folder / "set.npz", **arrays)
