"""`jinv` with a small classifier in its zoo, for tests that need a process."""

import os
import subprocess
import sys
from functools import partial

from jinv.cli.main import main
from jinv.models import zoo
from jinv.models.architectures.resnet import ResNet

TINY = zoo.ClassifierSpec(
    name="tiny",
    build=partial(ResNet, (1, 1), (4, 8), stem="cifar"),
    classes=("apple", "boat", "cat", "dog", "egg", "fish"),
    input_size=8,
)
OTHER = zoo.ClassifierSpec(**{**vars(TINY), "name": "other"})
PLAIN_NAMES = ("apple", "boat", "car", "dog", "egg", "fish")
STRANGER = zoo.ClassifierSpec(
    **{**vars(TINY), "name": "stranger", "classes": PLAIN_NAMES}
)


def start(*words: str, devices: int = 1) -> subprocess.Popen:
    """A process of its own that runs `jinv` with these words.

    What XLA itself says would fill the pipe, which is read in the end only.
    """
    environment = {"JAX_NUM_CPU_DEVICES": str(devices), "TF_CPP_MIN_LOG_LEVEL": "3"}
    return subprocess.Popen(
        [sys.executable, __file__, *words],
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )


if __name__ == "__main__":
    zoo._zoo().update(tiny=TINY, other=OTHER)
    sys.exit(main())
