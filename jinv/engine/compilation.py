"""The cache of compiled programs on disk."""

from typing import Any

import jax

from jinv.cache import cache_dir


def keep_compiled_programs() -> None:
    """Let XLA's compiled programs survive the process.

    They are kept under `cache_dir()`, unless somebody has chosen another place, by
    `JAX_COMPILATION_CACHE_DIR` or in jax's own configuration, and not at all where
    several hosts compute together.
    """
    if jax.process_count() > 1:
        # Hosts that load small programs from it wait for ever (jax 0.10).
        jax.config.update("jax_enable_compilation_cache", False)
        return
    chosen: Any = jax.config
    if chosen.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "xla"))
