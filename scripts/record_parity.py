#!/usr/bin/env python3
"""Record what PyTorch computes with the zoo's architectures.

Writes tests/models/parity/NAME.npz for each: logits, R_feature, and the gradient of
cross-entropy + 0.01 R_feature with respect to the inputs, in float64. Needs torch,
torchvision, pytorch-fid and efficientnet-lite-pytorch, whose networks are the
reference; the tests that read the files need none of them.

    python scripts/record_parity.py [NAME ...]
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


def from_torchvision(name: str, **options):
    import torchvision

    return getattr(torchvision.models, name)(weights=None, **options)


def fid_inception():
    from pytorch_fid import inception as units

    network = from_torchvision(
        "inception_v3", num_classes=1008, aux_logits=False, init_weights=False
    )
    network.Mixed_5b = units.FIDInceptionA(192, pool_features=32)
    network.Mixed_5c = units.FIDInceptionA(256, pool_features=64)
    network.Mixed_5d = units.FIDInceptionA(288, pool_features=64)
    for name, inner in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
        setattr(network, f"Mixed_{name}", units.FIDInceptionC(768, channels_7x7=inner))
    network.Mixed_7b = units.FIDInceptionE_1(1280)
    network.Mixed_7c = units.FIDInceptionE_2(2048)
    return network


def efficientnet_lite0():
    from efficientnet_lite_pytorch import EfficientNet

    # Padding that follows the input: the default is fixed for the published size.
    return EfficientNet.from_name("efficientnet-lite0", image_size=None)


def cifar_vgg():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.features = from_torchvision("vgg16_bn").features
            self.classifier = nn.Linear(512, 10)

        def forward(self, x):
            return self.classifier(self.features(x).mean((2, 3)))

    return Network()


class WideBlock(nn.Module):
    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.convShortcut = None
        if before != after:
            self.convShortcut = nn.Conv2d(before, after, 1, stride, bias=False)

    def forward(self, x):
        active = F.relu(self.bn1(x))
        y = self.conv2(F.relu(self.bn2(self.conv1(active))))
        return y + (self.convShortcut(active) if self.convShortcut else x)


class WideResNet(nn.Module):
    def __init__(self, depth: int, widening: int):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        before = 16
        for stage, width in enumerate((16, 32, 64), start=1):
            layers = []
            for index in range((depth - 4) // 6):
                stride = 2 if stage > 1 and index == 0 else 1
                layers.append(WideBlock(before, width * widening, stride))
                before = width * widening
            group = nn.Module()
            group.layer = nn.Sequential(*layers)
            setattr(self, f"block{stage}", group)
        self.bn1 = nn.BatchNorm2d(before)
        self.fc = nn.Linear(before, 10)

    def forward(self, x):
        x = self.conv1(x)
        for group in (self.block1, self.block2, self.block3):
            x = group.layer(x)
        return self.fc(F.relu(self.bn1(x)).mean((2, 3)))


class SmallNet(nn.Module):
    def __init__(self, before: int, widths: tuple[int, ...], units: tuple[int, ...]):
        super().__init__()
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Conv2d(before, width, 3, 1, 1, bias=False), nn.ReLU()]
            layers += [nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
            before = width
        self.convs = nn.Sequential(*layers)
        layers = []
        for inputs, outputs in zip(units[:-1], units[1:], strict=True):
            layers += [nn.Linear(inputs, outputs, bias=False), nn.ReLU()]
        self.linear = nn.Sequential(*layers[:-1])

    def forward(self, x):
        return self.linear(self.convs(x).flatten(1))


NETWORKS = {
    "resnet50": lambda: from_torchvision("resnet50"),
    "alexnet": lambda: from_torchvision("alexnet"),
    "mobilenet_v2": lambda: from_torchvision("mobilenet_v2"),
    "densenet121": lambda: from_torchvision("densenet121"),
    "inception_v3_fid": fid_inception,
    "efficientnet_lite0": efficientnet_lite0,
    "cifar10_vgg16_bn": cifar_vgg,
    "cifar10_wrn16_2": lambda: WideResNet(16, 2),
    "cifar10_conv4": lambda: SmallNet(3, (64, 128), (8192, 256, 256, 10)),
    "mnist_fc": lambda: SmallNet(1, (), (784, 300, 100, 10)),
}


def record(name: str) -> None:
    network = NETWORKS[name]().double().eval()
    state = {
        key: torch.from_numpy(parity_array(key, tuple(value.shape))).double()
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
    images, labels = parity_inputs(name)
    x = torch.from_numpy(images).double().permute(0, 3, 1, 2).requires_grad_(True)
    logits = network(x)
    feature = sum(distances, torch.zeros((), dtype=torch.float64))
    loss = F.cross_entropy(logits, torch.from_numpy(labels)) + 0.01 * feature
    loss.backward()
    gradient = x.grad.permute(0, 2, 3, 1).numpy()
    folder = FOLDER / "parity"
    folder.mkdir(exist_ok=True)
    np.savez_compressed(
        folder / f"{name}.npz",
        logits=logits.detach().numpy().astype(np.float32),
        feature=feature.item(),
        gradient_norm=np.linalg.norm(gradient),
        gradient_sample=gradient[:, ::8, ::8].astype(np.float32),
    )
    print(f"{name}: R_feature {feature.item():.6f}, |g| {np.linalg.norm(gradient):.6g}")


if __name__ == "__main__":
    for name in sys.argv[1:] or NETWORKS:
        record(name)
