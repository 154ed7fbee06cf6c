import warnings

import pytest

from jinv.cli.former_flags import FORMER_FLAGS, Former, todays_words
from jinv.cli.main import main
from jinv.errors import JinvWarning


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--verifier", "vgg16"], ["--judge", "vgg16"]),
        (["--verifier=a=b.pth"], ["--judge=a=b.pth"]),
        (["--verifier_weights", "a"], ["--judge-weights", "a"]),
        (["--verifier_weights=a_b"], ["--judge-weights=a_b"]),
    ],
)
def test_a_former_flag_is_understood_and_its_name_told(words, wanted):
    with pytest.warns(JinvWarning, match="is called --judge"):
        assert todays_words("invert", words) == wanted


def test_todays_flags_and_values_are_left_alone():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for words in (["--judge", "verifier"], ["--judge_weights=--x"], ["verifier"]):
            assert todays_words("invert", words) == words
        assert todays_words("train", ["--verifier"]) == ["--verifier"]


def test_a_flag_may_keep_its_former_name_without_a_word(monkeypatch):
    kept = Former("--lr", frozenset({"invert"}), warns=False)
    monkeypatch.setitem(FORMER_FLAGS, "--learning-rate", kept)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert todays_words("invert", ["--learning-rate=1"]) == ["--lr=1"]


@pytest.mark.parametrize("command", ["evaluate", "invert", "search", "synthesize"])
def test_help_knows_no_former_flag(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = capsys.readouterr().out
    assert "--judge" in said
    for name, former in FORMER_FLAGS.items():
        assert command not in former.commands or name not in said


def test_the_command_line_tells_the_name_of_today_on_one_line(capsys):
    assert main(["invert", "--verifier", "resnet5O"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and said[0].startswith(
        "warning: --verifier is called --judge"
    )
