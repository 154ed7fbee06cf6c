import jax
import numpy as np
import pytest

from jinv.decoders.crops import as_taken, batches_of, draw_crops, laid_out, middles
from jinv.errors import DataError

SIZES = ((9, 14), (20, 7), (7, 7))


@pytest.fixture
def photographs():
    """Photographs of several sizes whose pixels tell number, row and column."""
    return [
        np.stack(
            [
                np.full(shape, number),
                *np.meshgrid(*map(np.arange, shape), indexing="ij"),
            ],
            -1,
        ).astype(np.uint8)
        for number, shape in enumerate(SIZES)
    ]


def test_crops_are_whole_windows_of_their_photographs(photographs):
    store = jax.tree.map(jax.numpy.asarray, laid_out(photographs))
    corners = set()
    draw = jax.jit(lambda batch, key: draw_crops(store, batch, key, 7))
    for step, batch in enumerate(batches_of(3, 6, 0, 0, 30)):
        crops = np.asarray(draw(batch, jax.random.key(step)))
        assert crops.dtype == np.uint8
        for number, crop in zip(batch.photographs, crops, strict=True):
            top, left = crop[0, 0, 1:]
            window = photographs[number][top : top + 7, left : left + 7]
            np.testing.assert_array_equal(crop, window)
            corners.add((int(number), int(top), int(left)))
    # Everywhere, to the last row and column.
    assert {(1, top, 0) for top in range(14)} <= corners
    assert {(0, 2, 7), (0, 0, 0), (2, 0, 0)} <= corners


def test_every_photograph_comes_before_any_comes_again():
    steps = list(batches_of(5, 2, seed=3, first=0, steps=10))
    dealt = np.concatenate([batch.photographs for batch in steps]).reshape(4, 5)
    assert all(sorted(turn) == list(range(5)) for turn in dealt.tolist())
    assert len({tuple(turn) for turn in dealt.tolist()}) > 1
    later = list(batches_of(5, 2, seed=3, first=7, steps=3))
    for one, other in zip(steps[7:], later, strict=True):
        np.testing.assert_array_equal(one.photographs, other.photographs)


def test_small_and_grey_photographs_are_taken():
    grey = np.arange(24, dtype=np.uint8).reshape(4, 6, 1)
    (found,) = as_taken([grey], channels=3, least=8)
    assert found.shape == (8, 12, 3) and (found[..., 0] == found[..., 2]).all()
    assert middles([found], 8).shape == (1, 8, 8, 3)
    with pytest.raises(DataError, match="found an array of shape .* of float64"):
        as_taken([grey / 255.0], 3, 4)
    with pytest.raises(DataError, match="no photographs"):
        laid_out([])
