import subprocess
import sys
from importlib import import_module
from importlib.metadata import version

import pytest

from jinv.cli.main import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_the_first_line_about_its_options(name):
    command = COMMANDS[name]
    options = getattr(import_module(f"jinv.cli.{name}"), command.options)
    assert command.purpose == options.__doc__.splitlines()[0]


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_lists_every_command_and_its_purpose(capsys, word):
    assert main([word]) == 0
    listed = dict(
        line.split(maxsplit=1)
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("  ")
    )
    assert listed == {name: command.purpose for name, command in COMMANDS.items()}


def test_no_command_is_a_mistake_that_help_answers(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert main([]) == 2
    assert capsys.readouterr() == ("", text)


@pytest.mark.parametrize("word", ["-V", "--version"])
def test_the_version_is_that_of_the_installed_distribution(capsys, word):
    assert main([word]) == 0
    assert capsys.readouterr().out == f"jinv {version('jinv')}\n"


def test_an_unknown_command_is_one_line(capsys):
    assert main(["inverted"]) == 2
    said = capsys.readouterr().err
    assert said == "error: unknown command 'inverted' (did you mean invert?)\n"


@pytest.mark.parametrize("word", ["--help", "--version", "inverted"])
def test_no_answer_without_work_waits_for_jax(word):
    code = (
        "import sys; from jinv.cli.main import main; main(sys.argv[1:]); "
        "sys.exit(bool({'jax', 'tyro'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, word], capture_output=True)
    assert done.returncode == 0


def test_the_package_runs_as_a_program():
    words = [sys.executable, "-m", "jinv", "--version"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"jinv {version('jinv')}\n")
