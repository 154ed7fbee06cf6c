"""What people are told: plain text, whatever paths, names and classes are called."""

from typing import Any, Literal

from rich.console import Console
from rich.text import Text

_COLOURS = {"error": "red", "warning": "yellow"}


def make_console(**options: Any) -> Console:
    """Make a console on the error stream that reads no markup and no emoji in text.

    Args:
        **options: Options of rich's `Console` that differ.
    """
    plain = {"markup": False, "emoji": False, "highlight": False, "soft_wrap": True}
    return Console(**{"stderr": True, **plain, **options})


def remark(kind: Literal["error", "warning"], message: object) -> Text:
    """Make a line that says first what kind it is of, in colour."""
    return Text.assemble((f"{kind}:", _COLOURS[kind]), f" {message}")
