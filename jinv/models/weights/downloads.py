"""Fetching published weights: by https alone, whole, and checked."""

import os
import shutil
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from rich.progress import wrap_file

from jinv.atomic import is_leftover, remove, replacing
from jinv.console import make_console
from jinv.errors import WeightsError
from jinv.models.spec import Download
from jinv.models.weights.checksums import sha256_of

_TIMEOUT = 30.0  # seconds without a byte
_DEAD = 3600.0  # seconds without a byte in a file, longer than any timeout


def fetch(name: str, download: Download, path: Path, advice: str) -> None:
    """Download a file to its place in the cache.

    Each process writes to a file of its own, so several may fetch the same one. The
    checksum that the zoo knows is compared: of some files all of it, of others the
    digits that their publisher puts into the name.

    Args:
        name: Name of the network, for messages.
        download: Download, with its address and what must come.
        path: Path of the file in the cache.
        advice: Advice how else a file can be given, for messages.

    Raises:
        WeightsError: The file cannot be had, or is another one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for entry in path.parent.iterdir():
        # Of a process that was killed: one that is alive writes to its file.
        if is_leftover(entry.name) and time.time() - entry.stat().st_mtime > _DEAD:
            remove(entry)
    with replacing(path) as partial:
        try:
            _download(name, download.url, partial)
        except (OSError, HTTPException) as error:
            raise WeightsError(
                f"cannot download the weights of {name} ({error}): get {download.url} "
                f"on a machine with a connection, then {advice} or put it at {path}"
            ) from error
        found = sha256_of(partial)
        if not found.startswith(download.sha256):
            rejected = path.with_suffix(".rejected")
            os.replace(partial, rejected)
            raise WeightsError(
                f"{download.url}: expected sha256 {download.sha256}, received {found}; "
                f"what came was left at {rejected} for inspection"
            )


def open_https(url: str) -> Any:
    """Open an address by https all the way, redirects included.

    Raises:
        urllib.error.URLError: An address is not https, or cannot be reached.
    """
    _check_https(url)
    return urllib.request.build_opener(_OnlyHttps).open(url, timeout=_TIMEOUT)


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _check_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_https(url: str) -> None:
    if urlparse(url).scheme != "https":
        raise urllib.error.URLError(f"{url} is no https address")


def _download(name: str, url: str, path: Path) -> None:
    console = make_console()
    with open_https(url) as reply:
        size = getattr(reply, "length", None)
        told = f" ({size / 1e6:.0f} MB)" if size else ""
        console.print(
            f"downloading the weights of {name}{told} from {urlparse(url).netloc}"
        )
        shown = console.is_terminal and size
        source = wrap_file(reply, size or 0, console=console) if shown else reply
        with source as content, path.open("wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        if getattr(reply, "length", 0):  # what a server announced and never sent
            raise OSError(f"{reply.length} bytes are missing at the end")
