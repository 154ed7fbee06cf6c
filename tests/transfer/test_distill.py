import json
import shutil
from contextlib import suppress
from dataclasses import replace

import jax
import numpy as np
import pytest

import jinv
from jinv.data.labelled import ArrayImages
from jinv.engine.checkpoints import Checkpoints
from jinv.engine.events import Cost
from jinv.errors import ConfigError, FolderError, Interrupted
from jinv.models import zoo
from jinv.models.classify import classify
from jinv.synthesis.synthetic_set import SyntheticSet
from jinv.transfer.accuracy import accuracy
from jinv.transfer.distill import distill, make_pool
from jinv.transfer.distillations import DISTILLATIONS, find_distillation
from jinv.transfer.drawing import drawn

FAST = jinv.FastGenerators(
    steps=2, rehearsals=2, w_adversarial=1.0, channels=4, latent=8, jitter=1
)
DEEP = jinv.DeepInversion(steps=(3,), jitter=1)
LEARNING = {
    "steps": 6, "round_steps": 2, "batch_size": 8, "lr": 0.05, "margin": 1, "collage": 1
}  # fmt: skip
"""Three rounds of two updates; each piece of a collage takes long to compile."""


@pytest.fixture(scope="module")
def teacher(tiny, stripes, tmp_path_factory):
    """`tiny`, which has learnt its classes."""
    config = jinv.TrainConfig(epochs=8, batch_size=32, warmup_epochs=1, margin=1)
    folder = tmp_path_factory.mktemp("teacher")
    return jinv.train(tiny, *stripes, config, folder / "run").classifier


@pytest.fixture(scope="module")
def student(tiny):
    """The same architecture with other weights."""
    spec = replace(tiny.spec, name="student")
    variables = jax.jit(tiny.module.init)(
        jax.random.key(1), np.zeros((1, 8, 8, 3), np.float32)
    )
    return replace(tiny, spec=spec, variables=variables)


@pytest.fixture(scope="module")
def undisturbed(teacher, student, tmp_path_factory):
    """Folders of work that nothing stopped, by the method."""
    found = {}
    for number, method in enumerate((FAST, DEEP)):
        found[method] = tmp_path_factory.mktemp("undisturbed") / str(number)
        without_data(teacher, student, found[method], method)
    return found


def without_data(teacher, student, folder, method=FAST, **options):
    pool = {"images_at_once": 6, "warmup_batches": 1, "leaves": 0}
    options = pool | LEARNING | options
    return distill(teacher, student, folder, synthesis=method, **options)


def files_of(folder):
    """The bytes that must not depend on how often the work was stopped."""
    pool = folder / "pool"
    found = [folder / "student.safetensors"]
    found += [pool / name for name in ("set.npz", "metadata.jsonl", "README.md")]
    return {path.name: path.read_bytes() for path in found if path.exists()}


def test_a_student_learns_from_a_set_what_the_teacher_knows(
    teacher, student, stripes, tmp_path
):
    data, test = stripes
    unlabelled = ArrayImages(data.images, np.zeros(len(data), np.int32))
    distilled = distill(
        teacher,
        student,
        tmp_path / "run",
        unlabelled,
        test,
        steps=150,
        batch_size=32,
        margin=1,
        collage=1,
    )
    assert distilled.achieved["test_accuracy"] > 80
    assert distilled.achieved["agreement"] > 80
    card = json.loads((tmp_path / "run" / "student.json").read_text())
    assert card["teacher"]["test_accuracy"] > 80
    assert card["best"]["test_accuracy"] >= card["test_accuracy"]
    assert card["budget"]["teacher_passes"] == 150 * 32
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["round"] for row in rows] == [1, 2, 3]


def test_the_file_of_a_student_holds_what_was_returned(
    teacher, student, stripes, tmp_path, monkeypatch
):
    monkeypatch.setitem(zoo._zoo(), student.spec.name, student.spec)
    distilled = distill(teacher, student, tmp_path, stripes[0], **LEARNING)
    loaded = jinv.load_classifier(student.spec.name, distilled.path)
    assert loaded.sha256 == distilled.classifier.sha256
    jax.tree.map(
        np.testing.assert_array_equal, loaded.variables, distilled.classifier.variables
    )


