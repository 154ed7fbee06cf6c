from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jinv.images.fourier import Fourier

KEY = jax.random.key(5)
SIZES = [(8, 8), (7, 7), (6, 9), (9, 6), (1, 5), (37, 20)]


def plain(height, width):
    """Waves alone: nothing of what makes them images of a kind."""
    return Fourier(height, width, 1, decay=0.0, gain=1.0, bounded=False)


@pytest.mark.parametrize("size", SIZES)
def test_waves_are_orthonormal(size):
    fourier, pixels = plain(*size), size[0] * size[1]
    unit = jnp.eye(pixels).reshape(pixels, *size, 1)
    waves = fourier.render(unit).reshape(pixels, pixels)
    exact = jax.lax.Precision.HIGHEST
    products = jnp.matmul(waves, waves.T, precision=exact)
    np.testing.assert_allclose(products, np.eye(pixels), atol=1e-5)
    coefficients = fourier.init(KEY, jnp.arange(3))
    energy = jnp.sum(jnp.square(coefficients), (1, 2, 3))
    found = jnp.sum(jnp.square(fourier.render(coefficients)), (1, 2, 3))
    np.testing.assert_allclose(found, energy, rtol=1e-5)


def test_a_wave_has_its_frequency():
    coefficients = jnp.zeros((1, 10, 12, 1)).at[0, 2, 3].set(1)
    angle = 2 * np.pi * (2 * np.arange(10)[:, None] / 10 + 3 * np.arange(12) / 12)
    expected = (np.cos(angle) + np.sin(angle)) / np.sqrt(120)
    np.testing.assert_allclose(
        plain(10, 12).render(coefficients)[0, ..., 0], expected, atol=1e-6
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_coefficients_of_an_image_render_it(size, channels):
    fourier = Fourier(*size, channels)
    images = jax.random.uniform(KEY, (2, *size, channels))
    coefficients = fourier.coefficients_of(images)
    np.testing.assert_allclose(fourier.render(coefficients), images, atol=1e-5)
    free, inputs = replace(fourier, bounded=False), 6 * images - 3
    found = free.render(free.coefficients_of(inputs))
    np.testing.assert_allclose(found, inputs, atol=1e-5)


def test_a_photograph_with_black_and_white_is_rendered():
    images = jnp.tile(jnp.array([0.0, 0.5, 1.0, 1 / 255])[:, None], (1, 60, 45, 3))
    fourier = Fourier(60, 180)
    images = images.reshape(1, 60, 180, 3)
    found = fourier.render(fourier.coefficients_of(images))
    np.testing.assert_allclose(found, images, atol=1.1e-5)
    safer = fourier.coefficients_of(images, least=0.01)
    np.testing.assert_allclose(fourier.render(safer), images, atol=0.0101)
    assert abs(safer).max() < abs(fourier.coefficients_of(images)).max()


def test_coefficients_of_what_was_rendered_are_those_that_it_was_made_of():
    fourier = Fourier(9, 14)
    coefficients = fourier.init(KEY, jnp.arange(2))
    found = fourier.coefficients_of(fourier.render(coefficients))
    np.testing.assert_allclose(found, coefficients, atol=1e-5)


def lucid(spectrum, size, colours):
    """Images of complex coefficients (…, height, width // 2 + 1, 3), as there."""
    height, width = size
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    weight = 1 / np.maximum(np.hypot(rows, columns), 1 / max(size))
    weighted = weight[..., None] * spectrum
    values = np.fft.irfft2(weighted, s=size, axes=(-3, -2), norm="ortho") / 4
    return 1 / (1 + np.exp(-values @ colours))


def test_images_are_those_of_complex_coefficients():
    # Each pair of ours is the real and the imaginary part, turned by an eighth.
    rng, size = np.random.default_rng(0), (8, 13)
    spectrum = np.zeros((8, 7, 3), complex)
    spectrum[:, 1:] = rng.normal(size=(8, 6, 3)) + 1j * rng.normal(size=(8, 6, 3))
    coefficients = np.zeros((8, 13, 3))
    for u, v in np.ndindex(8, 7):
        z = spectrum[u, v]
        coefficients[u, v] = (z.real - z.imag) / np.sqrt(2)
        coefficients[-u, -v] = (z.real + z.imag) / np.sqrt(2)
    colours = [
        [0.5628, 0.5845, 0.5845],
        [0.1948, 0, -0.1948],
        [0.0433, -0.1082, 0.0649],
    ]
    found = Fourier(*size).render(jnp.asarray(coefficients[None], jnp.float32))
    expected = lucid(spectrum, size, np.array(colours))
    np.testing.assert_allclose(found[0], expected, atol=1e-4)


@pytest.mark.parametrize("bounded", [True, False])
def test_gradients_are_slopes(bounded):
    with jax.enable_x64(True):
        fourier = Fourier(5, 6, bounded=bounded, scale=1.0)
        rng = np.random.default_rng(1)
        coefficients, step, weight = map(jnp.asarray, rng.normal(size=(3, 1, 5, 6, 3)))

        def value(x):
            return jnp.sum(weight * fourier.render(x))

        slope = jnp.vdot(jax.grad(value)(coefficients), step)
        ahead, behind = (value(coefficients + e * step) for e in (1e-5, -1e-5))
        np.testing.assert_allclose(slope, (ahead - behind) / 2e-5, rtol=1e-7)


def test_every_coefficient_moves_the_image():
    fourier = Fourier(6, 7)
    start = jnp.zeros((1, 6, 7, 3))
    moved = jax.jacobian(lambda x: fourier.render(x).ravel())(start)
    assert jnp.linalg.matrix_rank(moved.reshape(126, 126)) == 126


def test_an_image_depends_on_its_number_alone():
    fourier = Fourier(6, 10)
    whole = fourier.init(KEY, jnp.arange(5))
    part = fourier.init(KEY, jnp.arange(3, 5))
    np.testing.assert_array_equal(whole[3:], part)
    assert not np.array_equal(whole[3], whole[4])
    assert whole.dtype == jnp.float32
    np.testing.assert_allclose(
        fourier.render(whole)[3:], fourier.render(part), atol=1e-6
    )


def test_noise_begins_grey_and_smooth():
    images = Fourier(64, 64).render(Fourier(64, 64).init(KEY, jnp.arange(4)))
    assert abs(float(images.mean()) - 0.5) < 0.02
    white = Fourier(64, 64, decay=0.0).render(Fourier(64, 64).init(KEY, jnp.arange(4)))

    def roughness(x):
        return jnp.std(jnp.diff(x, axis=1)) / jnp.std(x)

    assert roughness(images) < 0.7 * roughness(white)
