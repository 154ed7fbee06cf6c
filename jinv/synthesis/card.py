"""The card of a synthetic set: what it is, from which weights, at which budget."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinv.atomic import replacing
from jinv.inversion.job import Job
from jinv.synthesis.recipe import Recipe

_READERS = {
    "folder": 'datasets.load_dataset("imagefolder", data_dir=FOLDER)  # Hugging Face\n'
    'torchvision.datasets.ImageFolder(FOLDER + "/{split}")',
    "npz": 'arrays = numpy.load(FOLDER + "/set.npz")  # x_{split}, y_{split}, classes',
    "array_record": "tfds.builder_from_directory(FOLDER)"
    '.as_data_source(split="{split}")',
}


def write_card(path: Path, recipe: Recipe, summary: Mapping[str, Any]) -> None:
    """Write a set's `README.md`, with the front matter that data hubs read.

    It depends on the recipe and the images alone: no dates, no seconds.

    Args:
        path: Path of the file.
        recipe: Recipe of the set.
        summary: Summary of the set, from `SyntheticSet.finish`.
    """
    job, spec = recipe.job, recipe.job.classifier.spec
    front = {
        "pretty_name": f"Images inverted from {spec.name}",
        "task_categories": ["image-classification"],
        "tags": ["synthetic", "model-inversion"],
        "size_categories": [_size_category(summary["images"])],
    }
    facts = {
        "images": f"{summary['images']:,} of {summary['candidates']:,} made"
        + _filters(recipe),
        "pixels": f"{spec.input_size} x {spec.input_size}, lossless, in the "
        "classifier's own range",
        "classes": ", ".join(f"{k} {n:,}" for k, n in summary["classes"].items()),
        "inverted network": f"{spec.name}, weights sha256 `{job.classifier.checksum}`",
        "method": f"{type(job.method).__name__}, {_steps(job)}, batches of "
        f"{job.batch_size}, seed {job.seed}",
        "budget": f"{summary['classifier_passes']:,} images through the network, "
        f"forward and backward: "
        f"{summary['classifier_passes'] / summary['candidates']:,.0f} for each made",
        "recognised": "; ".join(
            f"{100 * summary[role]['top1']:.1f} % by the {role} {summary[role]['name']}"
            for role in ("teacher", "judge")
            if role in summary
        ),
    }
    if stored := summary.get("soft_labels"):
        facts["soft labels"] = (
            f"`{stored['file']}`, {stored['bytes']:,} bytes: the logits of "
            f"{spec.name} for each image as it lies on disk, float16, in the order of "
            "`metadata.jsonl`"
        )
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items())
    reader = _READERS[recipe.form].format(split=recipe.split)
    text = (
        f"---\n{json.dumps(front, indent=2)}\n---\n\n"
        f"# {front['pretty_name']}\n\n"
        "None of these images is a photograph. They were computed by jinv from a "
        "trained classifier's weights alone, and show what it has learnt: they may "
        "repeat its errors and prejudices, and, where it remembers them, parts of its "
        "training images.\n\n"
        f"| | |\n|---|---|\n{rows}\n\n"
        f"Read it by\n\n```python\n{reader}\n```\n\n"
        "`metadata.jsonl` says of each image: its class, number, batch and seed; the "
        "cross-entropy and the class by the teacher and the judge, measured on the "
        "image as it lies on disk; its total variation (ℓ2, of normalised inputs); and "
        "the terms of its batch's loss at the last step. `config.json` holds every "
        "setting, `summary.json` the figures.\n"
    )
    with replacing(path) as partial:
        partial.write_text(text, "utf-8")


def _filters(recipe: Recipe) -> str:
    kept = []
    if recipe.accepted_only:
        kept.append("those that the judge recognises")
    if recipe.best is not None:
        who = "judge" if recipe.judge else "teacher"
        kept.append(f"the {recipe.best} of each class of which the {who} is surest")
    return f"; kept: {', of these '.join(kept)}" if kept else ""


def _steps(job: Job) -> str:
    steps = (str(phase.descent.steps) for phase in job.procedure.phases)
    return " + ".join(steps) + " steps"


def _size_category(images: int) -> str:
    """Find the bracket that Hugging Face sorts a data set into."""
    bounds = [("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5)]
    return next((name for name, bound in bounds if images < bound), "100K<n<1M")
