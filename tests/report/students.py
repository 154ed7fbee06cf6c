"""Folders of students, as `jinv distill` and `jinv train` leave them, for tests."""

import json

import numpy as np

CARD = {
    "model": "cifar10_wrn16_1",
    "classes": ["cat", "ship"],
    "data": "synthesised meanwhile: FastGenerators, 5 steps, 4 batches of 10",
    "teacher": {
        "name": "cifar10_resnet20",
        "sha256": "a22777707eacacf56ae2319e69c93365",
        "test_accuracy": 90.99,
    },
    "recipe": {"steps": 4000, "batch_size": 64, "seed": 7},
    "images": {"method": "FastGenerators", "warmup_batches": 1},
    "budget": {
        "images": 40000,
        "image_passes": 3000000,
        "teacher_passes": 256000,
        "student_steps": 4000,
        "seconds_images": 900.0,
        "seconds_student": 700.0,
        "seconds_total": 1700.0,
        "peak_memory_mib": 1800.4,
    },
    "test_accuracy": 65.1,
    "best": {"test_accuracy": 65.3, "round": 3},
    "agreement": 85.2,
    "seed": 7,
    "round_steps": 1000,
    "command": "jinv distill --student cifar10_wrn16_1",
    "sha256": "feb7465a",
    "jax": "0.10.1",
    "platform": "x86_64 cpu",
}
TRAINING_CARD = {
    "model": "cifar10_vgg11",
    "data": "runs/set (5000 training images)",
    "recipe": {"epochs": 30, "batch_size": 128, "seed": 3},
    "command": "jinv train --data runs/set",
    "test_accuracy": 72.3,
    "sha256": "c0ffee",
    "platform": "x86_64 cpu",
    "jax": "0.10.1",
}


def rounds(*accuracies):
    """Rows of a distillation; where the accuracy is None there was no test."""
    rows = []
    for number, accuracy in enumerate(accuracies, 1):
        row = {"round": number, "agreement": 50.0 + number, "loss": 3.0 / number}
        row |= {"seconds": 175.0, "images": 10 * number, "making": 225.0 * number}
        if accuracy is not None:
            row["test_accuracy"] = accuracy
        rows.append(row)
    return rows


def epochs(*accuracies):
    """Rows of a training."""
    return [
        {"epoch": number, "loss": 2.0 / number, "seconds": 60.0, "test_accuracy": value}
        for number, value in enumerate(accuracies, 1)
    ]


def write_student(folder, card, rows):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{card['model']}.json").write_text(json.dumps(card))
    lines = (json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text("".join(lines))
    (folder / "config.json").write_text(json.dumps({"distillation": card["recipe"]}))
    return folder


def write_pool(folder, batches, size):
    """A finished pool, as the set that grew in it."""
    folder.mkdir()
    images = np.full((batches * size, 8, 8, 3), 99, np.uint8)
    np.savez(folder / "set.npz", x_train=images, y_train=np.zeros(len(images), int))
    rows = ({"index": n, "batch": n // size} for n in range(len(images)))
    lines = (json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text("".join(lines))
