"""Several processes that compute together, each on devices of its own."""

import re

import jax
import numpy as np
from jax.experimental import multihost_utils

from jinv.errors import ConfigError


def join_hosts(hosts: str) -> None:
    """Make this process one of several that compute together; before anything else.

    Args:
        hosts: "auto" where the cluster says who takes part (Slurm, Kubernetes, Open
            MPI, TPU pods), or "ADDRESS:PORT,I/N": where process 0 can be reached, and
            which one of how many this is.

    Raises:
        ConfigError: It is neither.
    """
    if hosts == "auto":
        jax.distributed.initialize()
        return
    found = re.fullmatch(r"([^,]+:\d+),(\d+)/(\d+)", hosts)
    if not found or int(found[2]) >= int(found[3]):
        raise ConfigError(
            f"--hosts {hosts!r}: expected auto, or ADDRESS:PORT,I/N with I from 0 to "
            "N - 1, e.g. 10.0.0.1:1234,0/2"
        )
    jax.distributed.initialize(found[1], int(found[3]), int(found[2]))


def is_first_host() -> bool:
    """Whether this process is the one that writes."""
    return jax.process_index() == 0


def agreed(wish: bool) -> bool:
    """Whether any of the processes that compute together wishes so; the same in all."""
    if jax.process_count() == 1:
        return wish
    return bool(multihost_utils.process_allgather(np.asarray(wish)).any())


def from_first_host(values: np.ndarray) -> np.ndarray:
    """Tell all processes what the first knows; alike in shape and type."""
    if jax.process_count() == 1:
        return values
    return np.asarray(multihost_utils.broadcast_one_to_all(values))
