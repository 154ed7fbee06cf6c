import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from jinv.data.labelled import ArrayImages
from jinv.errors import ConfigError, Diverged, FolderError, Interrupted
from jinv.transfer.accuracy import best_accuracy
from jinv.transfer.population import population_statistics
from jinv.transfer.train import train
from jinv.transfer.train_config import TrainConfig

CONFIG = TrainConfig(epochs=4, batch_size=32, lr=0.1, warmup_epochs=1, margin=1)


def test_a_classifier_learns(tiny, stripes, tmp_path):
    rows = []
    achieved = train(tiny, *stripes, CONFIG, tmp_path, rows.append).achieved
    assert achieved["test_accuracy"] > 70
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    # As seen in training: from chance to what the test set has, on the way.
    assert 10 < rows[0]["accuracy"] < rows[-1]["accuracy"] <= 100
    assert achieved["best_test_accuracy"] == max(
        achieved["test_accuracy"], *(row["test_accuracy"] for row in rows)
    )
    logged = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in logged] == rows


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    tiny, stripes, tmp_path
):
    whole = train(tiny, *stripes, CONFIG, tmp_path / "whole")

    class Enough(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise Enough

    with pytest.raises(Enough):
        train(tiny, *stripes, CONFIG, tmp_path / "parts", stop)
    rows = []
    resumed = train(tiny, *stripes, CONFIG, tmp_path / "parts", rows.append)
    assert [row["epoch"] for row in rows] == [3, 4]
    jax.tree.map(
        np.testing.assert_array_equal,
        resumed.classifier.variables,
        whole.classifier.variables,
    )
    with pytest.raises(FolderError, match="another configuration"):
        train(tiny, *stripes, replace(CONFIG, lr=0.2), tmp_path / "parts")


def test_small_crops_come_first(tiny, stripes, tmp_path):
    config = replace(CONFIG, epochs=2, crops=((6, 1),))
    achieved = train(tiny, *stripes, config, tmp_path).achieved
    assert achieved["test_accuracy"] > 40


def test_population_statistics_are_those_of_the_whole_set(tiny, stripes):
    data = stripes[0]
    pooled = population_statistics(tiny, tiny.variables, data, batch_size=96)
    inputs = tiny.normalise(data.images.astype(np.float32) / 255)
    kernel = tiny.variables["params"]["conv1"]["kernel"]
    first = jax.lax.conv_general_dilated(
        inputs, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    found = pooled["batch_stats"]["bn1"]
    np.testing.assert_allclose(found["mean"], first.mean((0, 1, 2)), atol=1e-4)
    np.testing.assert_allclose(found["var"], first.var((0, 1, 2)), rtol=1e-3)


def test_no_more_images_are_left_over_than_make_no_batch(tiny, stripes):
    seen = []

    class Counted(ArrayImages):
        def read(self, indices):
            seen.append(len(indices))
            return super().read(indices)

    data = Counted(stripes[0].images[:149], stripes[0].labels[:149])
    population_statistics(tiny, tiny.variables, data, batch_size=100)
    assert seen == [74, 74]


def test_a_warm_up_ends_before_the_training():
    warmups = [TrainConfig(epochs=n, warmup_epochs=2).warmup(12) for n in (1, 2, 3, 4)]
    assert warmups == [8, 16, 24, 24]


def test_a_batch_larger_than_the_set_is_refused(tiny, stripes, tmp_path):
    with pytest.raises(ConfigError, match="exceeds the 384 images"):
        train(tiny, *stripes, replace(CONFIG, batch_size=500), tmp_path)


def test_a_loss_that_is_no_number_ends_the_training(tiny, stripes, tmp_path):
    config = replace(CONFIG, lr=1e30, warmup_epochs=0)
    with pytest.raises(Diverged, match="in epoch 1: take a lower lr"):
        train(tiny, *stripes, config, tmp_path)
    assert (tmp_path / "metrics.jsonl").read_text() == ""


def test_a_training_that_is_stopped_keeps_its_epochs(tiny, stripes, tmp_path):
    asked = 0

    def stop_in_the_second_epoch():
        nonlocal asked
        asked += 1
        return asked == 15  # of twelve steps an epoch

    with pytest.raises(Interrupted, match="in epoch 2 of 4"):
        train(tiny, *stripes, CONFIG, tmp_path, should_stop=stop_in_the_second_epoch)
    rows = []
    train(tiny, *stripes, CONFIG, tmp_path, rows.append)
    assert [row["epoch"] for row in rows] == [2, 3, 4]
    logged = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in logged] == [1, 2, 3, 4]


def test_a_folder_with_other_files_is_left_alone(tiny, stripes, tmp_path):
    (tmp_path / "tiny.safetensors").write_text("precious")
    with pytest.raises(FolderError, match="holds files, but no training"):
        train(tiny, *stripes, CONFIG, tmp_path, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]


def test_other_images_or_initial_weights_are_another_training(tiny, stripes, tmp_path):
    config = replace(CONFIG, epochs=1)
    train(tiny, *stripes, config, tmp_path)
    with pytest.raises(FolderError, match="initial_weights"):
        train(replace(tiny, sha256="another"), *stripes, config, tmp_path)
    darker = ArrayImages(stripes[0].images // 2, stripes[0].labels)
    with pytest.raises(FolderError, match="first_image"):
        train(tiny, darker, stripes[1], config, tmp_path)


BRIEF = replace(CONFIG, epochs=1, warmup_epochs=0)


def certain(labels):
    """Logits whose softmax is exactly 1 for the label."""
    return 1e4 * np.eye(6, dtype=np.float16)[labels]


def test_soft_labels_that_are_sure_teach_what_labels_do(tiny, stripes, tmp_path):
    training, test = stripes
    hard = train(tiny, training, test, BRIEF, tmp_path / "hard")
    # The labels themselves are not learnt, and order and views are the same.
    wrong = ArrayImages(training.images, (training.labels + 1) % 6)
    soft = train(
        tiny,
        wrong,
        test,
        BRIEF,
        tmp_path / "soft",
        soft_labels=certain(training.labels),
    )
    jax.tree.map(
        np.testing.assert_array_equal,
        soft.classifier.variables,
        hard.classifier.variables,
    )


def test_the_loss_of_soft_labels_is_their_cross_entropy(tiny, stripes, tmp_path):
    training, rows = stripes[0], []
    soft = np.random.default_rng(0).normal(0, 2, (384, 6)).astype(np.float16)
    config = replace(BRIEF, batch_size=384, margin=0, flip=False)
    train(tiny, *stripes, config, tmp_path, rows.append, soft_labels=soft)
    inputs = tiny.normalise(training.images / np.float32(255))
    logits, _ = tiny.training(tiny.variables, inputs, jax.random.key(0))
    targets = np.exp(soft.astype(float))
    targets /= targets.sum(-1, keepdims=True)
    surprise = -jax.nn.log_softmax(logits)
    expected = np.mean(np.sum(targets * surprise, -1))
    np.testing.assert_allclose(rows[0]["loss"], expected, rtol=1e-5)
    right = np.mean(np.argmax(logits, -1) == training.labels)
    np.testing.assert_allclose(rows[0]["accuracy"], 100 * right, rtol=1e-5)


def test_other_soft_labels_are_another_training(tiny, stripes, tmp_path):
    soft = certain(stripes[0].labels)
    train(tiny, *stripes, BRIEF, tmp_path / "hard")
    described = json.loads((tmp_path / "hard" / "config.json").read_text())
    assert "soft_labels" not in described["training"]
    with pytest.raises(FolderError, match="soft_labels: only now"):
        train(tiny, *stripes, BRIEF, tmp_path / "hard", soft_labels=soft)
    train(tiny, *stripes, BRIEF, tmp_path / "soft", soft_labels=soft)
    with pytest.raises(FolderError, match="soft_labels: .* there, .* now"):
        train(tiny, *stripes, BRIEF, tmp_path / "soft", soft_labels=soft[::-1])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda soft: soft[:-1],
        lambda soft: soft[:, :-1],
        lambda soft: soft * np.nan,
        lambda soft: soft.astype(int),
    ],
)
def test_what_are_no_soft_labels_of_the_images_is_refused(
    tiny, stripes, tmp_path, wrong
):
    soft = wrong(certain(stripes[0].labels))
    with pytest.raises(ConfigError, match=r"expected finite logits of shape \(384, 6"):
        train(tiny, *stripes, BRIEF, tmp_path / "run", soft_labels=soft)
    assert not (tmp_path / "run").exists()


