#!/usr/bin/env python3
"""Record what PyTorch computes where a student learns from a teacher.

Writes tests/transfer/recorded/: the losses of a student and of images that are made for
it, with their gradients, in float64 (losses.npz); and a small student after one and
after three updates by SGD (updates.npz), once with decay of all parameters, as the
originals have it, once of kernels alone, as jinv trains. Needs torch; the tests that
read the files do not.

    python scripts/record_distillation_parity.py
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "transfer" / "recorded"
BATCH, CLASSES, STEPS = 6, 5, 3
TEMPERATURE = 4.0


def softened(student, teacher, temperature: float, reduction: str = "batchmean"):
    """Distillation's loss, as every repository writes it."""
    log_shares = F.log_softmax(student / temperature, 1)
    shares = F.softmax(teacher / temperature, 1)
    return F.kl_div(log_shares, shares, reduction=reduction) * temperature**2


def adversarial(student, teacher):
    """The generator's loss of CMI and FastDFKD: only where both name one class."""
    agree = (student.argmax(1) == teacher.argmax(1)).to(student.dtype)
    return -(softened(student, teacher, 1.0, "none").sum(1) * agree).mean()


def competition(student, teacher, temperature: float):
    """1 - JS in bits, of the definition, without the published bounds."""
    p, q = (F.softmax(x / temperature, 1) for x in (teacher, student))
    middle = (p + q) / 2
    divergence = sum((x * (x / middle).log()).sum(1) / 2 for x in (p, q))
    return (1 - divergence / math.log(2)).mean()


def record_losses() -> None:
    teacher, student = (
        (4 * torch.randn(BATCH, CLASSES, dtype=torch.float64)).requires_grad_(True)
        for _ in range(2)
    )
    with torch.no_grad():
        student[:3] += 1.5 * teacher[:3]  # seen alike
    losses = {
        **{f"softened_{t}": softened(student, teacher, t) for t in (1, 4, 20)},
        "adversarial": adversarial(student, teacher),
        **{f"competition_{t}": competition(student, teacher, t) for t in (1, 3)},
    }
    record = {"teacher": teacher, "student": student}
    for name, loss in losses.items():
        gradients = torch.autograd.grad(loss, (teacher, student))
        record[name] = loss
        record[f"{name}.teacher"], record[f"{name}.student"] = gradients
        print(f"{name}: {loss.item():.6f}")
    arrays = {name: tensor.detach().numpy() for name, tensor in record.items()}
    np.savez_compressed(FOLDER / "losses.npz", **arrays)


class Student(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.fc(F.relu(self.bn(self.conv(x))).mean((2, 3)))


def state_of(network: nn.Module) -> dict[str, np.ndarray]:
    return {
        key: value.numpy().astype(np.float32)
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }


def make_student(state: dict[str, np.ndarray] | None = None) -> Student:
    student = Student().double()
    if state is None:
        nn.init.uniform_(student.bn.weight, 0.5, 1.5)
        nn.init.normal_(student.bn.bias)
    else:
        tensors = {key: torch.from_numpy(value) for key, value in state.items()}
        student.load_state_dict(tensors, strict=False)
    return student.train()


def record_updates() -> None:
    images = torch.randn(STEPS, BATCH, 2, 5, 5)
    answers = 3 * torch.randn(STEPS, BATCH, CLASSES)
    start = state_of(make_student())
    record = {
        "images": images.permute(0, 1, 3, 4, 2).numpy(),
        "answers": answers.numpy(),
        **{f"start.{key}": value for key, value in start.items()},
    }
    for decayed in ("all", "kernels"):
        student = make_student(start)
        decays = {"all": lambda x: True, "kernels": lambda x: x.ndim > 1}[decayed]
        groups = [
            {"params": [x for x in student.parameters() if decays(x)]},
            {
                "params": [x for x in student.parameters() if not decays(x)],
                "weight_decay": 0.0,
            },
        ]
        optimizer = torch.optim.SGD(
            [group for group in groups if group["params"]],
            lr=0.1,
            momentum=0.9,
            weight_decay=1e-4,
        )
        losses = []
        for step in range(STEPS):
            loss = softened(
                student(images[step].double()), answers[step].double(), TEMPERATURE
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            if step in (0, STEPS - 1):
                after = state_of(student)
                record |= {f"{decayed}.{step + 1}.{k}": v for k, v in after.items()}
        record[f"{decayed}.losses"] = np.array(losses)
        print(f"decay of {decayed}: {losses}")
    np.savez_compressed(FOLDER / "updates.npz", **record)


if __name__ == "__main__":
    torch.manual_seed(0)
    FOLDER.mkdir(exist_ok=True)
    record_losses()
    record_updates()
