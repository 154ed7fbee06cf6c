"""Compiled programs: each is compiled once, and remembered with its network."""

import time
from collections.abc import Callable, Hashable
from typing import Any

import jax

from jinv.engine.placement import Placement
from jinv.memo import Memo

_CONTEXT = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_debug_nans",
    "jax_disable_jit",
)
"""Settings of jax that change what a function is compiled to."""


class Programs:
    """The programs that a run needs, some of which an earlier run has left.

    A program depends on the function, the placement, the shapes of its arguments and
    what jax is told; where all are alike, it is the same program, in whichever run.
    """

    def __init__(
        self,
        memo: Memo,
        placement: Placement,
        on_compiled: Callable[[float], None],
    ):
        """Find and keep programs.

        Args:
            memo: Memo that remembers them, e.g. a classifier's.
            placement: Placement that they are compiled for.
            on_compiled: Told of the seconds that compiling took, where it was needed.
        """
        self._memo, self._placement = memo, placement
        self._on_compiled = on_compiled
        self._here: dict[Hashable, Callable] = {}

    def get(
        self,
        name: Hashable,
        make: Callable[[], Callable],
        *arguments: Any,
        donate: bool = True,
    ) -> Callable:
        """Find a program, or compile it.

        Args:
            name: What tells the function from others, across runs.
            make: Makes the function, of trees, to trees.
            *arguments: Example arguments, alike in all calls of a run with this name.
            donate: Whether the first one is given up.
        """
        if name not in self._here:
            leaves, structure = jax.tree.flatten(arguments)
            kinds = structure, tuple(map(jax.typeof, leaves))
            context = tuple(getattr(jax.config, option) for option in _CONTEXT)
            self._here[name] = self._memo.get(
                (name, self._placement.key, kinds, context),
                lambda: self._compile(make(), *arguments, donate=donate),
            )
        return self._here[name]

    def _compile(self, function: Callable, *arguments: Any, donate: bool) -> Callable:
        began = time.monotonic()
        program = self._placement.compile(function, *arguments, donate=donate)
        self._on_compiled(time.monotonic() - began)
        return program
