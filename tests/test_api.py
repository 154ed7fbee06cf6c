"""What `import jinv` offers."""

import doctest
import importlib
import inspect
import pkgutil
import subprocess
import sys
from functools import cache

import pytest

import jinv


def test_every_public_name_exists():
    for name in jinv.__all__:
        assert getattr(jinv, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        jinv.nothing  # noqa: B018


def test_importing_jinv_does_not_import_jax():
    code = "import sys, jinv; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", jinv.__all__)
def test_every_public_class_and_function_has_an_example(name):
    public = getattr(jinv, name)
    assert not callable(public) or ">>>" in public.__doc__


def paths(public):
    """Kinds of the parameters that are paths."""
    try:
        parameters = inspect.signature(public).parameters
    except (TypeError, ValueError):  # of what is no function
        return []
    kinds = [str(each.annotation) for each in parameters.values()]
    return [kind for kind in kinds if "Path" in kind]


@pytest.mark.parametrize("name", jinv.__all__)
def test_every_path_may_be_text(name):
    public = getattr(jinv, name)
    own = vars(public).items() if isinstance(public, type) else ()
    methods = (value for key, value in own if key[0] != "_" and callable(value))
    for kind in (kind for each in (public, *methods) for kind in paths(each)):
        assert "Path | str" in kind or "str | os.PathLike" in kind


def modules():
    found = pkgutil.walk_packages(jinv.__path__, "jinv.")
    return ["jinv", *(module.name for module in found)]


@pytest.fixture(scope="module", autouse=True)
def loaded_once():
    """Programs are remembered with the classifier that they are for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jinv, "load_classifier", cache(jinv.load_classifier))
        yield


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings_hold(name):
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.failed == 0
