#!/usr/bin/env python3
"""Record what PyTorch computes on a ResNet-50 in torchvision's layout.

Writes tests/models/parity_resnet50.npz: logits, R_feature, and the gradient of
cross-entropy + 0.01 R_feature with respect to the inputs, in float64. Needs the `torch`
extra; the test that reads the file does not.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "models"
sys.path.insert(0, str(FOLDER))

from parity_network import parity_array, parity_inputs  # noqa: E402


class Bottleneck(nn.Module):
    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        after = 4 * width
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = None
        if stride > 1 or before != after:
            projection = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(after))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet50(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        before = 64
        for stage, (blocks, width) in enumerate(
            zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1
        ):
            layers = []
            for index in range(blocks):
                stride = 2 if stage > 1 and index == 0 else 1
                layers.append(Bottleneck(before, width, stride))
                before = 4 * width
            setattr(self, f"layer{stage}", nn.Sequential(*layers))
        self.fc = nn.Linear(before, 1000)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


def main() -> None:
    network = ResNet50().double().eval()
    state = {
        key: torch.from_numpy(parity_array(key, tuple(value.shape)))
        for key, value in network.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    network.load_state_dict(state, strict=False)
    distances = []

    def compare(norm, inputs):
        x = inputs[0]
        mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)
        distances.append((norm.running_var - var).norm())
        distances.append((norm.running_mean - mean).norm())

    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(compare)
    inputs, labels = parity_inputs()
    x = torch.from_numpy(inputs).double().permute(0, 3, 1, 2).requires_grad_(True)
    logits = network(x)
    feature = sum(distances)
    (F.cross_entropy(logits, torch.from_numpy(labels)) + 0.01 * feature).backward()
    gradient = x.grad.permute(0, 2, 3, 1).numpy()
    np.savez_compressed(
        FOLDER / "parity_resnet50.npz",
        logits=logits.detach().numpy(),
        feature=feature.item(),
        gradient_norm=np.linalg.norm(gradient),
        gradient_sample=gradient[:, ::4, ::4],
    )
    print(f"R_feature {feature.item():.6f}, |gradient| {np.linalg.norm(gradient):.6f}")


if __name__ == "__main__":
    main()
