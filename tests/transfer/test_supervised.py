import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from jinv.data.labelled import ArrayImages
from jinv.errors import ConfigError
from jinv.transfer.supervised import TrainConfig, population_statistics, train

CONFIG = TrainConfig(epochs=4, batch_size=32, lr=0.1, warmup_epochs=1, margin=1)


def stripes(count, seed):
    """Images whose class is their colour, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 6, count)
    images = rng.integers(0, 100, (count, 8, 8, 3))
    images[..., 0] += 50 * (labels % 3)[:, None, None]
    images[..., 1] += 100 * (labels // 3)[:, None, None]
    return ArrayImages(images.astype(np.uint8), labels)


@pytest.fixture(scope="module")
def sets():
    return stripes(384, 0), stripes(120, 1)


def test_a_classifier_learns(tiny, sets, tmp_path):
    rows = []
    _, measured = train(tiny, *sets, CONFIG, tmp_path, rows.append)
    assert measured["test_accuracy"] > 70
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    logged = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in logged] == rows


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    tiny, sets, tmp_path
):
    whole, _ = train(tiny, *sets, CONFIG, tmp_path / "whole")

    class Enough(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise Enough

    with pytest.raises(Enough):
        train(tiny, *sets, CONFIG, tmp_path / "parts", stop)
    rows = []
    resumed, _ = train(tiny, *sets, CONFIG, tmp_path / "parts", rows.append)
    assert [row["epoch"] for row in rows] == [3, 4]
    jax.tree.map(np.testing.assert_array_equal, resumed.variables, whole.variables)
    with pytest.raises(ConfigError, match="another configuration"):
        train(tiny, *sets, replace(CONFIG, lr=0.2), tmp_path / "parts")


def test_small_crops_come_first(tiny, sets, tmp_path):
    config = replace(CONFIG, epochs=2, crops=((6, 1),))
    _, measured = train(tiny, *sets, config, tmp_path)
    assert measured["test_accuracy"] > 40


def test_population_statistics_are_those_of_the_whole_set(tiny, sets):
    data = sets[0]
    pooled = population_statistics(tiny, tiny.variables, data, batch_size=96)
    inputs = tiny.normalise(data.images.astype(np.float32) / 255)
    kernel = tiny.variables["params"]["conv1"]["kernel"]
    first = jax.lax.conv_general_dilated(
        inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    found = pooled["bn1"]
    np.testing.assert_allclose(found["mean"], first.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(found["var"], first.var((0, 1, 2)), rtol=1e-3)


def test_a_batch_larger_than_the_set_is_refused(tiny, sets, tmp_path):
    with pytest.raises(ConfigError, match="exceeds the 384 images"):
        train(tiny, *sets, replace(CONFIG, batch_size=500), tmp_path)
