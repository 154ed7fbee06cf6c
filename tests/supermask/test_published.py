"""Checkpoints of the original repository; `scripts/record_supermask_parity.py`."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from jinv.cli.main import main
from jinv.errors import ConfigError, WeightsError
from jinv.models import zoo
from jinv.models.loading import load_classifier
from jinv.models.operations.masks import kept_count
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.reading import read_tensors
from jinv.supermask.published import load_published, published_mask

CHECKPOINT = Path(__file__).parent / "recorded" / "published.pth"


@pytest.fixture(scope="module")
def recorded():
    """Inputs, and PyTorch's logits of them."""
    with np.load(CHECKPOINT.with_suffix(".npz")) as arrays:
        return dict(arrays)


@pytest.fixture
def state():
    return read_tensors(CHECKPOINT)


@pytest.fixture
def spec(tiny):
    return replace(tiny.spec, aliases={"shortcut.": "downsample."})


@pytest.fixture
def save(tmp_path):
    """Writes a state dict and returns the file, in folders of the given names."""

    def write(state, *folders):
        path = tmp_path.joinpath(*folders, "w.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **state)
        return path

    return write


def unscaled(state):
    """With other weights than constants, which tell nothing."""
    rng = np.random.default_rng(0)
    return {
        key: rng.standard_normal(value.shape, np.float32)
        if key.endswith(".weight")
        else value
        for key, value in state.items()
    }


def logits(classifier, inputs):
    return jax.jit(classifier.logits)(classifier.variables, inputs)


@pytest.mark.parametrize(("given", "origin"), [(0.3, "given"), (None, "weights")])
def test_a_published_network_has_the_logits_of_pytorch(spec, recorded, given, origin):
    found = load_published(CHECKPOINT, spec, given)
    assert (found.keep_fraction, found.origin) == (0.3, origin)
    assert found.classifier.sha256 == sha256_of(CHECKPOINT)
    np.testing.assert_allclose(
        logits(found.classifier, recorded["inputs"]),
        recorded["logits"],
        rtol=1e-5,
        atol=1e-5,
    )


def test_the_mask_has_the_published_arithmetic():
    scores = np.arange(10.0).reshape(2, 5) - 4.5
    # (1 - 0.9) · 10 falls short of 1 in floats.
    assert published_mask(scores, 0.9).sum() == 10 and kept_count(0.9, 10) == 9
    np.testing.assert_array_equal(
        published_mask(scores, 0.4), [[1, 1, 0, 0, 0], [0, 0, 0, 1, 1]]
    )


@pytest.mark.parametrize("fraction", [0.05, 0.125, 0.3, 1 / 3, 0.9])
def test_scaled_constants_tell_the_fraction(spec, state, save, fraction):
    changed = dict(state)
    for key, value in state.items():
        if key.endswith(".weight"):
            fan_in = np.prod(value.shape[1:])
            size = np.float32(np.sqrt(2 / (fan_in * (1 - fraction))))
            changed[key] = np.sign(value) * size
    found = load_published(save(changed), spec)
    assert found.keep_fraction == round(fraction, 6)


def test_a_folder_tells_the_fraction_as_it_was_typed(spec, state, save):
    path = save(unscaled(state), "prune_rate=0.7", "prune_rate=0.35", "checkpoints")
    found = load_published(path, spec)
    assert (found.keep_fraction, found.origin) == (0.35, "folder")
    assert load_published(path, spec, 0.5)[1:] == (0.5, "given")
    # The folder of this one agrees with its weights.
    both = load_published(save(state, "prune_rate=0.3"), spec)
    assert (both.keep_fraction, both.origin) == (0.3, "folder")


def constants(state, size_of):
    return {
        key: np.sign(value) * np.float32(size_of(key, np.prod(value.shape[1:])))
        if key.endswith(".weight")
        else value
        for key, value in state.items()
    }


def test_what_does_not_tell_the_fraction_is_refused(spec, state, save):
    plain = constants(state, lambda key, fan_in: np.sqrt(2 / fan_in))
    divided = constants(
        state,
        lambda key, fan_in: np.sqrt(2 / (fan_in * (0.7 if "fc" in key else 0.5))),
    )
    for changed in (unscaled(state), plain, divided):
        with pytest.raises(ConfigError, match="pass --keep-fraction"):
            load_published(save(changed), spec)
    with pytest.raises(ConfigError, match="keep 0.3, but its folder says prune_rate=0"):
        load_published(save(state, "prune_rate=0.5"), spec)
    # So runs are called whose masks were drawn.
    with pytest.raises(ConfigError, match="not 0 .folder."):
        load_published(save(unscaled(state), "prune_rate=0.0"), spec)
    for fraction in (0, -0.3, 30, float("nan")):
        with pytest.raises(ConfigError, match="over 0 and up to 1"):
            load_published(CHECKPOINT, spec, fraction)


def test_affine_batchnorm_and_a_dense_last_layer_are_taken_as_they_are(
    spec, state, save
):
    rng = np.random.default_rng(0)
    del state["module.fc.scores"]
    state["module.fc.bias"] = rng.standard_normal(6, np.float32)
    for key in [key for key in state if key.endswith(".running_mean")]:
        for leaf in ("weight", "bias"):
            draw = rng.standard_normal(state[key].shape, np.float32)
            state[key.replace("running_mean", leaf)] = draw
    params = load_published(save(state), spec).classifier.variables["params"]
    np.testing.assert_array_equal(
        params["fc"]["kernel"], state["module.fc.weight"][:, :, 0, 0].T
    )
    np.testing.assert_array_equal(params["fc"]["bias"], state["module.fc.bias"])
    norm = params["layer2.0"]["downsample.1"]
    name = "module.layer2.0.shortcut.1"
    np.testing.assert_array_equal(norm["scale"], state[f"{name}.weight"])
    np.testing.assert_array_equal(norm["bias"], state[f"{name}.bias"])
    # Where some are affine, all must be.
    del state["module.bn1.weight"]
    with pytest.raises(WeightsError, match="misses tensor bn1.weight"):
        load_published(save(state), spec)


def test_two_dimensional_scores_are_taken(spec, state, save, recorded):
    for leaf in ("weight", "scores"):
        state[f"module.fc.{leaf}"] = state[f"module.fc.{leaf}"][:, :, 0, 0]
    found = logits(load_published(save(state), spec).classifier, recorded["inputs"])
    np.testing.assert_allclose(found, recorded["logits"], rtol=1e-5, atol=1e-5)


def without(key):
    return lambda state: state.pop(key)


def changed(key, change):
    return lambda state: state.update({key: change(state.get(key))})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without("module.conv1.weight"), "scores of module.conv1, but no weights"),
        (changed("module.conv1.scores", lambda x: x[:3]), "have shape .3, 3, 3, 3., b"),
        (changed("module.conv1.scores", lambda x: x * np.nan), "not all finite"),
        (changed("module.fc.scores", lambda x: x > 0), "are a fixed mask"),
        (without("module.bn1.running_mean"), "misses tensor bn1.running_mean"),
        (changed("module.conv9.weight", lambda _: np.ones(3)), "unexpected .*conv9"),
        (
            lambda state: [
                changed(f"module.fc.{leaf}", lambda x: x[:, :4])(state)
                for leaf in ("weight", "scores")
            ],
            "tensor fc.weight has shape .6, 4., but the architecture needs .6, 8.",
        ),
        (
            lambda state: [state.pop(key) for key in [*state] if ".scores" in key],
            "has no scores: it is an ordinary checkpoint.*--weights",
        ),
    ],
)
def test_what_does_not_fit_is_refused(spec, state, save, spoil, message):
    spoil(state)
    with pytest.raises(WeightsError, match=message):
        load_published(save(state), spec, 0.3)


