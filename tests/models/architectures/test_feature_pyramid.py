from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.errors import ConfigError
from jinv.models.architectures.feature_pyramid import FeaturePyramid

STAGES = {
    "one stage": [(12, 12, 4)],
    "one small stage": [(3, 3, 4)],
    "three stages": [(12, 12, 2), (6, 6, 4), (3, 3, 8)],
    "four stages, odd ratios": [(12, 12, 5), (7, 7, 4), (4, 4, 4), (2, 2, 3)],
    "five pools": [(6, 6, 2), (3, 3, 4), (3, 3, 6), (2, 2, 6), (1, 1, 6)],
    "oblong": [(12, 6, 3), (6, 3, 5), (3, 3, 7)],
}
"""Height, width and channels, for images of 12 × 12 pixels."""


def inputs(stages, batch=3):
    rng = np.random.default_rng(0)
    shapes = [(12, 12, 3), *stages]
    generated, *features = (
        rng.normal(size=(batch, *shape)).astype(np.float32) for shape in shapes
    )
    return generated, features


def lively(generated, features):
    """Parameters none of which is 0."""
    rng = np.random.default_rng(1)
    init = partial(FeaturePyramid().init, jax.random.key(0))

    def draw(leaf):
        fan_in = max(1, leaf.size // leaf.shape[-1])
        return rng.normal(size=leaf.shape).astype(np.float32) / np.sqrt(2 * fan_in)

    return jax.tree.map(draw, jax.eval_shape(init, generated, features))


apply = jax.jit(FeaturePyramid().apply)


def plain(params, generated, features):
    """The same in float64, in the order of the paper's equation 7."""
    generated, *features = (np.asarray(x, np.float64) for x in (generated, *features))

    def convolve(name, x):
        kernel = np.asarray(params[name]["kernel"], np.float64)
        size = kernel.shape[:2]
        margins = [(length // 2, length // 2) for length in size]
        padded = np.pad(x, ((0, 0), *margins, (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, size, (1, 2))
        return np.einsum("bhwcij,ijco->bhwo", windows, kernel) + params[name]["bias"]

    def up(x, target):
        rows, columns = (
            np.floor((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in zip(target.shape[1:3], x.shape[1:3], strict=True)
        )
        return x[:, rows][:, :, columns]

    count = len(features)
    if count == 1:
        m = convolve("pass1", convolve("mix1", features[0]))
    else:
        m = convolve(f"pass{count}", up(features[-1], features[-2]))
        for number in range(count - 1, 1, -1):
            m = convolve(f"mix{number}", features[number - 1] + m)
            m = convolve(f"pass{number}", up(m, features[number - 2]))
        m = convolve("pass1", convolve("mix1", features[0] + m))
    return np.tanh(convolve("colours", generated + up(m, generated)))


def test_the_pyramid_of_a_resnet34_has_its_published_size():
    generated = jnp.zeros((2, 32, 32, 3))
    features = [
        jnp.zeros((2, size, size, channels))
        for size, channels in ((32, 64), (16, 128), (8, 256), (4, 512))
    ]
    images, variables = jax.eval_shape(
        partial(FeaturePyramid().init_with_output, jax.random.key(0)),
        generated,
        features,
    )
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == 947_279
    assert images.shape == (2, 32, 32, 3)


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
def test_images_are_those_of_a_plain_computation(stages):
    generated, features = inputs(stages)
    variables = lively(generated, features)
    found = apply(variables, generated, features)
    expected = plain(variables["params"], generated, features)
    assert found.shape == (3, 12, 12, 3)
    assert np.abs(expected).std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("stage", range(4))
def test_every_stage_reaches_the_images(stage):
    generated, features = inputs(STAGES["four stages, odd ratios"])
    variables = lively(generated, features)
    images = apply(variables, generated, features)
    features[stage] = features[stage][::-1]
    changed = apply(variables, generated, features)
    assert np.abs(changed - images).max() > 1e-3


def test_the_order_of_a_batch_is_that_of_its_images():
    generated, features = inputs(STAGES["three stages"])
    variables = lively(generated, features)
    order = np.array([2, 0, 1])
    images = apply(variables, generated, features)
    found = apply(variables, generated[order], [f[order] for f in features])
    assert np.abs(images[order] - images).max() > 0.1
    np.testing.assert_allclose(found, images[order], atol=1e-6)


def test_kernels_start_as_pytorchs_own_and_biases_at_0():
    generated, features = inputs([(12, 12, 64), (6, 6, 64)])
    init = jax.jit(FeaturePyramid().init)
    params = init(jax.random.key(3), generated, features)["params"]
    assert not any(layer["bias"].any() for layer in params.values())
    spread = params["mix1"]["kernel"].std()
    np.testing.assert_allclose(spread, np.sqrt(1 / (3 * 9 * 64)), rtol=0.05)


def test_activations_in_bfloat16_make_images_in_float32():
    generated, features = inputs(STAGES["three stages"])
    variables = lively(generated, features)
    found = jax.jit(FeaturePyramid(jnp.bfloat16).apply)(variables, generated, features)
    expected = apply(variables, generated, features)
    assert found.dtype == jnp.float32
    assert 0 < np.abs(found - expected).max() < 0.1


def test_a_pyramid_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="one stage of the classifier or more"):
        FeaturePyramid().init(jax.random.key(0), jnp.zeros((1, 8, 8, 3)), [])
