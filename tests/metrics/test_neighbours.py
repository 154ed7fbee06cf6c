import numpy as np
import pytest
from scipy.spatial.distance import cdist

from jinv.errors import DataError
from jinv.metrics import neighbours
from jinv.metrics.neighbours import nearest

RNG = np.random.default_rng(0)
QUERIES = RNG.normal(size=(30, 6))
REFERENCES = RNG.normal(size=(50, 6))


@pytest.mark.parametrize("block", [4, 2048])
@pytest.mark.parametrize("count", [1, 7, 50])
def test_nearest_sorts_all_distances(monkeypatch, block, count):
    monkeypatch.setattr(neighbours, "BLOCK", block)
    across = cdist(QUERIES, REFERENCES)
    distances, indices = nearest(QUERIES, REFERENCES, count)
    np.testing.assert_allclose(distances, np.sort(across, 1)[:, :count], rtol=1e-10)
    np.testing.assert_array_equal(indices, np.argsort(across, 1)[:, :count])


def test_a_copy_is_its_own_nearest():
    distances, indices = nearest(REFERENCES, REFERENCES, 1)
    np.testing.assert_array_equal(indices[:, 0], np.arange(50))
    np.testing.assert_allclose(distances, 0, atol=1e-6)


def test_no_block_is_larger_than_stated(monkeypatch):
    monkeypatch.setattr(neighbours, "BLOCK", 16)
    blocks = list(neighbours.pair_blocks(QUERIES, REFERENCES))
    assert len(blocks) == 2 * 4
    assert max(squared.size for *_, squared in blocks) == 16**2


def test_fewer_references_than_wanted_are_refused():
    with pytest.raises(DataError, match="at least 51 samples, got 50"):
        nearest(QUERIES, REFERENCES, 51)


def test_features_of_different_widths_are_refused():
    with pytest.raises(DataError, match="6 and 5"):
        nearest(QUERIES, REFERENCES[:, 1:], 1)
