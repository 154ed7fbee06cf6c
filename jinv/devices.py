"""Devices of computations. Only here and in `engine/placement.py` jax is asked."""

import platform
import sys

import jax


def device_count() -> int:
    """Number of devices; see `sharing_devices` for how many a run uses."""
    return jax.device_count()


def on_accelerator() -> bool:
    """Whether computations run on something faster than a CPU."""
    return backend() != "cpu"


def backend() -> str:
    """Kind of device that computations run on, e.g. "cpu" or "gpu"."""
    return jax.default_backend()


def device_name() -> str:
    """Name of the device that computations run on, e.g. "cpu" or "NVIDIA H100"."""
    return jax.devices()[0].device_kind


def peak_memory_mib() -> float:
    """Most memory in use so far, in MiB: of the first accelerator, else the process.

    0 where neither is known, as on Windows.
    """
    statistics = jax.devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in statistics:
        return statistics["peak_bytes_in_use"] / 2**20
    try:
        import resource
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in KiB, macOS in bytes.
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def provenance() -> dict[str, str]:
    """What a card says of the machine that something was made on, and of jax's version.

    Example:
        >>> sorted(provenance())
        ['jax', 'platform']
    """
    return {"platform": f"{platform.machine()} {backend()}", "jax": jax.__version__}
