import numpy as np
import pytest
from PIL import Image, ImageSequence

from jinv.report.evolution import save_evolution

COLOURS = [(220, 20, 20), (20, 220, 20), (20, 20, 220)]


def saved(folder, sizes=((60, 40), (60, 40), (60, 40))):
    frames = [
        Image.new("RGB", size, colour)
        for size, colour in zip(sizes, COLOURS, strict=True)
    ]
    path = folder / "evolution.webp"
    save_evolution(path, frames, ["step 1", "step 2", "step 3"])
    return Image.open(path)


def test_every_frame_is_there_in_order(tmp_path):
    frames = [
        np.asarray(frame.convert("RGB")).astype(int)[20, 30]
        for frame in ImageSequence.Iterator(saved(tmp_path))
    ]
    np.testing.assert_allclose(frames, COLOURS, atol=12)


def test_it_repeats_forever_and_rests_on_the_last_frame(tmp_path):
    animation = saved(tmp_path)
    durations = []
    for number in range(3):
        animation.seek(number)
        animation.load()
        durations.append(animation.info["duration"])
    assert animation.info["loop"] == 0
    assert durations == [400, 400, 2500]


def test_frames_take_the_size_of_the_last(tmp_path):
    animation = saved(tmp_path, sizes=((15, 10), (30, 20), (60, 40)))
    first = np.asarray(animation.convert("RGB")).astype(int)
    assert animation.width == 60
    np.testing.assert_allclose(first[2, 2], COLOURS[0], atol=12)
    np.testing.assert_allclose(first[36, 57], COLOURS[0], atol=12)


def test_the_caption_is_written_below_the_frame(tmp_path):
    animation = saved(tmp_path)
    below = np.asarray(animation.convert("L"))[44:]
    assert animation.height > 40 + 20
    assert below.max() > 240
    assert below.min() < 160


def test_each_frame_needs_a_caption(tmp_path):
    frame = Image.new("RGB", (4, 4))
    with pytest.raises(ValueError, match="zip"):
        save_evolution(tmp_path / "evolution.webp", [frame], [])
