import numpy as np
import pytest

from jinv.data.directions import read_directions
from jinv.errors import DataError


def test_a_vector_is_one_direction_and_a_matrix_several(tmp_path):
    np.save(tmp_path / "one.npy", np.arange(3))
    np.savez(tmp_path / "two.npz", anything=np.eye(2, 3))
    assert read_directions(tmp_path / "one.npy").tolist() == [[0, 1, 2]]
    found = read_directions(tmp_path / "two.npz")
    assert found.dtype == np.float32 and found.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_what_is_no_direction_is_refused_in_one_line(tmp_path):
    (tmp_path / "text.npy").write_text("precious")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npz").write_text("precious")
    np.savez(tmp_path / "several.npz", a=np.ones(3), b=np.ones(3))
    np.save(tmp_path / "cube.npy", np.ones((2, 2, 2)))
    np.save(tmp_path / "none.npy", np.ones(0))
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    np.save(tmp_path / "object.npy", np.array([{}], object), allow_pickle=True)
    with (tmp_path / "archive.npy").open("wb") as file:
        np.savez(file, np.ones(3))
    whole = (tmp_path / "cube.npy").read_bytes()
    (tmp_path / "torn.npy").write_bytes(whole[:-8])
    for name, message in {
        "nowhere.npy": "No such file",
        "text.npy": "cannot be read",
        "empty.npy": "cannot be read",
        "text.npz": "cannot be read",
        "torn.npy": "cannot be read",
        "object.npy": "cannot be read",
        "archive.npy": "cannot be read as a .npy or .npz file: it is neither",
        "several.npz": r"expected one array, found 2 \(a, b\)",
        "cube.npy": r"expected a vector .* of shape \(2, 2, 2\)",
        "none.npy": "expected a vector",
        "words.npy": "expected a vector",
    }.items():
        with pytest.raises(DataError, match=message) as error:
            read_directions(tmp_path / name)
        assert "\n" not in str(error.value) and name in str(error.value)
