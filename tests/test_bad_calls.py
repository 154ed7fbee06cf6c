"""Calls of the Python API that cannot work: one line each, before any work."""

from dataclasses import replace

import numpy as np
import pytest

import jinv
from jinv.data.labelled import ArrayImages
from jinv.engine.events import Cost
from jinv.engine.execution import Execution
from jinv.errors import JinvError

IMAGES = np.zeros((2, 8, 8, 3), np.uint8)
LABELS = np.zeros(2, int)


def labelled(images, label):
    return ArrayImages(images, np.full(len(images), label))


@pytest.fixture(scope="module")
def result(tiny):
    one = Execution(devices=1)
    return jinv.invert(tiny, "cat", 1, steps=(1,), company=0, execution=one)


CALLS = {
    # invert, make_job
    "a name for a classifier": (
        lambda e: jinv.invert("tiny", "cat"),
        "classifier: exp",
    ),
    "no classes": (lambda e: jinv.invert(e.tiny), "missing a required argument"),
    "a set of classes": (lambda e: e.job({1, 2}), "classes: expected text"),
    "classes of floats": (lambda e: e.job([1.0]), "classes: expected text"),
    "an array of floats": (lambda e: e.job(np.array([1.0])), "classes: expected text"),
    "a class beyond": (lambda e: e.job(6), "class 6 is out of range"),
    "a negative class": (lambda e: e.job([-1]), "class -1 is out of range"),
    "a class misspelt": (lambda e: e.job("bota"), "did you mean boat"),
    "nothing": (lambda e: e.job(None), "classes: expected text"),
    "no images": (lambda e: e.job("cat", 0), "images: expected a whole number from 1"),
    "half an image": (lambda e: e.job("cat", 0.5), "images: expected a whole number"),
    "images as text": (lambda e: e.job("cat", "3"), "images: expected a whole number"),
    "too many": (lambda e: e.job("cat", 10**20), "images: expected a whole number"),
    "two numbers": (lambda e: e.job("cat", 3, per_class=1), "not both"),
    "per class 0": (lambda e: e.job("cat", per_class=0), "per_class: expected"),
    "a batch of 0": (lambda e: e.job("cat", batch_size=0), "batch_size: expected"),
    "company -1": (lambda e: e.job("cat", company=-1), "company: expected"),
    "seed -1": (lambda e: e.job("cat", seed=-1), "seed: expected"),
    "seed of 33 bits": (lambda e: e.job("cat", seed=2**32), "seed: expected"),
    "seed of None": (lambda e: e.job("cat", seed=None), "seed: expected"),
    "an unknown method": (lambda e: e.job("cat", method="deap"), "did you mean deep"),
    "a method's class": (
        lambda e: e.job("cat", method=jinv.DeepInversion),
        "method: expected",
    ),
    "an unknown preset": (lambda e: e.job("cat", preset="defalt"), "did you mean def"),
    "preset and method": (
        lambda e: e.job("cat", preset="default", method=jinv.DeepInversion()),
        "not both",
    ),
    "an unknown setting": (lambda e: e.job("cat", w_tv=1), "unknown setting 'w_tv'"),
    "a setting of nan": (lambda e: e.job("cat", lr=float("nan")), "lr: expected a num"),
    "a setting of inf": (lambda e: e.job("cat", w_tv2=float("inf")), "w_tv2: expected"),
    "steps as a number": (lambda e: e.job("cat", steps=5), "steps: expected a list"),
    "steps of 0": (lambda e: e.job("cat", steps=(0,)), "steps: expected a list"),
    "a choice misspelt": (lambda e: e.job("cat", optimizer="adm"), "did you mean adam"),
    "execution as a dict": (
        lambda e: e.job("cat", execution={"devices": 1}),
        "execution: expected a Execution",
    ),
    "a student's name": (lambda e: e.job("cat", student="x"), "student: expected"),
    # settings
    "chunk -1": (lambda e: Execution(chunk=-1), "chunk: expected"),
    "pmapp": (lambda e: Execution(parallel="pmapp"), "parallel: expected jit or pmap"),
    "epochs -1": (lambda e: jinv.TrainConfig(epochs=-1), "epochs: expected"),
    "momentum 1": (lambda e: jinv.TrainConfig(momentum=1), "momentum: expected"),
    "crops flat": (lambda e: jinv.TrainConfig(crops=(16, 3)), "crops: expected a list"),
    "flip as a number": (lambda e: jinv.TrainConfig(flip=2), "flip: expected true or"),
    "keep 0": (lambda e: jinv.Supermask(keep_fraction=0), "keep_fraction: expected"),
    "keep 30": (lambda e: jinv.Supermask(30), "over 0 and up to 1, found 30"),
    # networks
    "an unknown model": (lambda e: jinv.load_classifier("resnet5O"), "did you mean"),
    "a model of None": (lambda e: jinv.load_classifier(None), "name: expected text"),
    "no such file": (
        lambda e: jinv.load_classifier("cifar10_resnet20", "nowhere.pth"),
        "no weights file at nowhere.pth",
    ),
    "weights as bytes": (
        lambda e: jinv.load_classifier("cifar10_resnet20", b"abc"),
        "weights: expected a path",
    ),
    "a number of classes": (
        lambda e: jinv.load_classifier("cifar10_resnet20", classes=10),
        "classes: expected a list of text",
    ),
    "two names for ten": (
        lambda e: jinv.load_classifier("cifar10_resnet20", classes=["a", "b"]),
        "tell 10 classes apart, not 2",
    ),
    "a mean of bytes": (
        lambda e: jinv.load_classifier(
            "cifar10_resnet20", mean=[125, 123, 114], std=[63, 62, 67]
        ),
        "divide them by 255",
    ),
    "grey for colour": (
        lambda e: jinv.load_classifier("cifar10_resnet20", mean=[0.5], std=[0.5]),
        "the architecture needs|has shape",
    ),
    "input size 0": (
        lambda e: jinv.load_classifier("cifar10_resnet20", input_size=0),
        "input_size: expected",
    ),
    "a spec's name": (lambda e: jinv.make_classifier("tiny"), "spec: expected a Class"),
    # images
    "no such set": (
        lambda e: jinv.load_labelled("nowhere", "train", "ab", 8),
        "classes: expected a list of text",
    ),
    "a set of None": (
        lambda e: jinv.load_labelled(None, "train", ["a", "b"], 8),
        "source: expected",
    ),
    "size -1": (
        lambda e: jinv.load_labelled("nowhere", "train", ["a", "b"], -1),
        "size: expected",
    ),
    "judge floats of 255": (
        lambda e: jinv.judge(e.tiny, IMAGES + 200.0, LABELS, e.tiny.spec.classes),
        "expected bytes .* or floats in 0..1, found float64 from 200",
    ),
    "judge one image": (
        lambda e: jinv.judge(e.tiny, IMAGES[0], LABELS, e.tiny.spec.classes),
        "images: expected an array",
    ),
    "judge a list": (
        lambda e: jinv.judge(e.tiny, [1], LABELS, e.tiny.spec.classes),
        "images: expected a ndarray",
    ),
    "labels beyond": (
        lambda e: jinv.judge(e.tiny, IMAGES, LABELS + 9, e.tiny.spec.classes),
        "labels: expected whole numbers from 0 to 5",
    ),
    "labels below": (
        lambda e: jinv.judge(e.tiny, IMAGES, LABELS - 1, e.tiny.spec.classes),
        "found int64 from -1 to",
    ),
    "too few labels": (
        lambda e: jinv.judge(e.tiny, IMAGES, LABELS[:1], e.tiny.spec.classes),
        "labels: expected one for each of 2",
    ),
    "unknown classes": (
        lambda e: jinv.judge(e.tiny, IMAGES, LABELS, ["lynx"] * 6),
        "does not know the class 'lynx'",
    ),
    # folders
    "a run of a job": (lambda e: jinv.save_run(e.job("cat"), "x"), "result: expected"),
    "a path of 3": (lambda e: jinv.save_run(e.result, 3), "path: expected a path"),
    "a set of a result": (
        lambda e: jinv.synthesize(e.result, "x"),
        "job: expected a Job, found",
    ),
    "an unknown option": (
        lambda e: jinv.synthesize(e.job("cat"), "x", frm="npz"),
        "unknown option 'frm' .did you mean form",
    ),
    "an unknown form": (
        lambda e: jinv.synthesize(e.job("cat"), "x", form="npy"),
        "form: expected folder or npz or array_record, found 'npy' .did you mean npz",
    ),
    "best 0": (
        lambda e: jinv.synthesize(e.job("cat"), "x", best=0),
        "best: expected a whole number from 1",
    ),
    "train on arrays": (
        lambda e: jinv.train(e.tiny, IMAGES, LABELS),
        "missing a required argument: 'config'",
    ),
    "devices -1": (
        lambda e: jinv.train(
            e.tiny, e.data, e.data, jinv.TrainConfig(), "x", devices=-1
        ),
        "devices: expected a whole number from 0",
    ),
    "a config's dict": (
        lambda e: jinv.train(e.tiny, e.data, e.data, {"lr": 1}, "x"),
        "config: expected a TrainConfig",
    ),
    "crops too large": (
        lambda e: jinv.train(
            e.tiny,
            e.data,
            e.data,
            jinv.TrainConfig(crops=((9, 1),), batch_size=32),
            "x",
        ),
        "takes no crops of 9 pixels",
    ),
    "nobody beside": (
        lambda e: jinv.distill(e.tiny, e.tiny, "x", e.data, beside={"a": "nowhere"}),
        "nowhere: expected the folder of a student",
    ),
    "no such checkpoint": (
        lambda e: jinv.load_published("nowhere.pth", e.tiny.spec),
        "no weights file at nowhere.pth",
    ),
    "a ratio of 1": (lambda e: jinv.prune(e.tiny, 1.0), "over 0 and below 1"),
    "images of another size": (
        lambda e: e.learn(np.zeros((9, 10, 10, 3), np.uint8)),
        "training: expected images of shape .8, 8, 3., .* found .10, 10, 3.",
    ),
    "grey images": (
        lambda e: e.learn(np.zeros((9, 8, 8), np.uint8)),
        "found .8, 8, 1.",
    ),
    "no image": (
        lambda e: e.learn(np.zeros((0, 8, 8, 3), np.uint8)),
        "training: expected images, found none",
    ),
    "a label beyond": (
        lambda e: e.learn(np.zeros((9, 8, 8, 3), np.uint8), 6),
        "training: expected labels from 0 to 5, .* found 6 to 6",
    ),
    "no labels": (
        lambda e: e.learn(np.zeros((9, 8, 8, 3), np.uint8), -1),
        "expected labels from 0 to 5, .* found -1 to -1",
    ),
    "a student's labels beyond": (
        lambda e: jinv.distill(e.tiny, e.tiny, "x", labelled(IMAGES, 50)),
        "data: expected labels from 0 to 5, .* or -1 for none, found 50",
    ),
    "tests of a student without labels": (
        lambda e: jinv.distill(e.tiny, e.tiny, "x", test=labelled(IMAGES, -1)),
        "test: expected labels from 0 to 5, .* found -1",
    ),
    "a pool that starts large": (
        lambda e: jinv.distill(
            e.tiny, e.tiny, "x", start=labelled(IMAGES.repeat(2, 1), 0)
        ),
        "start: expected images of shape .8, 8, 3., .* found .16, 8, 3.",
    ),
    "a warm-up without an end": (
        lambda e: jinv.distill(e.tiny, e.tiny, "x", e.data, steps=50, warmup=50),
        "a warm-up of 50 steps needs more than 50 steps",
    ),
    "steps in a game": (
        lambda e: jinv.distill(
            e.tiny, e.tiny, "x", preset="dfad", synthesis={"steps": 5}
        ),
        "steps is for sets, whose batches are made one by one",
    ),
    "the price of a game": (
        lambda e: jinv.distill(e.tiny, e.tiny, "x", preset="dfad", cost=Cost(1, 1.0)),
        "cost is for a pool",
    ),
    "images that end small": (
        lambda e: e.job("cat", resolutions=(4,)),
        "resolutions 4: expected 8 as the last",
    ),
    "a split of our own": (
        lambda e: jinv.synthesize(e.job("cat"), "x", split="Parts"),
        "split 'Parts': expected a plain name such as train, and none",
    ),
    "labels of scores": (
        lambda e: ArrayImages(IMAGES, [0.9, 1.7]),
        "labels: labels must be whole numbers in .*, found 0.9",
    ),
    "labels of 33 bits": (
        lambda e: ArrayImages(IMAGES, [2**32 + 1, 0]),
        "labels must lie in .*, found 0..4294967297",
    ),
    "a name with a folder": (
        lambda e: replace(e.tiny.spec, name="timm/mine"),
        "name: expected one that a file can have, .* found 'timm/mine'",
    ),
    "a name that is taken": (
        lambda e: replace(e.tiny.spec, name="Config"),
        "not config, .* found 'Config'",
    ),
    "a decoder's path": (
        lambda e: jinv.reconstruct(e.tiny, IMAGES, "stage1", decoder="runs/decoder"),
        "decoder: expected one of `jinv.load_decoder`, found its path",
    ),
    "a root of variations": (
        lambda e: jinv.reconstruct(e.tiny, IMAGES, "stage1", beta=0.5),
        "beta: expected a number from 1, found 0.5",
    ),
    "a side to dream at": (
        lambda e: jinv.visualize(e.tiny, layers="stage1", start=IMAGES, size=(6,)),
        "size: expected height and width",
    ),
    "directions of two lengths": (
        lambda e: jinv.visualize(e.tiny, layers="stage1", directions=[[1, 2], [3]]),
        "expected a direction .channels,. or several",
    ),
    "noise in levels": (
        lambda e: jinv.denoise(IMAGES + 99.0, sigma=25),
        "expected floats, 0 for black and 1 for white, found numbers around 99",
    ),
    "noise that is none": (
        lambda e: jinv.denoise(np.full((1, 8, 8, 3), np.nan), sigma=25),
        "found numbers around nan",
    ),
    "noise of 16 bits": (
        lambda e: jinv.denoise(IMAGES.astype(np.uint16), sigma=25),
        "uint8 or floats, found an array .* of uint16",
    ),
    "minus three leaves": (lambda e: jinv.dead_leaves(-3, 8), "count: expected"),
    "leaves of two colours": (
        lambda e: jinv.dead_leaves(3, 8, channels=2),
        "channels: expected 3, or 1 where grey, found 2",
    ),
    "a folder of a prior": (
        lambda e: jinv.learn_prior("photos/", "x"),
        "images: expected arrays, .* found 'photos/'",
    ),
    "a prior of texts": (
        lambda e: jinv.learn_prior(["a.jpg"] * 2, "x"),
        "expected arrays .height, width, 3.",
    ),
    "photographs of two sizes": (
        lambda e: jinv.reconstruct(
            e.tiny, [IMAGES[0], IMAGES[0].repeat(2, 0)], "stage1"
        ),
        "photographs: expected photographs of one size",
    ),
    "prune arrays": (lambda e: jinv.prune(IMAGES, 0.5), "classifier: expected a Cla"),
    "an unknown function": (lambda e: jinv.inverted, None),
}


class Everything:
    """What calls are made with."""

    def __init__(self, tiny, result, data):
        self.tiny, self.result, self.data = tiny, result, data

    def job(self, *args, **options):
        return jinv.make_job(self.tiny, *args, **options)

    def learn(self, images, label=0):
        data, config = labelled(images, label), jinv.TrainConfig(batch_size=2)
        return jinv.train(self.tiny, data, self.data, config, "x")


@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_cannot_work_is_one_line(
    name, tiny, result, stripes, monkeypatch, tmp_path
):
    monkeypatch.chdir(tmp_path)
    call, message = CALLS[name]
    expected = JinvError if message else AttributeError
    with pytest.raises(expected, match=message) as error:
        call(Everything(tiny, result, stripes[0]))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []
