import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from jinv.errors import ConfigError, WeightsError
from jinv.priors.denoiser import draw_denoiser
from jinv.priors.files import load_prior, write_prior
from jinv.priors.form import Form, Subject
from jinv.priors.prior import Prior

NUMBERS = {"mean": np.float32(1), "deviation": np.float32(2)}


def experts(subject: Subject, count=4, size=3):
    rng = np.random.default_rng(0)
    filters = rng.normal(size=(count, size, size, subject.channels)).astype(np.float32)
    arrays = {"offsets": np.zeros(count), "alphas": np.ones(count)}
    return Prior(Form(subject, size, size), {"filters": filters, **arrays, **NUMBERS})


def test_what_is_written_is_read(tmp_path):
    written = write_prior(tmp_path / "a.safetensors", experts(Subject(3)))
    read = load_prior(tmp_path / "a.safetensors")
    assert read.form == written.form and hash(read.form) == hash(written.form)
    assert read.sha256 == written.sha256 == read.card["sha256"]
    assert read.name == "a"
    for name, value in written.variables.items():
        np.testing.assert_array_equal(read.variables[name], value)


def test_a_denoiser_is_read(tmp_path, tiny):
    subject = Subject.of(tiny, "stage1", (0, 2))
    own = {"centre": np.zeros(2), "scale": np.ones(2), "sigma": np.float32(1)}
    layers = draw_denoiser(np.zeros((2,), np.uint32), 2, 5, 3)
    form = Form(subject, 7, 7, kind="dae")
    write_prior(
        tmp_path / "d.safetensors", Prior(form, {"layers": layers, **own, **NUMBERS})
    )
    read = load_prior(tmp_path / "d.safetensors")
    assert read.form == form and len(read.variables["layers"]) == 3
    np.testing.assert_array_equal(read.variables["layers"][1].kernel, layers[1].kernel)
    values = np.ones((1, 8, 8, 4), np.float32)
    assert read.energy(values).shape == (1,)


def spoil(path, about=None, **changes):
    """Write other arrays, or say another thing of them."""
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    if about is not None:
        metadata["jinv"] = json.dumps({"prior": about})
    save_file({**load_file(path), **changes}, path, metadata)


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"filters": np.full((4, 3, 3, 1), np.nan, np.float32)},
            "filters has values .* NaN",
        ),
        (
            {"filters": np.zeros((4, 3, 3, 3), np.float32)},
            r"not float of \(4, 3, 3, 1\)",
        ),
        ({"offsets": np.zeros(4, np.int32)}, "offsets is int32"),
        ({"alphas": -np.ones(4, np.float32)}, "alphas must not be below 0"),
        ({"deviation": np.zeros((), np.float32)}, "deviation must be over 0"),
        (
            {"about": {"subject": {"channels": 2}}},
            "makes no sense: channels: expected 1",
        ),
        ({"about": {"subject": {"channels": 1}, "height": 3}}, "makes no sense"),
        ({"about": {"height": 3}}, "makes no sense"),
        ({"about": 3}, "does not say that it is one"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(tmp_path, changes, message):
    path = tmp_path / "a.safetensors"
    write_prior(path, experts(Subject(1)))
    spoil(path, **changes)
    with pytest.raises(WeightsError, match=message) as error:
        load_prior(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("content", [b"", b"nonsense", None])
def test_what_is_no_prior_is_refused(tmp_path, content):
    path = tmp_path / "a.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match="expected a prior, a .safetensors file"):
        load_prior(path)


def test_a_prior_serves_only_what_it_is_of(tiny, unnormalised):
    grey, colour = experts(Subject(1)), experts(Subject(3))
    colour.check_network(tiny)
    with pytest.raises(ConfigError, match="of grey images, and those of tiny are RGB"):
        grey.check_network(tiny)
    with pytest.raises(ConfigError, match="looks at 9x9: more than the 8x8"):
        experts(Subject(3), size=9).check_network(tiny)
    own = experts(Subject.of(tiny, "stage1"))
    own.check_network(tiny)
    with pytest.raises(ConfigError, match="expected one of images"):
        own.check_images(3)
    with pytest.raises(
        ConfigError, match=r"of stage1 of tiny with weights .*not of pl"
    ):
        own.check_network(unnormalised)
    other = experts(Subject(4, "stage2", "tiny", tiny.checksum))
    with pytest.raises(ConfigError, match=r"here that layer is of shape \(4, 4, 8\)"):
        other.check_network(tiny)


def test_a_layer_without_a_map_is_refused(tiny):
    with pytest.raises(ConfigError, match="'logits' of tiny has no height and width"):
        Subject.of(tiny, "logits")
    with pytest.raises(ConfigError, match="'stage3' of tiny is unknown.*choose one of"):
        Subject.of(tiny, "stage3")
    with pytest.raises(ConfigError, match="numbered from 0, and no 4"):
        Subject.of(tiny, "stage1", (4,))


def test_a_prior_finds_its_values(tiny):
    images = np.random.default_rng(0).random((2, 8, 8, 3)).astype(np.float32)
    inputs = tiny.normalise(images)
    features = tiny.features(tiny.variables, inputs)
    found = experts(Subject(3)).values_of(tiny, inputs, features)
    np.testing.assert_allclose(found, images, atol=1e-6)
    own = experts(Subject.of(tiny, "stage1"))
    assert own.values_of(tiny, inputs, features) is features["stage1"]


def test_a_folder_is_read_and_names_its_prior(tmp_path):
    (tmp_path / "edges").mkdir()
    write_prior(tmp_path / "edges" / "prior.safetensors", experts(Subject(3)))
    assert load_prior(tmp_path / "edges").name == "edges"
    with pytest.raises(WeightsError, match="found nothing there"):
        load_prior(tmp_path)
