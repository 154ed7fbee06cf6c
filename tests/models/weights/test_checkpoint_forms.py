"""Checkpoints as public projects write them: each loads, or is refused rightly."""

import json
import pickle

import jax
import numpy as np
import orbax.checkpoint as orbax
import pytest
from checkpoint_forms import EXACT, REFUSED
from checkpoint_makers import npz, prefixed
from safetensors.numpy import save
from torch_writer import archive, tensors

from jinv.errors import JinvWarning, WeightsError
from jinv.models import zoo
from jinv.models.facts import ENTRY, Facts
from jinv.models.loading import load_classifier
from jinv.models.weights.checksums import sha256_of
from jinv.models.weights.fitting import from_groups
from jinv.models.weights.reading import read_weights
from jinv.models.weights.state_dict import to_state_dict

ALIASES = {"shortcut.": "downsample."}


@pytest.fixture(scope="module")
def variables(tiny):
    return jax.tree.map(np.asarray, dict(tiny.variables))


@pytest.fixture(scope="module")
def state(variables):
    return to_state_dict(variables)


@pytest.fixture
def load(tmp_path, variables):
    def load(content, name="weights"):
        path = tmp_path / name
        path.write_bytes(content)
        groups = read_weights(path).groups
        return from_groups(groups, variables, str(path), ALIASES, ("AuxLogits.",))

    return load


ROUNDED = ("half", "bfloat16", "old-format-bfloat16", "safetensors-bfloat16")


@pytest.mark.parametrize("form", EXACT)
def test_a_form_of_public_projects_loads(form, state, variables, load):
    found = load(EXACT[form](dict(state), variables))
    loose = 0.01 if form in ROUNDED else 0
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=loose), found, variables
    )


@pytest.mark.parametrize("form", REFUSED)
def test_what_is_no_usable_checkpoint_is_said_in_a_line(form, state, variables, load):
    make, message = REFUSED[form]
    with pytest.raises(WeightsError, match=message) as caught:
        load(make(dict(state), variables))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "name", ["w", "w.pth", "w.ckpt", "w.safetensors", "w.h5", "a.b.tar"]
)
def test_the_suffix_says_nothing(name, state, variables, load):
    for content in (
        archive(tensors(state)),
        save(state),
        npz(state),
        pickle.dumps(variables),
    ):
        load(content, name)


BROUGHT = {
    "sequential": ({"0.mean": [0.5, 0.4, 0.3], "0.std": [0.2, 0.2, 0.1]}, (3,)),
    "robustness": (
        {"normalizer.new_mean": [0.5, 0.4, 0.3], "normalizer.new_std": [0.2, 0.2, 0.1]},
        (3, 1, 1),
    ),
    "mu-sigma": ({"mu": [0.5, 0.4, 0.3], "sigma": [0.2, 0.2, 0.1]}, (1, 3, 1, 1)),
    "bytes": (
        {"pixel_mean": [127.5, 102, 76.5], "pixel_std": [51, 51, 25.5]},
        (3, 1, 1),
    ),
}


@pytest.mark.parametrize("form", BROUGHT)
def test_the_mean_that_a_file_brings_is_found(form, tmp_path):
    pairs, shape = BROUGHT[form]
    arrays = {k: np.reshape(np.asarray(x, "f4"), shape) for k, x in pairs.items()}
    (tmp_path / "w").write_bytes(save({"fc.bias": np.ones(2)} | arrays))
    found = read_weights(tmp_path / "w")
    assert found.facts == Facts(mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))
    assert found.tensors == found.facts


def test_what_else_is_called_a_mean_is_none(tmp_path):
    for mean, std in (
        (np.ones(4), np.ones(4)),
        (np.full(3, 0.5), np.zeros(3)),
        (np.full(3, np.nan), np.ones(3)),
        (np.full(3, -0.5), np.ones(3)),
        (np.full(3, 300.0), np.ones(3)),
    ):
        (tmp_path / "w").write_bytes(
            save({"fc.bias": np.ones(2), "mean": mean, "std": std})
        )
        assert read_weights(tmp_path / "w").facts == Facts()


def test_a_companion_is_heard_before_metadata_and_metadata_before_tensors(tmp_path):
    path, companion = tmp_path / "w.safetensors", tmp_path / "w.json"
    tensors = {"mean": np.full(3, 0.5, "f4"), "std": np.full(3, 0.25, "f4")}
    path.write_bytes(save(tensors))
    assert read_weights(path).facts.mean == (0.5,) * 3
    told = Facts(mean=(0.1,) * 3, std=(0.2,) * 3, classes=("a", "b"))
    metadata = {ENTRY: json.dumps(told.to_json())}
    path.write_bytes(save(tensors, metadata))
    found = read_weights(path)
    assert found.facts.mean == (0.1,) * 3 and found.tensors == Facts()
    companion.write_text(json.dumps({"mean": [0.3] * 3, "input_size": 64, "lr": 1}))
    found = read_weights(path).facts
    assert (found.mean, found.std[0], found.input_size) == ((0.3,) * 3, 0.2, 64)
    assert found.classes == ("a", "b")
    for nothing_of_ours in ("[1]", '{"lr": 0.1}'):
        companion.write_text(nothing_of_ours)
        assert read_weights(path).facts.mean == (0.1,) * 3
    for torn in ("{", "[" * 100_000):
        companion.write_text(torn)
        with pytest.warns(JinvWarning, match="w.json, beside the weights, is no JSON"):
            assert read_weights(path).facts.mean == (0.1,) * 3
    companion.write_text(json.dumps({"mean": "grey"}))
    with pytest.raises(WeightsError, match=r"w.json, beside the weights: mean: expect"):
        read_weights(path)


