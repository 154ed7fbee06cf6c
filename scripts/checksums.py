"""Checksums of what small jobs make, to see that a change of the code changes no byte.

Before a change: `python scripts/checksums.py --out before.json`. After it, on the same
machine with the same packages: `python scripts/checksums.py --compare before.json`,
which ends with status 1 where anything differs. Two minutes on two cores.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jinv
from jinv.data.labelled import ArrayImages
from jinv.engine.events import Logged
from jinv.engine.execution import Execution
from jinv.models.architectures.resnet import ResNet
from jinv.models.classifier import Classifier
from jinv.models.spec import ClassifierSpec
from jinv.models.weights.state_dict import to_state_dict
from jinv.synthesis.recipe import Recipe
from jinv.synthesis.synthetic_set import SyntheticSet

CLASSES = ("apple", "boat", "cat", "dog", "egg", "fish")
SMALL = {"latent": 4, "channels": 8}
BRIEF = {"batch_size": 6, "company": 0}


class Enough(Exception):
    """Stands for a kill."""


def network(seed: int = 0, channels: int = 3) -> Classifier:
    """A random ResNet for 8x8 images, with lively statistics."""
    spec = ClassifierSpec(
        name="tiny",
        build=partial(ResNet, (1, 1), (4, 8), stem="cifar"),
        classes=CLASSES,
        input_size=8,
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
    )
    made = jinv.make_classifier(spec, seed)
    keys = iter(jax.random.split(jax.random.key(seed), 100))
    statistics = jax.tree.map(
        lambda x: jnp.abs(x + 0.3 * jax.random.normal(next(keys), x.shape)),
        made.variables["batch_stats"],
    )
    variables = {**made.variables, "batch_stats": statistics}
    return Classifier(spec, made.module, variables, f"of seed {seed}")


def images(
    devices: int = 1, parallel: str = "jit", grey: bool = False, **options
) -> str:
    """Of what `jinv.invert` yields."""
    execution = Execution(devices=devices, parallel=parallel, log_every=2)
    found = jinv.invert(
        network(channels=1 if grey else 3),
        "all",
        12,
        execution=execution,
        **{**BRIEF, **options},
    )
    return digest(found.images, found.labels)


def a_set(folder: Path, shards: int = 1, stop: int | None = None) -> str:
    """Of a set in a folder, made by several shards, or stopped and gone on with."""
    execution = Execution(devices=1, log_every=1, checkpoint_every=2)
    job = jinv.make_job(network(), "all", 24, execution=execution, steps=(6,), **BRIEF)
    for shard in range(shards):
        with SyntheticSet(folder, Recipe(job, "npz"), (shard, shards)) as growing:
            for last in (stop, None) if stop else (None,):
                with suppress(Enough):
                    work(job, growing, last)
            growing.finish()
    return hashlib.sha256((folder / "set.npz").read_bytes()).hexdigest()


def work(job, growing: SyntheticSet, stop: int | None) -> None:
    """Make what is missing of a set, or some steps of it."""
    seen = []

    def on_event(event) -> None:
        growing.on_event(event)
        if isinstance(event, Logged):
            seen.append(event)
        if stop and len(seen) == stop:
            raise Enough

    numbers = growing.missing()
    job.run(on_event, checkpoints=growing.checkpoints, resume=True, numbers=numbers)


def stripes(count: int, seed: int) -> ArrayImages:
    """Images whose class is their colour, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, count)
    pixels = rng.integers(0, 100, (count, 8, 8, 3))
    pixels[..., 0] += 50 * (labels % 3)[:, None, None]
    pixels[..., 1] += 100 * (labels // 3)[:, None, None]
    return ArrayImages(pixels.astype(np.uint8), labels)


BRIEFLY = {"epochs": 2, "batch_size": 32, "warmup_epochs": 0.5, "lr": 0.05}


def trained(folder: Path) -> str:
    """Of the weights that training yields."""
    data = stripes(96, 0), stripes(48, 1)
    config = jinv.TrainConfig(**BRIEFLY, crops=((6, 1),))
    found = jinv.train(network(), *data, config, folder)
    return digest(*to_state_dict(jax.device_get(found.classifier.variables)).values())


def hidden(folder: Path) -> str:
    """Of the file that a search for a hidden network writes."""
    data = stripes(96, 0), stripes(48, 1)
    config, mask = jinv.TrainConfig(**BRIEFLY), jinv.Supermask(0.4)
    found = jinv.find_subnetwork(network().spec, *data, mask, config, folder)
    return hashlib.sha256(found.path.read_bytes()).hexdigest()


def digest(*arrays: np.ndarray) -> str:
    """Of arrays, with their types and shapes."""
    total = hashlib.sha256()
    for array in map(np.ascontiguousarray, arrays):
        total.update(f"{array.dtype} {array.shape}".encode())
        total.update(array.tobytes())
    return total.hexdigest()


JOBS: dict[str, Callable[[Path], str]] = {
    "deep": lambda _: images(steps=(8,)),
    "deep, two resolutions": lambda _: images(steps=(4, 4), resolutions=(4, 8)),
    "deep, with company": lambda _: images(steps=(6,), company=6),
    "deep, grey": lambda _: images(steps=(6,), grey=True),
    "deep, two devices": lambda _: images(2, steps=(6,)),
    "deep, two devices by pmap": lambda _: images(2, "pmap", steps=(6,)),
    "preset deepinversion-cifar10": lambda _: images(
        steps=(6,), preset="deepinversion-cifar10"
    ),
    "preset technion": lambda _: images(steps=(6,), preset="technion"),
    "preset deepdream": lambda _: images(steps=(6,), preset="deepdream"),
    "natural": lambda _: images(method="natural", steps=4, **SMALL),
    "natural, one generator": lambda _: images(
        method="natural", steps=3, one_to_one=False, **SMALL
    ),
    "fast": lambda _: images(method="fast", steps=2, rehearsals=2, **SMALL),
    "dafl": lambda _: images(method="dafl", steps=2, rehearsals=1, **SMALL),
    "dfad": lambda _: images(
        method="dfad", steps=2, rehearsals=1, student=network(1), **SMALL
    ),
    "a set": lambda folder: a_set(folder),
    "a set, stopped": lambda folder: a_set(folder, stop=9),
    "a set of two shards": lambda folder: a_set(folder, shards=2),
    "train": trained,
    "supermask": hidden,
}


def main() -> int:
    """Run all jobs; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the checksums to this file")
    parser.add_argument("--compare", type=Path, help="compare with such a file")
    options = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", 2)
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, job) in enumerate(JOBS.items()):
            found[name] = job(Path(scratch) / str(number))
            print(f"{found[name][:16]}  {name}", flush=True)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n")
    if not options.compare:
        return 0
    before = json.loads(options.compare.read_text())
    differing = [name for name in before if found.get(name) != before[name]]
    print(f"{len(before) - len(differing)} of {len(before)} are the same")
    for name in differing:
        print(f"differs: {name}")
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
