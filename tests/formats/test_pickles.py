import io
import os
import pickle
import posix
from collections import OrderedDict

import numpy as np
import pytest

from jinv.errors import WeightsError
from jinv.formats.pickles import run_pickle
from jinv.formats.trees import containers
from jinv.models.weights.reading import read_weights
from jinv.models.weights.torch_files import read_torch_file


class Evil:
    def __reduce__(self):
        return os.system, ("true",)


def test_arrays_in_containers_are_read(tmp_path):
    tree = {"a": {"kernel": np.arange(6.0).reshape(2, 3)}, "b": [1, np.float32(2)]}
    for protocol in range(6):
        found = run_pickle(io.BytesIO(pickle.dumps(tree, protocol)))
        assert found["b"] == [1, 2]
        (arrays,) = containers(found).values()
        np.testing.assert_array_equal(arrays["kernel"], tree["a"]["kernel"])


@pytest.mark.parametrize("protocol", range(6))
def test_programs_are_passed_over(tmp_path, protocol, monkeypatch):
    content = pickle.dumps({"a": Evil(), "b": np.ones(2)}, protocol)
    (tmp_path / "w").write_bytes(pickle.dumps({"a": Evil()}, protocol))
    monkeypatch.setattr(posix, "system", lambda _: pytest.fail("it was run"))
    assert list(containers(run_pickle(io.BytesIO(content)))[""]) == ["a", "b"]
    with pytest.raises(WeightsError, match=r"\.system, of which nothing was run"):
        read_weights(tmp_path / "w")


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
        brain=base.bfloat16(),
    )
    path = tmp_path / "w.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    found = containers(read_torch_file(path))[""]
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.detach().double().numpy())


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