def test_folders_that_hold_weights_load(tmp_path, state, variables):
    for name, content in (
        ("model.safetensors", save(state)),
        ("pytorch_model.bin", archive(tensors(state))),
        ("training_args.bin", archive({"lr": 0.1})),
        ("optimizer.pt", archive({"state": {}})),
        ("config.json", b"{}"),
        ("README.md", b"# A network"),
    ):
        (tmp_path / name).write_bytes(content)
    found = read_weights(tmp_path)
    assert found.file == tmp_path / "model.safetensors"
    (tmp_path / "model.safetensors").unlink()
    assert read_weights(tmp_path).file == tmp_path / "pytorch_model.bin"
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "best.state")
    groups = read_weights(tmp_path).groups
    from_groups(groups, variables, "folder")
    (tmp_path / "last.state").write_bytes(save(state))
    with pytest.raises(WeightsError, match="several .*best.state, last.state.: pass"):
        read_weights(tmp_path)


def test_folders_without_weights_are_explained(tmp_path):
    with pytest.raises(WeightsError, match="without a file of weights"):
        read_weights(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\1")
    with pytest.raises(WeightsError, match="a folder of TensorFlow: save"):
        read_weights(tmp_path)


@pytest.mark.parametrize("manager", [False, True])
def test_folders_of_orbax_load(tmp_path, variables, manager):
    path = tmp_path / "run"
    if manager:
        with orbax.CheckpointManager(path) as keeper:
            keeper.save(3, args=orbax.args.StandardSave({"state": variables}))
            keeper.wait_until_finished()
    else:
        orbax.PyTreeCheckpointer().save(path, variables)
    found = read_weights(path)
    loaded = from_groups(found.groups, variables, str(path))
    jax.tree.map(np.testing.assert_array_equal, loaded, variables)
    assert len(sha256_of(found.file)) == 64


def test_a_folder_of_orbax_may_not_claim_more_than_its_files_hold(tmp_path):
    path = tmp_path / "run"
    orbax.PyTreeCheckpointer().save(path, {"a": np.zeros((2**13, 2**11), "f4")})
    with pytest.raises(WeightsError, match="claims to expand to 67,1"):
        read_weights(path)


def test_a_name_that_is_not_there_is_offered_its_neighbours(tmp_path, state):
    (tmp_path / "resnet20.pth").write_bytes(save(state))
    with pytest.raises(WeightsError, match="no weights file at .*mean resnet20.pth"):
        read_weights(tmp_path / "resnet2O.pth")
    with pytest.raises(WeightsError, match="there is no folder .*nowhere"):
        read_weights(tmp_path / "nowhere" / "w.pth")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError(13, "Permission denied", "w"), "Permission denied; choose"),
        (MemoryError(), "too little memory"),
        (EOFError(), "it ends too early"),
    ],
)
def test_what_the_system_refuses_is_told_apart(tmp_path, monkeypatch, error, message):
    def refuse(path):
        raise error

    monkeypatch.setattr("jinv.models.weights.reading.kind_of", refuse)
    (tmp_path / "w").write_bytes(b"x")
    with pytest.raises(WeightsError, match=message):
        read_weights(tmp_path / "w")


@pytest.fixture
def in_the_zoo(tiny, monkeypatch):
    monkeypatch.setitem(zoo._zoo(), "tiny", tiny.spec)


@pytest.mark.usefixtures("in_the_zoo")
def test_a_classifier_has_the_mean_that_its_file_brings(tmp_path, state):
    path = tmp_path / "w.pth"
    inputs = {"0.mean": np.full(3, 0.5, "f4"), "0.std": np.full(3, 0.25, "f4")}
    path.write_bytes(archive(tensors(prefixed("1.", state) | inputs)))
    with pytest.warns(
        JinvWarning, match=r"its own mean \(0.5, 0.5, 0.5\) and std \(0.25"
    ):
        loaded = load_classifier("tiny", path)
    assert (loaded.spec.mean, loaded.spec.std) == ((0.5,) * 3, (0.25,) * 3)
    assert loaded.sha256 == sha256_of(path)


@pytest.mark.usefixtures("in_the_zoo")
@pytest.mark.filterwarnings("error")
def test_what_the_zoo_knows_or_a_companion_tells_is_no_surprise(tmp_path, state, tiny):
    path = tmp_path / "w.pth"
    known = {"mean": np.asarray(tiny.spec.mean, "f4"), "std": np.float32(tiny.spec.std)}
    path.write_bytes(archive(tensors(state | known)))
    assert load_classifier("tiny", path).spec == tiny.spec
    one = {"mean": np.full(1, 0.5, "f4"), "std": np.full(1, 0.5, "f4")}
    path.write_bytes(archive(tensors(state | one)))
    told = {"mean": [0.1] * 3, "std": [0.2] * 3, "classes": list("uvwxyz")}
    path.with_suffix(".json").write_text(json.dumps(told))
    spec = load_classifier("tiny", path).spec
    assert (spec.mean, spec.classes) == ((0.1,) * 3, tuple("uvwxyz"))
    assert load_classifier("tiny", path, classes=list("abcdef")).spec.classes[0] == "a"
