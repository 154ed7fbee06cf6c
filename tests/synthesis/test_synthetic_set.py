import json

import numpy as np
import pytest
from PIL import Image

import jinv
from jinv.data.sets import load_labelled, soft_labels_of
from jinv.engine.events import BatchDone
from jinv.engine.execution import Execution
from jinv.errors import ConfigError, FolderError
from jinv.models.classify import classify
from jinv.synthesis.recipe import Recipe
from jinv.synthesis.synthetic_set import SyntheticSet


@pytest.fixture
def job(tiny):
    execution = Execution(devices=1)
    return jinv.make_job(
        tiny, "all", per_class=2, batch_size=4, steps=(3,), execution=execution
    )


def test_a_set_from_python_has_the_images_of_the_job(job, tmp_path):
    done = []
    summary = jinv.synthesize(job, tmp_path / "set", on_event=done.append, form="npz")
    assert summary["images"] == 12
    with np.load(tmp_path / "set" / "set.npz") as arrays:
        images, labels = arrays["x_train"], arrays["y_train"]
    np.testing.assert_array_equal(labels, job.request.labels)
    inputs = np.concatenate([e.made.inputs for e in done if isinstance(e, BatchDone)])
    shown = job.classifier.denormalise(inputs)
    np.testing.assert_allclose(images / 255, np.clip(shown, 0, 1), atol=0.51 / 255)


def test_batches_may_be_made_in_any_order(job, tmp_path):
    jinv.synthesize(job, tmp_path / "one")
    with SyntheticSet(tmp_path / "other", Recipe(job)) as other:
        for batch in (2, 0, 1):
            assert other.finish() is None
            job.run(other.on_event, numbers=[batch])
        other.finish()
    for file in (tmp_path / "one" / "train").rglob("*"):
        if file.is_file():
            twin = tmp_path / "other" / file.relative_to(tmp_path / "one")
            assert twin.read_bytes() == file.read_bytes()


@pytest.mark.parametrize("damage", [lambda part: b"", lambda part: part[:-30], None])
def test_a_part_that_is_lost_or_torn_is_made_again(job, tmp_path, damage):
    jinv.synthesize(job, tmp_path / "whole")
    with SyntheticSet(tmp_path / "set", Recipe(job)) as growing:
        job.run(growing.on_event)
        assert growing.missing() == []
        part = tmp_path / "set" / "parts" / "000001.npz"
        content = part.read_bytes()
        part.unlink() if damage is None else part.write_bytes(damage(content))
        assert growing.missing() == [1]
    jinv.synthesize(job, tmp_path / "set")
    for file in (tmp_path / "whole" / "train").rglob("*.png"):
        twin = tmp_path / "set" / file.relative_to(tmp_path / "whole")
        assert twin.read_bytes() == file.read_bytes()


def test_a_shard_is_every_nth_batch(job, tmp_path):
    for shard, batches in (((1, 2), [1]), ((0, 2), [0, 2])):
        with SyntheticSet(tmp_path, Recipe(job), shard) as growing:
            assert growing.missing() == batches and growing.left() == 3


def test_processes_that_end_together_leave_each_other_alone(job, tmp_path):
    """Whoever sees all parts makes the set, while others write their last words."""
    with SyntheticSet(tmp_path, Recipe(job), (1, 2)) as other:
        with SyntheticSet(tmp_path, Recipe(job), (0, 2)) as growing:
            job.run(growing.on_event)
            written = [tmp_path / "preview.png", tmp_path / "parts" / "000002.npz"]
            preview, part = (path.stat().st_mtime_ns for path in written)
            assert preview <= part
            assert growing.finish() == other.finish()
        # What only they need is removed by the one who leaves last.
        assert written[1].is_file()
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md", "config.json", "grid.png", "summary.json", "train",
    }  # fmt: skip


def test_a_second_process_on_a_shard_is_told(job, tmp_path):
    with SyntheticSet(tmp_path, Recipe(job)):
        with pytest.raises(FolderError, match="at work on shard-0-of-1"):
            jinv.synthesize(job, tmp_path)
        with pytest.raises(FolderError, match="at work on the synthetic set"):
            jinv.synthesize(job, tmp_path, overwrite=True)


def test_a_folder_whose_description_names_another_is_no_danger(job, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "metadata.jsonl").write_text("precious")
    for number, split in enumerate(("../mine", str(mine))):
        folder = tmp_path / f"set{number}"
        folder.mkdir()
        described = json.dumps({"set": {"split": split}})
        (folder / "config.json").write_text(described)
        jinv.synthesize(job, folder, overwrite=True)
        assert (mine / "metadata.jsonl").read_text() == "precious"


