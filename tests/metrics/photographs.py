"""Images like photographs, the same on every machine, with spoilt copies of them."""

import numpy as np


def scene(height: int = 40, width: int = 33, channels: int = 3) -> np.ndarray:
    """Smooth shades, an edge and a texture (height, width, channels), in [0, 1]."""
    y, x = np.mgrid[:height, :width][..., None] / 32
    phase = np.arange(channels) / 3
    shade = 0.5 + 0.3 * np.sin(2 * x + 3 * y + phase)
    edge = 0.2 * (x + 0.5 * y > 0.8)
    texture = 0.1 * np.sin(40 * x * y + phase) * (y > 0.7)
    return np.clip(shade + edge + texture, 0, 1)


def spoilt(image: np.ndarray) -> dict[str, np.ndarray]:
    """Copies of an image: noisy, blurred, paler, brighter, inverted and shifted."""
    noise = np.random.default_rng(0).random(image.shape) - 0.5
    blurred = (image + np.roll(image, 1, 0) + np.roll(image, 1, 1)) / 3
    return {
        "noisy": np.clip(image + 0.4 * noise, 0, 1),
        "blurred": blurred,
        "paler": 0.4 + 0.3 * image,
        "brighter": np.clip(image + 0.15, 0, 1),
        "inverted": 1 - image,
        "shifted": np.roll(image, 3, 1),
    }