@pytest.mark.parametrize("method", [FAST, DEEP])
def test_without_data_a_pool_grows_with_the_rounds(teacher, undisturbed, method):
    folder = undisturbed[method]
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["images"] for line in lines] == [12, 18, 24]
    images = jinv.load_labelled(folder / "pool", "train", teacher.spec.classes, 8)
    assert len(images) == 24
    card = json.loads((folder / "student.json").read_text())
    steps = 2 if isinstance(method, jinv.FastGenerators) else 3
    rehearsed = 2 * 6 * steps if isinstance(method, jinv.FastGenerators) else 0
    assert card["budget"]["image_passes"] == 24 * steps + rehearsed


def test_images_are_made_against_the_student_as_it_is(teacher, student, tmp_path):
    def pool(name, **learning):
        without_data(teacher, student, tmp_path / name, steps=4, **learning)
        return np.load(tmp_path / name / "pool" / "set.npz")["x_train"]

    slow, fast = pool("slow", lr=1e-6), pool("fast", lr=0.5)
    # What the first round learns from is made before the student knows anything.
    np.testing.assert_array_equal(slow[:12], fast[:12])
    assert not np.array_equal(slow[12:], fast[12:])


@pytest.mark.parametrize("method", [FAST, DEEP])
def test_work_that_is_stopped_again_and_again_ends_with_the_same_bytes(
    teacher, student, undisturbed, tmp_path, method
):
    asked = [0]

    def stop():
        asked[0] += 1
        return asked[0] % 4 == 0

    for _ in range(40):
        try:
            without_data(teacher, student, tmp_path / "parts", method, should_stop=stop)
            break
        except Interrupted:
            continue
    else:
        raise AssertionError("it never ends")
    assert files_of(tmp_path / "parts") == files_of(undisturbed[method])


class Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize(
    ("method", "kind", "name", "after"),
    [
        (FAST, Checkpoints, "save", False),
        (FAST, Checkpoints, "save", True),
        (FAST, SyntheticSet, "_write_part", True),
        (DEEP, SyntheticSet, "_write_part", False),
        (DEEP, SyntheticSet, "_export", True),
    ],
)
def test_work_that_is_killed_anywhere_ends_with_the_same_bytes(
    teacher, student, undisturbed, tmp_path, monkeypatch, method, kind, name, after
):
    """Killed again and again, before or after the second thing that is written."""
    write, written = getattr(kind, name), [0]

    def fatal(*arguments):
        written[0] += 1
        due = written[0] % 2 == 0
        if due and not after:
            raise Killed
        write(*arguments)
        if due:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(kind, name, fatal)
        for _ in range(4):
            with suppress(Killed):
                without_data(teacher, student, tmp_path / "parts", method)
    without_data(teacher, student, tmp_path / "parts", method)
    assert files_of(tmp_path / "parts") == files_of(undisturbed[method])


@pytest.mark.parametrize("gone", ["checkpoint", "metrics.jsonl"])
def test_finished_work_that_lost_a_part_ends_as_before(
    teacher, student, undisturbed, tmp_path, gone
):
    """The images are there: what is gone is learnt once more, or not told."""
    shutil.copytree(undisturbed[FAST], tmp_path / "run")
    lost = tmp_path / "run" / gone
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    again = without_data(teacher, student, tmp_path / "run")
    assert files_of(tmp_path / "run") == files_of(undisturbed[FAST])
    card = json.loads(again.path.with_suffix(".json").read_text())
    assert card["budget"]["images"] == 24
    assert (card["agreement"] is None) == (gone == "metrics.jsonl")


def test_a_test_set_may_come_later_or_be_another(
    teacher, student, stripes, undisturbed, tmp_path
):
    shutil.copytree(undisturbed[FAST], tmp_path / "run")

    def card(test):
        found = without_data(teacher, student, tmp_path / "run", test=test)
        return found, json.loads(found.path.with_suffix(".json").read_text())

    assert card(None)[1]["test_accuracy"] is None
    found, told = card(stripes[1])
    right = accuracy(found.classifier, found.classifier.variables, stripes[1])
    assert told["test_accuracy"] == right and told["test_images"] == len(stripes[1])
    # All its labels are wrong, and what was measured by others is not its best.
    classes = len(teacher.spec.classes)
    logits = classify(found.classifier, stripes[1].images, 500)
    wrong = ArrayImages(stripes[1].images, (np.argmax(logits, -1) + 1) % classes)
    _, told = card(wrong)
    assert told["test_accuracy"] == told["best"]["test_accuracy"] == 0


