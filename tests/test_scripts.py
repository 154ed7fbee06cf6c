"""Scripts are run seldom: what they import from jinv must be there all the same."""

import ast
import importlib
from pathlib import Path

import pytest

SCRIPTS = sorted(Path(__file__).parent.with_name("scripts").rglob("*.py"))


def imports(path):
    """Names that a script imports from jinv when it begins, by their modules."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jinv"):
            yield node.module, [alias.name for alias in node.names]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_finds_what_it_imports(path):
    for module, names in imports(path):
        found = importlib.import_module(module)
        missing = [name for name in names if not hasattr(found, name)]
        submodules = Path(found.__file__).parent
        assert not [n for n in missing if not (submodules / f"{n}.py").exists()], module
