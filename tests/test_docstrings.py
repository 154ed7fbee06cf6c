"""Docstrings stand alone, as `help()` shows each away from its neighbours."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import jinv

HOME = Path(jinv.__file__).parent
MODULES = sorted(path.relative_to(HOME).as_posix() for path in HOME.rglob("*.py"))

LEANS = re.compile(
    r"(After|Also|As|Before|Beside|By|For|From|In|It|Its|Itself|Of|See|Such|That|"
    r"Their|Them|These|They|This|Those|To|Where|With|Without)\b"
    r"|\(|The [\w-]+'s?\.|\S+(\n|$)"
)
"""What a line begins with that leans on the one before, or is a word alone."""

ENTRY = re.compile(r"^ +(\*{0,2}\w+): (.*)", re.MULTILINE)
LEANING_ENTRY = re.compile(r"(As|Beside|By which|Itself|Its|Of|Over|See|Their|Those)\b")

Definition = ast.Module | ast.ClassDef | ast.FunctionDef


def definitions(node: Definition, name: str) -> Iterator[tuple[str, Definition]]:
    """A module and what it defines, but for what functions define in themselves."""
    yield name, node
    if not isinstance(node, ast.FunctionDef):
        for inner in node.body:
            if isinstance(inner, ast.ClassDef | ast.FunctionDef):
                yield from definitions(inner, f"{name}:{inner.name}")


def docstrings(module: str) -> dict[str, str]:
    tree = ast.parse((HOME / module).read_text("utf-8"))
    found = definitions(tree, module)
    return {name: ast.get_docstring(node) or "" for name, node in found}


def notes(module: str) -> dict[str, str]:
    """Texts that follow the values of modules and classes: constants and options."""
    tree = ast.parse((HOME / module).read_text("utf-8"))
    found = {}
    for name, node in definitions(tree, module):
        for value, after in zip(node.body, node.body[1:], strict=False):
            match value, after:
                case ast.Assign() | ast.AnnAssign(), ast.Expr(ast.Constant(str(text))):
                    found[f"{name}:{ast.unparse(value)}"] = text
    return found


def is_public(name: str) -> bool:
    """Whether people are meant to use it; what `__len__` and so on do is known."""
    return not re.search(r"[/:]_", name.replace("/__init__.py", ""))


@pytest.mark.parametrize("module", MODULES)
def test_what_is_public_has_a_docstring(module):
    missing = [name for name, text in docstrings(module).items() if not text]
    assert not list(filter(is_public, missing))


@pytest.mark.parametrize("module", MODULES)
def test_a_docstring_begins_with_one_line(module):
    def broken(text: str) -> bool:
        first, *rest = text.splitlines()
        return not first.endswith((".", ":", "?")) or any(rest[:1])

    texts = docstrings(module).items()
    assert not [name for name, text in texts if text and broken(text)]


@pytest.mark.parametrize("module", MODULES)
def test_the_first_line_stands_alone(module):
    texts = docstrings(module) | notes(module)
    assert not {name: text for name, text in texts.items() if LEANS.match(text)}


@pytest.mark.parametrize("module", MODULES)
def test_an_argument_and_its_text_read_as_one_phrase(module):
    texts = docstrings(module).items()
    entries = {name: ENTRY.findall(text) for name, text in texts}
    for name, found in entries.items():
        assert not [e for e in found if LEANING_ENTRY.match(e[1])], name


@pytest.mark.parametrize("line", ["Of the term.", "See `Box`.", "Nothing.", "(n,)."])
def test_lines_that_lean_are_known(line):
    assert LEANS.match(line)
    assert not LEANS.match("Weight of the term.")