def test_real_images_are_measured_too_and_change_nothing(
    tiny, stripes, tmp_path, monkeypatch
):
    training, test = stripes
    alone = train(tiny, *stripes, BRIEF, tmp_path / "alone")
    rows = []
    found = train(tiny, *stripes, BRIEF, tmp_path / "both", rows.append, real=test)
    assert rows[0]["real_accuracy"] == rows[0]["test_accuracy"]
    assert found.achieved["real_accuracy"] == found.achieved["test_accuracy"]
    assert found.achieved["test_accuracy"] == alone.achieved["test_accuracy"]
    # Of many, some are drawn; the folder goes on with or without them.
    monkeypatch.setattr("jinv.transfer.supervised._MOST_REAL", 3)
    some = train(tiny, *stripes, BRIEF, tmp_path / "both", real=training)
    assert some.achieved["real_accuracy"] in [0, *(100 / 3 * np.arange(1, 4))]
    assert len(set(alone.achieved) - set(some.achieved)) == 0


def test_the_best_epoch_is_the_first_that_was_as_good():
    rows = [{"epoch": n + 1, "test_accuracy": x} for n, x in enumerate([3.0, 9.0, 9.0])]
    best = {"best_test_accuracy": 9.0, "best_epoch": 2}
    assert best_accuracy(rows, 3, 8.5) == best
    # What came out has the population's statistics, and may be better than any.
    last = {"best_test_accuracy": 9.5, "best_epoch": 3}
    assert best_accuracy(rows, 3, 9.5) == last
    assert best_accuracy([], 3, 9.5) == last
