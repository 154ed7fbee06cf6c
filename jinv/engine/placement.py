"""How a batch lies on devices, and how programs are compiled for that."""

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any, Literal, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from jinv.engine.phase import Split
from jinv.engine.step import ALONE, Team
from jinv.errors import ConfigError

Parallel = Literal["jit", "pmap"]

_AXIS = "devices"


class Placement(Protocol):
    """How arrays lie on devices, and how a step function is compiled for them.

    The images' own arrays in every `Split` are spread, others are copied to every
    device.
    """

    devices: int
    """Number of the devices."""
    team: Team
    """Devices that run a program each."""

    @property
    def key(self) -> Hashable:
        """What tells programs for this placement from those for others."""
        ...

    def put(self, tree: Any) -> Any:
        """Lay a tree of whole arrays out."""
        ...

    def get(self, tree: Any) -> Any:
        """Read a tree back as whole NumPy arrays."""
        ...

    def compile(
        self, function: Callable, *arguments: Any, donate: bool = True
    ) -> Callable:
        """Compile a function of trees for arguments of this layout.

        Args:
            function: Function of trees, to trees.
            *arguments: Example arguments.
            donate: Whether the first argument is given up.
        """
        ...


class Sharded:
    """One program over all devices; XLA inserts the communication."""

    def __init__(self, devices: int):
        """Spread batches over the first `devices` devices."""
        self.devices = devices
        self.team = ALONE
        mesh = jax.make_mesh(
            (devices,), (_AXIS,), (AxisType.Auto,), devices=jax.devices()[:devices]
        )
        self._layouts = {
            True: NamedSharding(mesh, PartitionSpec(_AXIS)),
            False: NamedSharding(mesh, PartitionSpec()),
        }

    @property
    def key(self) -> Hashable:
        """What tells programs of this kind, over so many devices, from others."""
        return "jit", self.devices

    def _layout(self, tree: Any) -> Any:
        return jax.tree.map(self._layouts.get, _spread(tree))

    def put(self, tree: Any) -> Any:
        """Lay a tree of whole arrays out, each as one array over all devices."""
        return jax.device_put(tree, self._layout(tree))

    def get(self, tree: Any) -> Any:
        """Read a tree back as whole NumPy arrays."""
        if jax.process_count() > 1:
            return multihost_utils.process_allgather(tree, tiled=True)
        return jax.device_get(tree)

    def compile(
        self, function: Callable, *arguments: Any, donate: bool = True
    ) -> Callable:
        """Compile one program; see `Placement.compile`."""
        layout = self._layout(jax.eval_shape(function, *arguments))
        given = (0,) if donate else ()
        jitted = jax.jit(function, donate_argnums=given, out_shardings=layout)
        return jitted.lower(*arguments).compile()


class Mapped:
    """A program per device, joined by explicit collectives: `jax.pmap`."""

    def __init__(self, devices: int):
        """Spread batches over the first `devices` devices."""
        self.devices = devices
        self.team = Team(partial(jax.lax.pmean, axis_name=_AXIS), devices)
        self._devices = jax.devices()[:devices]
        mesh = jax.make_mesh(
            (devices,), (_AXIS,), (AxisType.Auto,), devices=self._devices
        )
        self._layout = NamedSharding(mesh, PartitionSpec(_AXIS))

    @property
    def key(self) -> Hashable:
        """What tells programs of this kind, over so many devices, from others."""
        return "pmap", self.devices

    def put(self, tree: Any) -> Any:
        """Lay a tree of whole arrays out, in parts along a first axis of devices."""
        count = self.team.size

        def split(leaf: Any, spread: bool) -> Any:
            leaf = jnp.asarray(leaf)
            if spread:
                return leaf.reshape(count, -1, *leaf.shape[1:])
            return jnp.broadcast_to(leaf, (count, *leaf.shape))

        parts = jax.tree.map(split, tree, _spread(tree))
        return jax.device_put(parts, self._layout)

    def get(self, tree: Any) -> Any:
        """Read a tree back as whole NumPy arrays."""

        def join(leaf: np.ndarray, spread: bool) -> np.ndarray:
            return leaf.reshape(-1, *leaf.shape[2:]) if spread else leaf[0]

        return jax.tree.map(join, jax.device_get(tree), _spread(tree))

    def compile(
        self, function: Callable, *arguments: Any, donate: bool = True
    ) -> Callable:
        """Compile a program for each device; see `Placement.compile`."""
        given = (0,) if donate else ()
        mapped = jax.pmap(function, _AXIS, devices=self._devices, donate_argnums=given)
        return mapped.lower(*arguments).compile()


def make_placement(
    parallel: Parallel,
    devices: int,
    batch: int,
    company: int = 0,
) -> Placement:
    """Choose how to spread a batch.

    Args:
        parallel: "jit" (one sharded program) or "pmap" (a program per device).
        devices: Number of devices; 0 for as many as can; see `sharing_devices`.
        batch: Images in the batch.
        company: Number of the images that are company, for messages.

    Raises:
        ConfigError: There are fewer devices, or they cannot share the batch evenly.
    """
    if parallel == "pmap" and jax.process_count() > 1:
        raise ConfigError("pmap cannot span several hosts: take --parallel jit")
    count = sharing_devices(devices, batch, company)
    return Mapped(count) if parallel == "pmap" else Sharded(count)


def sharing_devices(devices: int, batch: int, company: int = 0) -> int:
    """Tell how many devices share a batch evenly.

    The batch decides how many devices are used, never they how large it is: images
    would depend on the machine.

    Args:
        devices: Number asked for; 0 for as many as can, at most all. Where several
            processes compute together, all of their devices take part.
        batch: Images in the batch.
        company: Number of the images that are company, for messages.

    Raises:
        ConfigError: There are fewer devices, or they cannot share the batch evenly.
    """
    there, together = jax.device_count(), jax.process_count() > 1
    if devices > there:
        raise ConfigError(f"{devices} devices were asked for, but there are {there}")
    if together and devices not in (0, there):
        raise ConfigError(
            f"{devices} devices were asked for, but processes that compute together "
            f"use all of their {there}: leave --devices out"
        )
    fewer = _largest_divisor(batch, devices or there)
    if devices == 0 and not together:
        return fewer
    count = devices or there
    if fewer < count:
        below, above = batch // count * count, -(-batch // count) * count
        fits = f"{below} or {above}" if below else str(above)
        named = f"{batch}, {company} of them company," if company else batch
        raise ConfigError(
            f"a batch of {named} cannot be shared evenly by {count} devices: take a "
            f"batch of {fits}" + ("" if together else f", or --devices {fewer}")
        )
    return count


def _spread(tree: Any) -> Any:
    """Which arrays of a tree belong to single images: a tree of booleans."""

    def mark(node: Any) -> Any:
        copied = jax.tree.map(lambda _: False, node)
        if isinstance(node, Split):
            return copied._replace(own=jax.tree.map(lambda _: True, node.own))
        return copied

    return jax.tree.map(mark, tree, is_leaf=lambda x: isinstance(x, Split))


def _largest_divisor(batch: int, most: int) -> int:
    return max(n for n in range(1, most + 1) if batch % n == 0)
