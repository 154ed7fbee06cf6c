"""The console command `jinv`.

Nothing slow is imported before it is needed: help and mistakes must not wait for jax.
"""

import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Literal, NamedTuple

import jinv
from jinv.cli.former_flags import todays_words
from jinv.cli.stopping import Stopped, signals_that_stop
from jinv.errors import STOPPED, Interrupted, JinvError, JinvWarning, explain
from jinv.suggest import near


class Command(NamedTuple):
    """A sub-command, whose module has the same name.

    Attributes:
        options: Options' dataclass, by its name in that module.
        purpose: First line of that dataclass's docstring, which a test compares.
    """

    options: str
    purpose: str


COMMANDS = {
    "decoder": Command(
        "LearnDecoder",
        "Teach a network to make images of what a layer of another one says of them.",
    ),
    "denoise": Command(
        "Denoise",
        "Remove noise from images, by a learned prior or by total variation.",
    ),
    "distill": Command(
        "Distill",
        "Teach a student what a network knows, from a set or without any data.",
    ),
    "evaluate": Command(
        "Evaluate",
        "Measure how good a set of images is, beside real images and controls.",
    ),
    "invert": Command(
        "Invert", "Turn a classifier back into images of some of its classes."
    ),
    "models": Command(
        "Models",
        "List the classifiers that can be inverted, or describe one of them.",
    ),
    "prior": Command(
        "LearnPrior",
        "Learn what images, or the features of a layer, usually look like.",
    ),
    "prune": Command(
        "Prune",
        "Cut the weakest filters out of a network, which becomes really smaller.",
    ),
    "reconstruct": Command(
        "Reconstruct",
        "Find photographs again from what some layers of a network keep of them.",
    ),
    "search": Command("Search", "Search settings that make better images, by Optuna."),
    "supermask": Command(
        "FindSupermask",
        "Search a random network for a subnetwork that classifies (edge-popup).",
    ),
    "synthesize": Command(
        "Synthesize",
        "Make a whole data set by inverting a classifier, batch after batch.",
    ),
    "train": Command("Train", "Train a classifier of the zoo on labelled images."),
    "visualize": Command(
        "Visualize",
        "Show what excites units of a network, or what a layer sees in photographs.",
    ),
}
"""Sub-commands by name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; returns the exit status.

    What a person can mend is printed on one line; see `run_command`.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words:
        print(_help(), file=sys.stderr)
        return 2
    if words[0] in ("-h", "--help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(f"jinv {jinv.__version__}")
        return 0
    if words[0] not in COMMANDS:
        return _refuse(f"unknown command {words[0]!r}{near(words[0], COMMANDS)}")
    return run_command(words[0], words[1:])


def run_command(name: str, arguments: Sequence[str] | None = None) -> int:
    """Parse one sub-command's options and run it; returns the exit status.

    | status | accident |
    |---|---|
    | 0 | none: the work is done, or was done before |
    | 1 | the loss became NaN or infinite (`Diverged`) |
    | 2 | something that the user can mend: an option, a file, a folder, a full disk |
    | 130, 143 | Ctrl-C, SIGTERM; the same command goes on |
    """
    # A notebook's kernel names a backend of its own, which a process that it starts may
    # lack; figures are plotted to files.
    os.environ.pop("MPLBACKEND", None)
    try:
        with signals_that_stop(), _warnings_in_one_line():
            return _run(name, list(sys.argv[1:] if arguments is None else arguments))
    except Interrupted as reason:
        _say(f"{reason}; the same command goes on")
        return reason.exit_status
    except JinvError as error:
        return _refuse(str(error), error.exit_status)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED + 13
    except OSError as error:
        return _refuse(explain(error))
    except MemoryError as error:
        return _refuse(_too_large(error))
    except RuntimeError as error:  # of which jax's own are, whatever they are called
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return _refuse(_too_large(error))
    except Stopped as stopped:
        return _refuse(str(stopped), stopped.exit_status)


def _run(name: str, words: list[str]) -> int:
    from jinv.cli.parsing import parse

    words = todays_words(name, words)
    module = import_module(f"jinv.cli.{name}")
    defaults = getattr(module, "defaults", None)
    extra = {"default": defaults(words)} if defaults else {}
    options = parse(getattr(module, COMMANDS[name].options), name, words, **extra)
    return module.run(options)


def _help() -> str:
    width = max(map(len, COMMANDS))
    commands = "\n".join(
        f"  {name:{width}}  {command.purpose}" for name, command in COMMANDS.items()
    )
    return (
        "usage: jinv COMMAND [options]\n\n"
        "Turn a trained image classifier back into images.\n\n"
        f"commands:\n{commands}\n\n"
        "`jinv COMMAND --help` explains every option, `jinv --version` tells the "
        "version."
    )


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print warnings that are meant for people as such, and others as Python does."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", JinvWarning)
        # Of notes of cameras that are broken: the pictures are read all the same.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        others = warnings.showwarning

        def show(message, category, *place, **more):
            if issubclass(category, JinvWarning):
                _print("warning", str(message))
            else:
                others(message, category, *place, **more)

        warnings.showwarning = show
        yield


def _too_large(error: Exception) -> str:
    said = " ".join(str(error).split())[:200] or "no more can be had"
    return (
        f"there is too little memory ({said}): take a smaller --batch-size or fewer "
        "images, or --remat where the command has it"
    )


def _refuse(message: str, status: int = JinvError.exit_status) -> int:
    _print("error", message)
    return status


def _print(kind: Literal["error", "warning"], message: str) -> None:
    from jinv.console import remark

    _say(remark(kind, message))


def _say(line: Any) -> None:
    from jinv.console import make_console

    make_console().print(line)