def test_what_is_noted_of_an_image_is_measured_on_the_file(job, tmp_path):
    jinv.synthesize(job, tmp_path)
    network = job.classifier
    for line in (tmp_path / "train" / "metadata.jsonl").read_text().splitlines():
        row = json.loads(line)
        image = np.asarray(Image.open(tmp_path / "train" / row["file_name"]))
        inputs = network.normalise(image[None] / np.float32(255))
        logits = np.asarray(network.logits(network.variables, inputs))[0]
        surprise = np.log(np.exp(logits - logits.max()).sum()) + logits.max()
        surprise -= logits[row["label"]]
        np.testing.assert_allclose(row["teacher_cross_entropy"], surprise, rtol=1e-4)
        assert row["teacher_class"] == network.spec.classes[logits.argmax()]


def test_a_killed_export_is_done_again(job, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("jinv.synthesis.synthetic_set.write_card", fail)
        with pytest.raises(OSError):
            jinv.synthesize(job, tmp_path)
    assert not (tmp_path / "summary.json").exists()
    jinv.synthesize(job, tmp_path)
    assert len(list((tmp_path / "train").rglob("*.png"))) == 12
    assert not (tmp_path / "parts").exists()


def fail(*_):
    raise OSError("killed")


def test_keeping_what_is_accepted_needs_a_judge(job):
    with pytest.raises(ConfigError, match="needs a judge"):
        Recipe(job, accepted_only=True)


def test_a_judge_that_accepts_nothing_leaves_the_candidates(job, tmp_path):
    strict = Recipe(job, judge=job.classifier, accepted_only=True)
    growing = SyntheticSet(tmp_path, strict)
    job.run(growing.on_event)
    for path in (tmp_path / "parts").iterdir():
        with np.load(path) as part:
            arrays = dict(part)
        facts = json.loads(str(arrays["facts"]))
        refused = [{**fact, "judge_accepts": False} for fact in facts]
        arrays["facts"] = np.asarray(json.dumps(refused))
        np.savez(path, **arrays)
    with pytest.raises(ConfigError, match="accepts none of the 12 images"):
        growing.finish()
    assert len(list((tmp_path / "parts").iterdir())) == 3


@pytest.mark.parametrize("form", ["folder", "npz"])
def test_soft_labels_are_what_the_teacher_says_of_the_files(job, tmp_path, form):
    summary = jinv.synthesize(job, tmp_path, form=form, soft_labels=True)
    network = job.classifier
    data = load_labelled(tmp_path, "train", network.spec.classes, 8)
    found = soft_labels_of(tmp_path, "train", network.spec.classes, len(data))
    expected = classify(network, data.read(np.arange(12))[0])
    assert found.logits.dtype == np.float16
    np.testing.assert_allclose(found.logits, expected, rtol=1e-3, atol=1e-3)
    assert (found.teacher, found.sha256) == ("tiny", network.checksum)
    size = (tmp_path / "soft_labels-train.npz").stat().st_size
    assert summary["soft_labels"] == {"file": "soft_labels-train.npz", "bytes": size}
    card = (tmp_path / "README.md").read_text()
    assert f"`soft_labels-train.npz`, {size:,} bytes: the logits of tiny" in card


def test_soft_labels_are_of_the_images_that_are_kept(job, tmp_path):
    kept = {"best": 1, "accepted_only": True, "judge": job.classifier}
    jinv.synthesize(job, tmp_path, form="npz", soft_labels=True, **kept)
    with np.load(tmp_path / "set.npz") as arrays:
        images, labels = arrays["x_train"], arrays["y_train"]
    classes = job.classifier.spec.classes
    found = soft_labels_of(tmp_path, "train", classes, len(images))
    assert 0 < len(images) < 6
    np.testing.assert_array_equal(found.logits.argmax(-1), labels)
    expected = classify(job.classifier, images)
    np.testing.assert_allclose(found.logits, expected, rtol=1e-3, atol=1e-3)


def test_soft_labels_are_part_of_a_set_and_go_with_it(job, tmp_path):
    jinv.synthesize(job, tmp_path)
    with pytest.raises(FolderError, match="soft_labels: only now, True"):
        jinv.synthesize(job, tmp_path, soft_labels=True)
    jinv.synthesize(job, tmp_path, soft_labels=True, overwrite=True)
    once = (tmp_path / "soft_labels-train.npz").read_bytes()
    jinv.synthesize(job, tmp_path / "other", soft_labels=True)
    assert (tmp_path / "other" / "soft_labels-train.npz").read_bytes() == once
    jinv.synthesize(job, tmp_path, overwrite=True)
    assert not (tmp_path / "soft_labels-train.npz").exists()


def test_a_part_without_the_logits_that_are_wanted_is_made_again(job, tmp_path):
    with SyntheticSet(tmp_path, Recipe(job, soft_labels=True)) as growing:
        job.run(growing.on_event)
        path = tmp_path / "parts" / "000001.npz"
        with np.load(path) as part:
            arrays = {name: x for name, x in part.items() if name != "logits"}
        np.savez(path, **arrays)
        assert growing.missing() == [1]
