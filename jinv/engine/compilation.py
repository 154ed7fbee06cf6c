"""The cache of compiled programs on disk."""

import jax

from jinv.models.weight_files import cache_dir


def keep_compiled_programs() -> None:
    """Let XLA's compiled programs survive the process, under `cache_dir()`."""
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)
