"""Random numbers that belong to single images."""

import jax


def draw_normal(key: jax.Array, index: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Draw standard normal numbers for the images of the given numbers.

    They depend on the key and on an image's number alone, so that a result does not
    depend on how images are put together in batches, or spread over devices.

    Args:
        key: Random key of the run.
        index: Each image's number (batch,), integers.
        shape: Shape of what each image gets.

    Returns:
        Array (batch, *shape), float32.
    """

    def one(i: jax.Array) -> jax.Array:
        return jax.random.normal(jax.random.fold_in(key, i), shape)

    return jax.vmap(one)(index)
