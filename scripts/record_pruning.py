#!/usr/bin/env python3
"""Record which filters PyTorch would keep of the embedded ResNet-20.

By the L1 norm of each filter; of the trunk, summed over all convolutions that write to
it. Needs PyTorch, and nothing of jinv.
"""

import json
from pathlib import Path

from safetensors.torch import load_file

ROOT = Path(__file__).parents[1]
RATIO = 0.5
BLOCKS = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]


def main() -> None:
    state = load_file(ROOT / "weights" / "cifar10_resnet20.safetensors")

    def norms(layer):
        return state[f"{layer}.weight"].double().abs().sum((1, 2, 3))

    def strongest(values, numbers):
        """The numbers whose values are largest, in their own order."""
        keep = int(len(numbers) * (1 - RATIO))
        order = values[numbers].argsort(descending=True)[:keep]
        return sorted(numbers[place] for place in order.tolist())

    inside = {
        f"{block}.conv1": strongest(
            norms(f"{block}.conv1"), list(range(len(norms(f"{block}.conv1"))))
        )
        for block in BLOCKS
    }
    # Zeros are padded evenly: channel c of a stage is c + 8, then c + 16 more, later.
    total = norms("layer3.0.conv2") + norms("layer3.1.conv2") + norms("layer3.2.conv2")
    for block in (3, 4, 5):
        total[16:48] += norms(f"{BLOCKS[block]}.conv2")
    for layer in ("conv1", *(f"{block}.conv2" for block in BLOCKS[:3])):
        total[24:40] += norms(layer)
    bands = {
        "stage 1": range(24, 40),
        "stage 2": [*range(16, 24), *range(40, 48)],
        "stage 3": [*range(16), *range(48, 64)],
    }
    trunk = {name: strongest(total, list(numbers)) for name, numbers in bands.items()}
    path = ROOT / "tests" / "transfer" / "recorded" / "pruning.json"
    found = {"ratio": RATIO, "inside": inside, "trunk": trunk}
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
