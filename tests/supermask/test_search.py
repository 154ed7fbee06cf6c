from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jinv.data.labelled import ArrayImages
from jinv.errors import ConfigError, FolderError
from jinv.models import zoo
from jinv.models.architectures.vgg import VGG
from jinv.models.loading import load_classifier
from jinv.supermask.hidden import Supermask, hide
from jinv.supermask.search import find_subnetwork
from jinv.transfer.accuracy import accuracy
from jinv.transfer.train_config import TrainConfig

MASK = Supermask(keep_fraction=0.5, weight_seed=3)
CONFIG = TrainConfig(epochs=5, batch_size=32, lr=0.5, warmup_epochs=1, margin=1)


@pytest.fixture(scope="module")
def found(tiny, stripes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    return find_subnetwork(tiny.spec, *stripes, MASK, CONFIG, folder), folder


def test_a_random_network_hides_one_that_classifies(tiny, stripes, found):
    parts = hide(tiny.spec, MASK).trainable
    params = parts.params(parts.trained, parts.frozen, None)
    before = accuracy(tiny, {**tiny.variables, "params": params}, stripes[1])
    after = found[0].achieved["test_accuracy"]
    assert before < 40 and after > 70
    assert found[0].achieved["kept"] == pytest.approx(50, abs=0.5)


def test_no_weight_changes_by_a_bit(tiny, found):
    drawn = hide(tiny.spec, MASK).trainable.frozen["kernels"]
    params = flatten_dict(found[0].classifier.variables["params"])
    for name, weights in drawn.items():
        (kernel,) = (v for p, v in params.items() if ".".join(p) == f"{name}.kernel")
        used = np.asarray(kernel) != 0
        assert used.sum() == -(-weights.size // 2)
        np.testing.assert_array_equal(np.asarray(kernel)[used], weights[used])


def same_logits(found, images):
    """Whether what was found and its file answer alike, to the bit."""
    inputs = found.classifier.normalise(images.astype(np.float32) / 255)
    loaded = load_classifier(found.classifier.spec.name, found.path)
    # One program: compiled twice, even the same one may round otherwise.
    logits = jax.jit(found.classifier.logits)
    ours, theirs = (
        logits(network.variables, inputs) for network in (found.classifier, loaded)
    )
    return loaded.sha256 == found.classifier.sha256 and np.array_equal(ours, theirs)


def test_what_was_found_reloads_to_the_same_logits(tiny, stripes, found, monkeypatch):
    monkeypatch.setitem(zoo._zoo(), "tiny", tiny.spec)
    assert same_logits(found[0], stripes[1].images)


SHORT = replace(CONFIG, epochs=1, warmup_epochs=0)


def test_so_does_one_with_whole_layers_and_trained_scales(
    tiny, stripes, tmp_path, monkeypatch
):
    monkeypatch.setitem(zoo._zoo(), "tiny", tiny.spec)
    mask = Supermask(0.3, ("layer1.*=0.7",), True, True, affine=True)
    result = find_subnetwork(tiny.spec, *stripes, mask, SHORT, tmp_path)
    assert set(result.masks) == set(hide(tiny.spec, mask).frozen.shapes) - {
        "conv1",
        "fc",
    }
    assert np.any(result.classifier.variables["params"]["bn1"]["scale"] != 1)
    assert same_logits(result, stripes[1].images)


def test_networks_without_batchnorm_are_searched_and_resumed(
    stripes, tiny, tmp_path, monkeypatch
):
    spec = replace(
        tiny.spec,
        name="plain",
        build=partial(VGG, (1, 1), (8, 16), batch_norm=False, head="linear"),
    )
    monkeypatch.setitem(zoo._zoo(), "plain", spec)
    result = find_subnetwork(spec, *stripes, MASK, SHORT, tmp_path)
    again = find_subnetwork(spec, *stripes, MASK, SHORT, tmp_path)
    for name, mask in result.masks.items():
        np.testing.assert_array_equal(again.masks[name], mask)
    assert same_logits(result, stripes[1].images)
    with pytest.raises(FolderError, match="model: plain there, tiny now"):
        find_subnetwork(tiny.spec, *stripes, MASK, SHORT, tmp_path)
    fewer = ArrayImages(stripes[0].images[:320], stripes[0].labels[:320])
    with pytest.raises(FolderError, match="images: 384 there, 320 now"):
        find_subnetwork(spec, fewer, stripes[1], MASK, SHORT, tmp_path)


def test_scores_and_weights_stay_float32_in_bfloat16(tiny, stripes, tmp_path):
    config = replace(SHORT, precision="bfloat16")
    rows = []
    result = find_subnetwork(tiny.spec, *stripes, MASK, config, tmp_path, rows.append)
    assert np.isfinite(rows[0]["loss"])
    assert result.classifier.dtype == jnp.bfloat16
    kernel = np.asarray(result.classifier.variables["params"]["conv1"]["kernel"])
    drawn = hide(tiny.spec, MASK).trainable.frozen["kernels"]["conv1"]
    np.testing.assert_array_equal(kernel[kernel != 0], drawn[kernel != 0])
    assert kernel.dtype == np.float32


def test_an_interrupted_search_finds_the_same(tiny, stripes, found, tmp_path):
    class Enough(Exception):
        pass

    def stop(row):
        if row["epoch"] == 3:
            raise Enough

    with pytest.raises(Enough):
        find_subnetwork(tiny.spec, *stripes, MASK, CONFIG, tmp_path, stop)
    other = replace(MASK, keep_fraction=0.4)
    with pytest.raises(FolderError, match="another configuration"):
        find_subnetwork(tiny.spec, *stripes, other, CONFIG, tmp_path)
    resumed = find_subnetwork(tiny.spec, *stripes, MASK, CONFIG, tmp_path)
    for name, mask in found[0].masks.items():
        np.testing.assert_array_equal(resumed.masks[name], mask)


def test_devices_share_a_batch(tiny, stripes, tmp_path):
    rows = []
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        find_subnetwork(tiny.spec, *stripes, MASK, SHORT, folder, rows.append, devices)
    assert rows[0]["loss"] == pytest.approx(rows[1]["loss"], rel=1e-3)
    odd = replace(SHORT, batch_size=33)
    with pytest.raises(ConfigError, match="cannot be shared evenly by 2 devices"):
        find_subnetwork(tiny.spec, *stripes, MASK, odd, tmp_path / "odd", devices=2)


def test_sampled_masks_are_searched_too(tiny, stripes, tmp_path):
    config = replace(CONFIG, epochs=3, lr=20.0, weight_decay=0.0)
    mask = Supermask(sampled=True)
    result = find_subnetwork(tiny.spec, *stripes, mask, config, tmp_path)
    assert result.achieved["test_accuracy"] > 50
    kept = sum(int(mask.sum()) for mask in result.masks.values())
    total = sum(mask.size for mask in result.masks.values())
    assert result.achieved["kept"] == pytest.approx(100 * kept / total)
