"""Every option of every command goes wrong, at least twice: one line, status 2."""

from importlib import import_module

import numpy as np
import pytest
from bad_values import bad_values, is_text, options_of
from PIL import Image
from tiny_main import OTHER, TINY

from jinv.cli.main import COMMANDS, main
from jinv.models import zoo

NETWORKS = [["nonsense"], ["tiny=nowhere.pth"], ["tiny=."], ["tiny"]]
SETS = [["nowhere"], ["empty"], ["notes.txt"]]
PRIORS = [["nowhere.safetensors"], ["0.safetensors:1"], ["empty"], ["notes.txt:-1"]]
OUTS = [["full"], ["notes.txt"], ["notes.txt/run"]]
JOB = {
    "classes": [["lynx"], ["3-1"], ["6"], [""], ["0-99"]],
    "model": [["nonsense"], ["tinny"], [""]],
    "weights": [["nowhere.pth"], ["empty"], ["notes.txt"], ["set.npz"]],
    "class_names": [["one"], ["a,b,a,c,d,e"], ["a,b"], ["binary"]],
    "method": [["deap"], [""]],
    "preset": [["nonsense"], ["notes.txt"], ["nowhere.json"]],
    "student": [*NETWORKS, ["other=0.safetensors"]],
    "judge": NETWORKS,
    "judge_weights": [["nowhere.pth"], ["0.safetensors"]],
    "prior": PRIORS,
    "out": OUTS,
}
MEASURED = {
    "real": SETS,
    "extractor": NETWORKS,
    "feature": [["nonsense"], ["pool5"]],
}
LEARNT = {
    "data": SETS,
    "test": SETS,
    "split": [["nonsense"], [".."]],
    "test_split": [["nonsense"], ["train2"]],
    "model": JOB["model"],
    "class_names": [["one"], ["a,b,a"], ["binary"], ["a,b"]],
    "out": OUTS,
}
TEXTS = {
    "invert": JOB,
    "synthesize": JOB
    | {
        "split": [["a/b"], ["1x"], [""]],
        "shard": [["2/2"], ["x"], ["-1/2"], ["0/0"]],
        "hosts": [["nonsense"], ["host:1,2/2"]],
    },
    "search": JOB
    | MEASURED
    | {
        "reconstruct": [["nowhere.png"], ["photo.png"]],
        "over": [["lr"], ["w_tvx=1,2"], ["lr=-1..1"], ["lr=inf..1"], []],
        "grid": [["nonsense"], [""]],
        "objective": [["fjd"], [""]],
        "real_split": [["nonsense"], [".."]],
        "storage": [["nonsense"], ["sqlite:////nowhere/at/all.db"]],
    },
    "train": LEARNT
    | {
        "init": [["nowhere.pth"], ["empty"], ["set.npz"]],
        "real": SETS,
        "real_split": [["nonsense"], [".."]],
    },
    "supermask": LEARNT
    | {
        "published": [["nowhere.pth"], ["0.safetensors"]],
        "layers": [["conv1"], ["nothing=0.5"], ["conv1=2"]],
    },
    "distill": LEARNT
    | {
        "student": NETWORKS[:3],
        "weights": JOB["weights"],
        "preset": [["nonsense"], ["fast10"]],
        "start_from": SETS,
        "beside": [["nosign"], ["=run"], ["real=nowhere"]],
    },
    "evaluate": MEASURED
    | {
        "set": SETS,
        "judge": NETWORKS,
        "stages": [["nonsense"], ["pool5"]],
        "also": [["nosign"], ["=set.npz"], ["a="]],
        "split": [["nonsense"], [".."]],
        "real_split": [["nonsense"], [".."]],
        "out": OUTS,
    },
    "prior": {
        "images": SETS,
        "split": [["nonsense"], [".."]],
        **{name: JOB[name] for name in ("weights", "class_names", "out")},
        "model": [["nonsense"], ["tinny"]],
        "layer": [["nothing"], ["logits"]],
        "preset": [["nonsense"], ["mahendran"]],
    },
    "denoise": {
        "images": [["nowhere.png"], ["empty"], ["notes.txt"]],
        "prior": [["nowhere.safetensors"], ["0.safetensors"], ["notes.txt"]],
        "out": OUTS,
    },
    "decoder": {
        "images": [["nowhere.png"], ["empty"], ["notes.txt"]],
        "layer": [["stage9"], [""]],
        "test": [["nowhere.png"], ["empty"], ["notes.txt"]],
        **{name: JOB[name] for name in ("model", "weights", "class_names", "out")},
    },
    "reconstruct": {
        "images": [["nowhere.png"], ["empty"], ["notes.txt"]],
        "layers": [["stage9"], ["stage1,nothing"]],
        "model": JOB["model"],
        "weights": JOB["weights"],
        "class_names": JOB["class_names"],
        "prior": PRIORS,
        "decoder": [["nowhere.safetensors"], ["notes.txt"], ["0.safetensors"], ["."]],
        "preset": [["nonsense"], ["mahendran"]],
        "out": OUTS,
    },
    "models": {
        "name": [["nonsense"], ["tinny"]],
        "classes": [["sharc", "tiny"], ["shark"]],
    },
    "prune": LEARNT
    | {
        "weights": JOB["weights"],
        "preset": [["nonsense"], ["resnet56"]],
        "skip": [["nothing"], ["*"]],
        "split": [["nonsense", "--data", "set.npz"], ["..", "--data", "set.npz"]],
        "test_split": [["nope", "--test", "set.npz"], ["..", "--test", "set.npz"]],
    },
    "visualize": {
        **{
            name: JOB[name]
            for name in ("model", "weights", "class_names", "prior", "out")
        },
        "preset": [["nonsense"], ["notes.txt"], ["deepdream"]],
        "units": [["stage2"], ["nothing:0"], ["stage2:8"], ["stage2:0@9,9"]],
        "classes": JOB["classes"],
        "directions": [["nowhere.npy"], ["notes.txt"], ["set.npz"]],
        "start": [["nowhere.png"], ["empty"], ["notes.txt"]],
        "caricature": [["nowhere.png"], ["empty"], ["notes.txt"]],
        "layers": [["nothing"], ["stage2"]],
        "diversity_layer": [["nothing"], ["logits"]],
    },
}
ANY_TEXT = {("search", "study"), ("evaluate", "control_split")}
"""The name of a search is anybody's choice; a control that cannot be read is left out,
and the table says so."""


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path, weights):
    """A folder with things that are something else than what is asked for."""
    for spec in (TINY, OTHER):
        monkeypatch.setitem(zoo._zoo(), spec.name, spec)
    monkeypatch.chdir(tmp_path)
    for index, path in enumerate(weights):
        (tmp_path / f"{index}.safetensors").symlink_to(path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    (tmp_path / "notes.txt").write_text("precious")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\0a\0b")
    arrays = {}
    for split in ("train", "test"):
        arrays[f"x_{split}"] = np.zeros((40, 8, 8, 3), np.uint8)
        arrays[f"y_{split}"] = np.arange(40) % 6
    np.savez(tmp_path / "set.npz", **arrays)
    Image.fromarray(arrays["x_train"][0]).save(tmp_path / "photo.png")
    return tmp_path


USUAL = {
    "invert": "--model tiny --weights 0.safetensors --images 2 --steps 2",
    "synthesize": "--model tiny --weights 0.safetensors --images 2 --steps 2",
    "search": "--model tiny --weights 0.safetensors --images 2 --steps 2 --over lr=1,2 "
    "--judge other=1.safetensors",
    "train": "--data set.npz --model tiny --epochs 1 --batch-size 32",
    "supermask": "--data set.npz --model tiny --epochs 1 --batch-size 32",
    "distill": "--student tiny --model tiny --weights 0.safetensors --data set.npz "
    "--steps 2 --batch-size 4",
    "evaluate": "set.npz --judge other=1.safetensors --extractor tiny=0.safetensors",
    "prior": "set.npz --model tiny --weights 0.safetensors --layer stage1 --steps 2 "
    "--patches 9 --filters 2",
    "denoise": "photo.png --tv 1",
    "decoder": "photo.png --model tiny --weights 0.safetensors --layer stage1 "
    "--steps 1 --batch-size 2",
    "reconstruct": "photo.png --model tiny --weights 0.safetensors --layers stage1 "
    "--steps 2",
    "models": "",
    "prune": "--model tiny --weights 0.safetensors --ratio 0.5",
    "visualize": "--model tiny --weights 0.safetensors --units stage2:0 --steps 2 "
    "--per-unit 2 --w-diversity 1",
}
POSITIONAL = {
    (command, "images") for command in ("prior", "denoise", "decoder", "reconstruct")
}
NEEDED = {
    "judge_weights": {"invert": "", "search": "--judge tiny=1.safetensors"},
    "student": "--method fast --w-adversarial 1",
    "real": "--objective fid",
    "real_split": "--objective fid --real set.npz",
    "extractor": "--objective fid --real set.npz",
    "feature": "--objective fid --real set.npz",
    "published": "",
}


def default_of(command):
    module = import_module(f"jinv.cli.{command}")
    kind = getattr(module, COMMANDS[command].options)
    needed = {"train": {"data": "x"}, "evaluate": {"set": "x"}}.get(command, {})
    return module.defaults([]) if hasattr(module, "defaults") else kind(**needed)


def options(command):
    return list(options_of(default_of(command)))


def tried(command, name, kind):
    """The words of a command that go wrong by one option."""
    flag = f"--{name.replace('_', '-')}"
    usual = USUAL[command].split()
    if name in ("set", "name") or (command, name) in POSITIONAL:
        return [[*words, *usual[1:]] for words in TEXTS[command][name]]
    values = TEXTS[command][name] if is_text(kind) else bad_values(kind)
    context = NEEDED.get(name, "") if command == "search" else ""
    if command in ("invert", "synthesize") and name == "student":
        context = NEEDED["student"]
    if isinstance(context, dict):
        context = context.get(command, "")
    if command in ("evaluate", "train") and name == "real_split":
        context = "--real set.npz"
    if command == "supermask" and name == "published":
        usual = usual[2:]
    if command == "distill" and name == "start_from":
        usual = [word for word in usual if word not in ("--data", "set.npz")]
    joined = [v for v in values if v and v[0].startswith("=")]
    return [
        [*usual, *context.split(), *([flag + v[0]] if v in joined else [flag, *v])]
        for v in values
    ]


def all_tried(command):
    """What goes wrong by each option: (name, whether it takes text, commands).

    Everything by the first option of a kind, and two things by others of that kind,
    which are read by the same code.
    """
    known = set()
    for name, kind in options(command):
        if (command, name) not in ANY_TEXT:
            cases = tried(command, name, kind)
            text = is_text(kind)
            yield name, text, cases if text or kind not in known else cases[-2:]
            known.add(kind)


def snapshot(place):
    return {
        path.relative_to(place).as_posix(): path.is_file() and path.read_bytes()
        for path in place.rglob("*")
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_refuses_what_it_cannot_take(command, place, capsys):
    before, wrong = snapshot(place), []
    for name, text, cases in all_tried(command):
        flag = f"--{name.replace('_', '-')}"
        assert len(cases) >= 2, f"--{name} is tried {len(cases)} times"
        for words in cases:
            try:
                status = main([command, *words])
            except BaseException as error:  # whatever a user would see
                status = repr(error)
            said = capsys.readouterr().err
            line = (status, said.count("\n"), said[:7]) == (2, 1, "error: ")
            if not line or (not text and flag not in said):
                wrong.append((words, status, said))
    assert not wrong, "\n".join(map(str, wrong))
    assert snapshot(place) == before


def test_there_are_many_of_them():
    counts = {
        command: sum(len(cases) for *_, cases in all_tried(command))
        for command in COMMANDS
    }
    assert sum(counts.values()) > 600, counts
