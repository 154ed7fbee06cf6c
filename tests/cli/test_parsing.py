from dataclasses import dataclass

import pytest

from jinv.cli.job_options import words_after
from jinv.cli.main import main
from jinv.cli.parsing import parse
from jinv.cli.reconstruct import defaults
from jinv.console import make_console, remark
from jinv.errors import ConfigError
from jinv.values import Count


@dataclass(frozen=True)
class Options:
    """Options of each kind of list."""

    steps: tuple[int, ...] = (3,)
    betas: tuple[float, float] = (0.9, 0.999)
    crops: tuple[tuple[Count, Count], ...] = ()
    names: tuple[str, ...] = ()
    at_once: Count | None = None


def parsed(words: str) -> Options:
    return parse(Options, "test", words.split())


def test_lists_of_numbers_take_commas_and_blanks():
    for words in ("--betas 0.5,0.9", "--betas 0.5 0.9", "--betas=0.5,0.9"):
        assert parsed(words).betas == (0.5, 0.9)
    for words in ("--crops 16,4,24,2", "--crops 16 4 24 2", "--crops 16,4 24,2"):
        assert parsed(words).crops == ((16, 4), (24, 2))
    assert parsed("--steps 1,2 --at-once 5") == Options((1, 2), at_once=5)
    assert parsed("--at-once None").at_once is None


@pytest.mark.parametrize(
    "words, message",
    [
        ("--betas 0.5", "^--betas: expected 2 numbers, found '0.5'"),
        ("--crops 16,4,24", "^--crops: expected groups of 2 whole numbers, found"),
        ("--crops 16,0", "^--crops: expected .* from 1"),
        ("--at-once x", "^--at-once: expected a whole number, found 'x'"),
        ("--names a --steps 1 --names b", "^--names is there twice"),
    ],
)
def test_what_is_no_such_list_is_refused(words, message):
    with pytest.raises(ConfigError, match=message):
        parsed(words)


def test_layers_mean_the_same_with_commas_and_with_blanks():
    def settings(*layers):
        words = ["--preset", "mahendran-2015", "--layers", *layers]
        return defaults([*words, "--out", "run"]).settings

    assert settings("conv1", "pool5") == settings("conv1,pool5")
    assert settings("conv1", "pool5").w_tv != settings("conv1").w_tv


def test_what_follows_a_flag_with_its_value_is_no_more_of_it():
    words = ["--layers=conv1", "photo.jpg", "--preset", "mahendran-2015"]
    assert defaults(words).settings.layers == ("conv1",)
    assert words_after("--b 1 2 --c 3 --b 4".split(), "--b") == ["4"]


def test_help_shows_what_a_preset_does():
    usual = defaults([]).settings
    assert usual.parametrisation == "fourier" and usual.layers == ()


def test_a_photograph_among_the_layers_is_no_layer(tmp_path, capsys):
    photograph = tmp_path / "photo.jpg"
    photograph.touch()
    words = ["--model", "cifar10_resnet20", "--layers", "stage1", str(photograph)]
    assert main(["reconstruct", *words]) == 2
    assert "photo.jpg was read as one of --layers" in capsys.readouterr().err


def test_what_people_are_told_is_plain_text(capsys):
    odd = "o/[/cat] [bold]run :100:"
    make_console().print(odd)
    make_console().print(remark("error", odd))
    assert capsys.readouterr().err == f"{odd}\nerror: {odd}\n"
