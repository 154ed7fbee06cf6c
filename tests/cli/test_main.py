import errno
import signal
import subprocess
import sys
import threading
import warnings
from importlib import import_module
from importlib.metadata import version

import pytest

from jinv.cli.main import COMMANDS, main
from jinv.errors import ConfigError, Diverged, JinvWarning


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


def test_no_answer_without_work_waits_for_jax():
    code = (
        "import sys; from jinv.cli.main import main; "
        "[main([word]) for word in ('--help', '--version', 'inverted')]; "
        "sys.exit(bool({'jax', 'tyro'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_the_package_runs_as_a_program():
    words = [sys.executable, "-m", "jinv", "--version"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"jinv {version('jinv')}\n")


ACCIDENTS = {
    "a setting": (lambda: fail(ConfigError("lower it")), 2, "error: lower it"),
    "no number": (lambda: fail(Diverged("lower the rate")), 1, "lower the rate"),
    "a full disk": (
        lambda: fail(OSError(errno.ENOSPC, "No space left on device", "runs/a/x.png")),
        2,
        "error: runs/a/x.png: No space left on device; make room, then give the same",
    ),
    "no permission": (
        lambda: fail(PermissionError(errno.EACCES, "Permission denied", b"runs/a")),
        2,
        "error: runs/a: Permission denied; choose a place where you may write",
    ),
    "an unknown one": (lambda: fail(OSError("strange")), 2, "the system: strange; see"),
    "Ctrl-C": (lambda: signal.raise_signal(signal.SIGINT), 130, "stopped by SIGINT"),
    "SIGTERM": (lambda: signal.raise_signal(signal.SIGTERM), 143, "by SIGTERM; what"),
}


def fail(error):
    raise error


@pytest.mark.parametrize("name", ACCIDENTS)
def test_an_accident_is_one_line_and_a_status(monkeypatch, capsys, name):
    accident, status, message = ACCIDENTS[name]
    monkeypatch.setattr("jinv.cli.models.run", lambda _: accident())
    assert main(["models"]) == status
    said = capsys.readouterr().err
    assert message in said and said.count("\n") == 1


def test_signals_do_again_what_they_did_before(monkeypatch):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr("jinv.cli.models.run", lambda _: 0)
    assert main(["models"]) == 0
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert after == before


def test_commands_run_outside_the_main_thread(monkeypatch):
    monkeypatch.setattr("jinv.cli.models.run", lambda _: 0)
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(main(["models"])))
    thread.start()
    thread.join()
    assert statuses == [0]


def test_warnings_for_people_are_one_line_and_pillows_are_none(monkeypatch, capsys):
    def run(options):
        warnings.warn("two files [were] left out", JinvWarning, stacklevel=1)
        warnings.warn_explicit("corrupt", UserWarning, "x.py", 1, module="PIL.Tiff")
        return 0

    monkeypatch.setattr("jinv.cli.models.run", run)
    assert main(["models"]) == 0
    assert capsys.readouterr().err == "warning: two files [were] left out\n"