@pytest.fixture
def small_zoo(spec, monkeypatch):
    monkeypatch.setitem(zoo._zoo(), "tiny", spec)


@pytest.mark.usefixtures("small_zoo")
@pytest.mark.parametrize(
    ("words", "fraction", "origin"),
    [
        ([], 0.3, "weights"),
        (["--keep_fraction", "0.5"], 0.5, "given"),
    ],
)
def test_the_command_writes_weights_that_load_and_their_card(
    tmp_path, recorded, words, fraction, origin
):
    path = tmp_path / "out" / "tiny.safetensors"
    command = ["supermask", "--published", str(CHECKPOINT), "--model", "tiny", *words]
    assert main([*command, "--out", str(path.parent)]) == 0
    classifier = load_classifier("tiny", path)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == classifier.sha256
    source = {"file": "published.pth", "sha256": sha256_of(CHECKPOINT)}
    assert card["published"] == source
    assert (card["keep_fraction"], card["keep_fraction_from"]) == (fraction, origin)
    same = np.allclose(
        logits(classifier, recorded["inputs"]), recorded["logits"], atol=1e-5
    )
    assert same == (fraction == 0.3)
    # Given again it has nothing to do, and other words are those of other work.
    written = path.stat().st_mtime_ns
    assert main([*command, "--out", str(path.parent)]) == 0
    assert path.stat().st_mtime_ns == written
    other = ["--keep-fraction", "0.7", "--out", str(path.parent)]
    assert main([*command, *other]) == 2
    assert main([*command, *other, "--overwrite"]) == 0
    assert json.loads(path.with_suffix(".json").read_text())["keep_fraction"] == 0.7


@pytest.mark.usefixtures("small_zoo")
def test_the_command_refuses_what_it_cannot_do(tmp_path, capsys):
    convert = ["--published", str(CHECKPOINT), "--model", "tiny"]
    (tmp_path / "tiny.safetensors").write_bytes(b"found before")
    for words, message in (
        ([], "expected either --data"),
        ([*convert, "--data", "set.npz"], "expected either --data"),
        ([*convert, "--sampled"], "it takes --keep-fraction alone"),
        ([*convert, "--epochs", "3"], "it takes --keep-fraction alone"),
        ([*convert, "--out", str(tmp_path)], "holds files, but no conversion"),
        ([*convert, "--keep-fraction", "30"], "over 0 and up to 1"),
    ):
        assert main(["supermask", *words]) == 2
        assert message in capsys.readouterr().err
    assert (tmp_path / "tiny.safetensors").read_bytes() == b"found before"


@pytest.mark.usefixtures("small_zoo")
def test_scores_in_a_file_of_weights_are_told_the_way(state, save):
    for path in (CHECKPOINT, save(state)):
        with pytest.raises(WeightsError, match=f"--published {path} --model"):
            load_classifier("tiny", path)


@pytest.mark.usefixtures("small_zoo")
def test_checkpoints_between_epochs_are_read(tmp_path, spec):
    path = tmp_path / "epoch_3.state"
    path.write_bytes(CHECKPOINT.read_bytes())
    assert load_published(path, spec).keep_fraction == 0.3