def test_a_pool_may_start_from_images(teacher, student, stripes, tmp_path):
    distilled = without_data(
        teacher, student, tmp_path / "run", start=stripes[0], cost=Cost(1000, 2000.0)
    )
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[0])["images"] == len(stripes[0]) + 12
    card = json.loads(distilled.path.with_suffix(".json").read_text())
    assert card["images"]["start"]["images"] == len(stripes[0])
    assert card["budget"]["image_passes"] > 1000
    budget = card["budget"]
    assert 2000 < budget["seconds_images"] <= budget["seconds_total"]
    facts = json.loads((tmp_path / "run/pool/metadata.jsonl").open().readline())
    assert {"batch_bn", "batch_l2"} <= facts.keys(), facts


def test_a_step_draws_each_image_as_often_as_any_other():
    steps = np.concatenate([drawn(10, 4, 3, 5, 5 + step) for step in range(10)])
    assert (np.bincount(steps, minlength=10) == 4).all()
    assert sorted(steps[:10]) == list(range(10))
    assert list(steps[:10]) != list(steps[10:20])
    # A pool smaller than a batch is taken several times.
    assert (np.bincount(drawn(3, 9, 0, 0, 2), minlength=3) == 3).all()


def test_what_cannot_be_is_refused_before_anything_is_written(
    teacher, student, stripes, tmp_path
):
    out, data = tmp_path / "run", stripes[0]
    others = replace(student, spec=replace(student.spec, classes=("a", "b")))
    larger = replace(student, spec=replace(student.spec, input_size=16))
    for pupil, complaint in ((others, "other classes apart"), (larger, "see the same")):
        with pytest.raises(ConfigError, match=complaint):
            distill(teacher, pupil, out, data)
    with pytest.raises(ConfigError, match="temperature: expected a number over 0"):
        distill(teacher, student, out, data, temperature=0)
    with pytest.raises(ConfigError, match="e.g. 50 or 100"):
        distill(teacher, student, out, data, steps=70, round_steps=50)
    with pytest.raises(ConfigError, match="'temprature'.*temperature"):
        distill(teacher, student, out, data, temprature=2)
    with pytest.raises(ConfigError, match="images_at_once is for images"):
        distill(teacher, student, out, data, images_at_once=6)
    trained = tmp_path / "trained"
    brief = jinv.TrainConfig(epochs=1, batch_size=32)
    jinv.train(student, data, data, brief, trained)
    with pytest.raises(FolderError, match="a log of rounds, .* found one of epochs"):
        distill(teacher, student, out, data, beside={"a": trained})
    with pytest.raises(ConfigError, match="'this one' is the name"):
        distill(teacher, student, out, data, beside={"this one": trained})
    with pytest.raises(ConfigError, match="unknown preset 'fast10'.*fast-10"):
        distill(teacher, student, out, preset="fast10")
    assert not out.exists()


def test_a_pool_of_another_teacher_is_refused(undisturbed, tiny, student, tmp_path):
    shutil.copytree(undisturbed[FAST], tmp_path / "run")
    with pytest.raises(FolderError, match="another configuration"):
        without_data(replace(tiny, sha256="0" * 64), student, tmp_path / "run")
    doubled = jax.tree.map(lambda x: 2 * x, tiny.variables)
    for other in (tiny.with_weights(doubled), replace(tiny, seed=3)):
        with pytest.raises(FolderError, match="teacher_weights"):
            without_data(other, student, tmp_path / "run")


@pytest.mark.parametrize("name", sorted({*DISTILLATIONS} - {"dafl", "dfad"}))
def test_every_preset_plans_a_pool_against_the_student(name):
    network = jinv.load_classifier("cifar10_resnet20")
    student = jinv.make_classifier(jinv.classifier_spec("cifar10_resnet8"))
    way = find_distillation(name)
    pool = make_pool(network, student, way, way.config)
    assert pool.job.student is student
    batches = way.config.rounds + way.warmup_batches
    assert pool.count(way.config.rounds - 1) == batches * way.images_at_once
