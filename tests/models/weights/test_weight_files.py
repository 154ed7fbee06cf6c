import hashlib
import io
import urllib.error
import urllib.request
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from jinv.cli.networks import load_network
from jinv.errors import WeightsError
from jinv.models.spec import Download
from jinv.models.weights import downloads
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.downloads import open_https
from jinv.models.weights.finding import cached_download, find_weights
from jinv.models.weights.reading import read_tensors, read_weights
from jinv.models.weights.writing import write_weights
from jinv.models.zoo import classifier_spec

STATE = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


def test_safetensors_and_npz_are_read(tmp_path):
    digest = write_weights(tmp_path / "w.safetensors", STATE, {"model": "x"})
    assert digest == sha256_of(tmp_path / "w.safetensors")
    np.savez(tmp_path / "w.npz", **STATE)
    for name in ("w.safetensors", "w.npz"):
        found = read_tensors(tmp_path / name)
        np.testing.assert_array_equal(found["a.weight"], STATE["a.weight"])


def test_a_safetensors_file_is_one_however_long_its_header(tmp_path):
    path, begins = tmp_path / "w.safetensors", set()
    # Lengths are whole eights, and 32 of these are all that a first byte may be.
    for letters in range(0, 2048, 8):
        save_file(STATE, path, {"note": "x" * letters})
        begins.add(path.read_bytes()[:2])
        found = read_tensors(path)
        np.testing.assert_array_equal(found["a.weight"], STATE["a.weight"])
    # As pickles and msgpack begin.
    assert {b"\x80\x02", b"\x88\x01"} <= begins


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}])
def test_pytorch_files_are_read(tmp_path, wrap):
    torch = pytest.importorskip("torch")
    tensors = {key: torch.from_numpy(value) for key, value in STATE.items()}
    torch.save(wrap(tensors), tmp_path / "w.th")
    found = read_tensors(tmp_path / "w.th")
    np.testing.assert_array_equal(found["a.weight"], STATE["a.weight"])


@pytest.mark.parametrize("name", ["w.safetensors", "w.npz", "w.h5"])
def test_what_cannot_be_read_is_explained(tmp_path, name):
    with pytest.raises(WeightsError, match="no weights file"):
        read_weights(tmp_path / name)
    (tmp_path / name).write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="cannot read .*it is text"):
        read_weights(tmp_path / name)


def test_npz_files_cut_short_are_explained(tmp_path):
    path = tmp_path / "w.npz"
    np.savez(path, **STATE)
    content = path.read_bytes()
    for size in (0, len(content) // 2):
        path.write_bytes(content[:size])
        with pytest.raises(WeightsError, match="cannot read"):
            read_weights(path)


def test_pytorch_files_without_a_state_dict_are_explained(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "w.pth"
    path.write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="cannot read"):
        read_weights(path)
    for content in ([3], {"epoch": 3}, torch.ones(2)):
        torch.save(content, path)
        with pytest.raises(WeightsError, match="holds no weights"):
            read_weights(path)


def test_without_a_connection_the_way_out_is_named(monkeypatch):
    def refuse(*args, **kwargs):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(downloads, "open_https", refuse)
    spec = classifier_spec("resnet50")
    with pytest.raises(WeightsError) as error:
        find_weights(spec)
    for hint in (spec.source.url, "--weights", str(cached_download(spec))):
        assert hint in str(error.value)


def test_a_download_must_have_its_checksum(monkeypatch):
    content = b"weights"
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(downloads, "open_https", lambda url: io.BytesIO(content))

    def spec(sha256):
        download = Download("https://example.org/w.safetensors", sha256, "MIT")
        return replace(classifier_spec("resnet18"), name="fetched", source=download)

    with pytest.raises(WeightsError, match=f"expected sha256 0000, received {digest}"):
        find_weights(spec("0000"))
    assert not cached_download(spec("0000")).exists()
    assert find_weights(spec(digest)).read_bytes() == content


def test_models_without_published_weights_say_how_to_train_them():
    with pytest.raises(WeightsError, match="train_classifier.py --model cifar10_res"):
        find_weights(classifier_spec("cifar10_resnet18"))


def test_a_download_that_breaks_off_is_refused(monkeypatch):
    class Broken(io.BytesIO):
        length = 5

    monkeypatch.setattr(downloads, "open_https", lambda url: Broken(b"half"))
    spec = classifier_spec("resnet18")
    with pytest.raises(WeightsError, match="5 bytes are missing"):
        find_weights(spec)
    assert not cached_download(spec).exists()


def test_a_download_of_unknown_checksum_is_taken(monkeypatch):
    monkeypatch.setattr(downloads, "open_https", lambda url: io.BytesIO(b"any"))
    download = Download("https://example.org/w.safetensors", "", "MIT")
    spec = replace(classifier_spec("resnet152"), name="unchecked", source=download)
    assert find_weights(spec).read_bytes() == b"any"


@pytest.mark.parametrize(
    "url", ["http://example.org/w", "file:///etc/passwd", "ftp://x"]
)
def test_only_https_is_fetched(url):
    with pytest.raises(urllib.error.URLError, match="no https address"):
        open_https(url)


def test_a_redirect_must_stay_encrypted():
    handler = downloads._OnlyHttps()
    request = urllib.request.Request("https://example.org/w")
    with pytest.raises(urllib.error.URLError, match="http://example.com/w is no https"):
        handler.redirect_request(request, None, 302, "", {}, "http://example.com/w")
    onward = handler.redirect_request(
        request, None, 302, "", {}, "https://example.com/"
    )
    assert onward.full_url == "https://example.com/"


def test_what_is_rejected_is_left_for_inspection_and_nothing_else(monkeypatch):
    content = b"something else"
    monkeypatch.setattr(downloads, "open_https", lambda url: io.BytesIO(content))
    spec = classifier_spec("resnet18")
    with pytest.raises(WeightsError, match="left at .*rejected"):
        find_weights(spec)
    place = cached_download(spec)
    assert [path.name for path in place.parent.glob("*resnet18*")] == [
        "resnet18.rejected"
    ]
    assert place.with_suffix(".rejected").read_bytes() == content


def test_missing_weights_name_the_option_of_whoever_asked():
    with pytest.raises(WeightsError, match="or give cifar10_resnet18=FILE"):
        load_network("cifar10_resnet18")
    with pytest.raises(WeightsError, match="or pass --weights FILE"):
        find_weights(classifier_spec("cifar10_resnet18"))
