import sys
from pathlib import Path

import pytest

from jinv.cache import cache_dir


def test_the_folder_that_somebody_names_is_taken(monkeypatch):
    monkeypatch.setenv("JINV_CACHE", "/mine")
    assert cache_dir() == Path("/mine")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others' conventions")
@pytest.mark.parametrize("named", [None, ""])
def test_on_linux_it_is_where_xdg_says(monkeypatch, named):
    if named is None:
        monkeypatch.delenv("JINV_CACHE", raising=False)
    else:
        monkeypatch.setenv("JINV_CACHE", named)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_dir() == Path("/somewhere/jinv")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path("~/.cache/jinv").expanduser()
