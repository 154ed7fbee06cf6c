import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from jinv.errors import WeightsError
from jinv.formats.pickles import read_numpy_pickle
from jinv.models.torch_files import read_torch_file
from jinv.models.weights import read_weights


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def test_arrays_in_containers_are_read(tmp_path):
    tree = {"a": {"kernel": np.arange(6.0).reshape(2, 3)}, "b": [1, np.float32(2)]}
    path = tmp_path / "w.ckpt"
    path.write_bytes(pickle.dumps({"a": tree["a"]}, protocol=3))
    found = read_numpy_pickle(path)
    np.testing.assert_array_equal(found["a"]["kernel"], tree["a"]["kernel"])
    # Dense kernels are transposed, as in any state dict.
    assert read_weights(path)["a.weight"].shape == (3, 2)


@pytest.mark.parametrize("suffix", [".ckpt", ".pth"])
def test_programs_are_refused(tmp_path, suffix):
    path = tmp_path / f"w{suffix}"
    path.write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(path)
    with pytest.raises(pickle.UnpicklingError, match="asks for posix.system"):
        read_numpy_pickle(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_are_read_without_pytorch(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = OrderedDict(
        whole=base,
        turned=base.T,
        part=base[1:3, ::2],
        parameter=torch.nn.Parameter(base[0]),
        counter=torch.tensor(7),
        half=base.half(),
    )
    path = tmp_path / "w.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    found = read_torch_file(path)
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.detach().numpy())


@pytest.mark.parametrize("zipped", [True, False])
def test_files_cut_short_are_explained(tmp_path, zipped):
    torch = pytest.importorskip("torch")
    path = tmp_path / "w.pth"
    torch.save({"a": torch.ones(1000)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    for size in (0, 100, len(content) // 2, len(content) - 10):
        path.write_bytes(content[:size])
        with pytest.raises(WeightsError, match="cannot read"):
            read_weights(path)
