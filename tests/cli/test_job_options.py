from dataclasses import replace

import pytest
from sketch import PRESET, Sketch, add_sketch

from jinv.cli import job_options
from jinv.cli.job_options import prepare, word_after
from jinv.cli.main import main
from jinv.errors import ConfigError
from jinv.inversion.methods import METHODS
from jinv.inversion.natural import NaturalInversion
from jinv.inversion.presets import PRESETS, write_preset
from jinv.models.classifier import Classifier
from jinv.models.listing import init_shapes
from jinv.models.zoo import classifier_spec

JOBS = ("invert", "search", "synthesize")


@pytest.fixture
def sketch(monkeypatch):
    add_sketch(monkeypatch)


@pytest.fixture
def parse(monkeypatch):
    """Options as a command would get them."""

    def parsed(*words, command="invert"):
        kept = []
        run = f"jinv.cli.{command}.run"
        monkeypatch.setattr(run, lambda options: kept.append(options) or 0)
        assert main([command, *words]) == 0
        return kept[0]

    return parsed


def test_a_method_is_chosen_for_who_names_none(parse):
    options = parse()
    assert (options.method, options.preset) == ("deep", "default")
    assert options.settings == PRESETS["default"].method


@pytest.mark.parametrize("words", ["--prior-stride=4", "--w-prior 0.01"])
def test_what_is_said_of_priors_needs_one(parse, words):
    options = parse(*words.split())
    with pytest.raises(ConfigError, match="is of learned priors: give --prior FILE"):
        prepare(options, images=1)
    given = parse(*words.split(), "--prior=a:0.5").learned_priors()
    assert given == {"priors": ("a:0.5",), "prior_stride": 4}


@pytest.mark.parametrize("command", JOBS)
@pytest.mark.parametrize("words", ["--method sketch", "--preset=lines"])
def test_a_method_brings_its_preset_and_a_preset_its_method(
    parse, sketch, command, words
):
    options = parse(*words.split(), command=command)
    assert (options.method, options.preset) == ("sketch", "lines")
    assert options.settings == Sketch(lr=0.3, patience=0.5)


def test_a_file_brings_its_method(parse, sketch, tmp_path):
    write_preset(tmp_path / "mine.json", PRESET)
    assert parse("--preset", str(tmp_path / "mine.json")).method == "sketch"


def test_a_preset_is_overridden_by_settings_of_its_method(parse, sketch):
    words = ["--strokes", "3,5", "--no-shade", "--lr", "1"]
    options = parse("--method", "sketch", *words)
    assert options.settings == Sketch(1.0, (3, 5), shade=False, patience=0.5)


@pytest.fixture
def without_weights(monkeypatch):
    """Let the zoo's classifiers have shapes for weights."""

    def load(name, *_, **build):
        spec = classifier_spec(name)
        module = spec.make_module(**build)
        return Classifier(spec, module, init_shapes(module, spec))

    monkeypatch.setattr(job_options, "load_classifier", load)


IMAGENET = "--model efficientnet_lite0 --classes 0"


@pytest.mark.parametrize("words", ["--steps 3", "--steps=3"])
def test_few_steps_are_enough_where_a_preset_warms_up(parse, without_weights, words):
    job, _ = prepare(parse(*IMAGENET.split(), *words.split()), 1)
    assert (job.method.steps, job.method.warmup) == ((3,), 1)


def test_a_preset_keeps_what_nobody_gave(parse, without_weights):
    options = parse(*IMAGENET.split(), "--lr", "0.1")
    job, _ = prepare(options, 1)
    assert job.method == options.settings and job.method.warmup == 20


def test_given_settings_that_contradict_each_other_are_refused(parse, without_weights):
    words = [*IMAGENET.split(), "--steps", "3", "--warmup", "20"]
    with pytest.raises(ConfigError, match="a warm-up of 20 steps needs more than 3"):
        prepare(parse(*words), 1)


def test_a_part_that_is_switched_off_takes_its_settings_along(
    parse, without_weights, tmp_path
):
    preset = replace(PRESETS["natural"], method=NaturalInversion(pyramid_stages=2))
    write_preset(tmp_path / "mine.json", preset)
    words = ["--preset", str(tmp_path / "mine.json"), "--no-pyramid"]
    job, _ = prepare(parse(*words), 1)
    assert job.method == NaturalInversion(pyramid=False)


def test_lengths_fit_the_model(parse, sketch):
    options = parse("--method", "sketch", "--model", "resnet50")
    assert options.settings.width == 28
    assert parse("--preset", "technion").settings.jitter == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--method skech", "unknown method 'skech' (did you mean sketch?)"),
        (
            "--method sketch --preset technion",
            "the preset technion is for the method deep, not sketch, whose presets are "
            "lines",
        ),
        (
            "--method deep --preset lines",
            "the preset lines is for the method sketch, not deep, whose presets are "
            "deepinversion-imagenet, ",
        ),
        (
            "--method sketch --w-tv1 1",
            "the method sketch has no --w-tv1, which --method deep has",
        ),
        ("--no-shade", "the method deep has no --no-shade, which --method sketch has"),
        ("--width=3", "the method deep has no --width, which --method sketch has"),
    ],
)
def test_what_does_not_go_together_is_one_line(sketch, capsys, words, message):
    assert main(["invert", *words.split()]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--over w_tv2=0,1", "unknown setting 'w_tv2'; there are lr, strokes, width"),
        ("--grid technion", "the preset technion is for the method deep, not sketch"),
        ("--over lr=0,1 --over width=1,2", "--over is there twice, and the last one"),
    ],
)
def test_a_search_is_over_the_settings_of_its_method(sketch, capsys, words, message):
    assert main(["search", "--method", "sketch", *words.split()]) == 2
    assert message in capsys.readouterr().err


def help_of(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main([*words, "--help"])
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_help_shows_the_settings_of_the_method(sketch, capsys):
    text = help_of(capsys, "invert", "--method", "sketch")
    assert "--strokes" in text and "--no-shade" in text and "in a few strokes" in text
    assert "--w-bn" not in text
    assert "--strokes" not in help_of(capsys, "invert")


@pytest.mark.parametrize("command", JOBS)
@pytest.mark.parametrize("method", METHODS)
def test_settings_of_each_method_leave_other_options_alone(parse, command, method):
    options = parse("--method", method, command=command)
    taken = {*vars(options), *vars(options.execution)}
    assert not taken & set(vars(options.settings))


@pytest.mark.parametrize(
    ("words", "said"),
    [("-b 1 --bc 2", None), ("--b 1 --b=2", "2"), ("--b=1 --b 2", "2"), ("--b", None)],
)
def test_the_last_word_counts(words, said):
    assert word_after(words.split(), "--b") == said


def test_a_repeated_option_is_read_as_the_parser_reads_it(parse):
    options = parse("--preset", "technion", "--preset", "default")
    assert options.preset == "default"
    assert options.settings == PRESETS["default"].method
