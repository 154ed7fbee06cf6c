#!/usr/bin/env python3
"""Record what PyTorch computes with masked weights.

Writes tests/supermask/recorded/: for a convolution and a dense layer the mask, the
output and the gradient of the scores under edge-popup's rule and under that of drawn
masks (layers.npz); and a checkpoint as the original repository saves it, of a small
ResNet, with its logits (published.pth, published.npz). Needs torch; the tests that read
the files do not.

    python scripts/record_supermask_parity.py
"""

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "supermask" / "recorded"
KEPT = 0.3


class TopMask(torch.autograd.Function):
    """1 for the weights of largest magnitude; the gradient passes as it comes."""

    @staticmethod
    def forward(ctx, magnitudes, keep_fraction):
        ranked = magnitudes.flatten().argsort()
        mask = torch.ones(magnitudes.numel(), dtype=magnitudes.dtype)
        mask[ranked[: int((1 - keep_fraction) * len(ranked))]] = 0
        return mask.reshape(magnitudes.shape)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


class DrawnMask(torch.autograd.Function):
    """1 where a uniform number lies below the chance; the gradient passes."""

    @staticmethod
    def forward(ctx, chances, uniform):
        return (uniform < chances).to(chances.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def record_layer(name: str, forward, inputs: tuple, shape: tuple) -> dict:
    x, weight = torch.randn(inputs), torch.randn(shape)
    scores, uniform = torch.randn(shape).requires_grad_(True), torch.rand(shape)
    record = {"inputs": x, "weight": weight, "scores": scores, "uniform": uniform}
    masks = {
        "top0.3": TopMask.apply(scores.abs(), 0.3),
        "top0.5": TopMask.apply(scores.abs(), 0.5),
        "drawn": DrawnMask.apply(scores.sigmoid(), uniform),
    }
    for rule, mask in masks.items():
        output = forward(x, weight * mask)
        (gradient,) = torch.autograd.grad(output.square().mean(), scores)
        record[f"{rule}.mask"] = mask.bool()
        record[f"{rule}.output"] = output
        record[f"{rule}.gradient"] = gradient
    return {f"{name}.{key}": value.detach().numpy() for key, value in record.items()}


def record_layers() -> None:
    def convolve(x, weight):
        return F.conv2d(x, weight, padding=1)

    conv = record_layer("conv", convolve, (2, 3, 4, 4), (4, 3, 3, 3))
    dense = record_layer("dense", F.linear, (3, 11), (5, 11))
    np.savez_compressed(FOLDER / "layers.npz", **conv, **dense)


class Masked(nn.Conv2d):
    """A convolution of constants ±√(2 / (fan-in (1 - k))), of which k are used."""

    def __init__(self, before: int, after: int, size: int, stride: int = 1):
        super().__init__(before, after, size, stride, size // 2, bias=False)
        fan_in = before * size * size
        constant = math.sqrt(2) / math.sqrt(fan_in * (1 - KEPT))
        self.weight = nn.Parameter(self.weight.data.sign() * constant, False)
        self.scores = nn.Parameter(torch.empty_like(self.weight))
        nn.init.kaiming_uniform_(self.scores, a=math.sqrt(5))

    def forward(self, x):
        used = self.weight * TopMask.apply(self.scores.abs(), KEPT)
        return F.conv2d(x, used, None, self.stride, self.padding)


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.conv1 = Masked(before, after, 3, stride)
        self.bn1 = nn.BatchNorm2d(after, affine=False)
        self.conv2 = Masked(after, after, 3)
        self.bn2 = nn.BatchNorm2d(after, affine=False)
        self.shortcut = nn.Sequential()
        if before != after:
            norm = nn.BatchNorm2d(after, affine=False)
            self.shortcut = nn.Sequential(Masked(before, after, 1, stride), norm)

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class Network(nn.Module):
    """The architecture of the `tiny` classifier of the tests."""

    def __init__(self):
        super().__init__()
        self.conv1 = Masked(3, 4, 3)
        self.bn1 = nn.BatchNorm2d(4, affine=False)
        self.layer1 = nn.Sequential(Block(4, 4, 1))
        self.layer2 = nn.Sequential(Block(4, 8, 2))
        self.fc = Masked(8, 6, 1)

    def forward(self, x):
        x = self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean((2, 3), keepdim=True)).flatten(1)


def record_checkpoint() -> None:
    network = Network()
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.1, momentum=0.9, weight_decay=1e-4)
    for _ in range(3):
        loss = F.cross_entropy(network(torch.randn(16, 3, 8, 8)), torch.arange(16) % 6)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    network.eval()
    inputs = torch.randn(2, 8, 8, 3)
    with torch.no_grad():
        logits = network(inputs.permute(0, 3, 1, 2))
    content = {
        "epoch": 3,
        "arch": "tiny",
        "state_dict": nn.DataParallel(network).state_dict(),
        "best_acc1": 17.5,
        "optimizer": optimizer.state_dict(),
        "curr_acc1": "Not evaluated",
    }
    # In the format of its time.
    path = FOLDER / "published.pth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    np.savez_compressed(
        FOLDER / "published.npz", inputs=inputs.numpy(), logits=logits.numpy()
    )


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    record_layers()
    record_checkpoint()
    for path in sorted(FOLDER.iterdir()):
        print(f"{path.name}: {path.stat().st_size / 1024:.1f} KB")
