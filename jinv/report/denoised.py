"""The folder that denoising leaves behind: images, how good they are, and a page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from jinv.atomic import write_json
from jinv.folders import Folder, Held, Kind
from jinv.levels import from_uint8, to_uint8
from jinv.metrics.fidelity import psnr
from jinv.metrics.means import mean_of
from jinv.metrics_log import METRICS, metrics_log
from jinv.models.weights.checksums import fingerprint_of
from jinv.priors.denoise import LEVELS
from jinv.priors.removal import Removal
from jinv.report.boxes import PALE_INK, Box, Column, Row, Text, Tile
from jinv.report.html import (
    card,
    card_row,
    configuration,
    count,
    duration,
    picture,
    read_json,
    wide_table,
    write_html,
)
from jinv.report.pictures import (
    magnification,
    read_picture,
    save_images,
    save_picture,
    saved_images,
)
from jinv.report.sheet import GAP, compose_sheet

DENOISING = Kind(
    "denoising",
    "denoising",
    owned=("images", METRICS, "denoised.png", "index.html"),
    last="summary.json",
)
_SHOWN = 24
"""Images on the sheet."""
_LETTERS = 14


@dataclass(frozen=True, eq=False)
class NoisyImages:
    """Images that are to be denoised.

    Attributes:
        images: Images (height, width, channels), uint8, of any sizes.
        names: Name of each.
        sigma: Deviation of the noise, in levels of 255.
        added: Whether the images are clean and the noise is added first, neither
            clipped nor rounded; else it is in them already.
        seed: Seed of the noise; that of an image depends on its number alone.
    """

    images: Sequence[np.ndarray]
    names: Sequence[str]
    sigma: float
    added: bool
    seed: int = 0

    def noisy(self, number: int) -> np.ndarray:
        """Noisy image (height, width, channels), float32, 0 for black, 1 for white."""
        image = from_uint8(np.asarray(self.images[number]))
        if not self.added:
            return image
        rng = np.random.default_rng([self.seed, number])
        noise = rng.standard_normal(image.shape, np.float32)
        return image + np.float32(self.sigma / LEVELS) * noise

    def clean(self, number: int) -> np.ndarray | None:
        """Clean image, if it is known."""
        return from_uint8(np.asarray(self.images[number])) if self.added else None

    def describe(self) -> dict[str, Any]:
        """All that is given, as JSON."""
        sums = (fingerprint_of(np.asarray(x)) for x in self.images)
        noise = {"seed": self.seed} if self.added else {}
        return {
            "sigma": self.sigma,
            "noise_added": self.added,
            **noise,
            "images": dict(zip(self.names, sums, strict=True)),
        }


class DenoisedFolder(Held):
    """Keeps denoised images one by one, and sums them up in the end."""

    def __init__(
        self,
        path: Path,
        noisy: NoisyImages,
        removal: Removal,
        *,
        overwrite: bool = False,
    ):
        """Take a folder, or go on with it there.

        Args:
            path: Path of the folder; made if missing.
            noisy: Images that are to be denoised.
            removal: How.
            overwrite: Whether to remove what was denoised there.

        Raises:
            FolderError: The folder holds something else.
        """
        self.path, self._noisy = path, noisy
        described = removal.describe() | noisy.describe()
        self._folder = Folder(path, DENOISING, described, overwrite=overwrite)
        self._log = metrics_log(path)

    def close(self) -> None:
        """Let go of the folder."""
        self._folder.close()

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self._folder.finished

    def missing(self) -> list[int]:
        """List the numbers of the images that are still to be denoised."""
        rows, files = self._rows(), saved_images(self.path / "images")
        return [
            n for n in range(len(self._noisy.names)) if n not in rows or n not in files
        ]

    def keep(self, number: int, image: np.ndarray, seconds: float) -> dict[str, Any]:
        """Write an image (height, width, channels), and say how good it is.

        Returns:
            Its row: name, `psnr_noisy` and `psnr` in dB where the clean one is known,
            the latter of what can be shown of it, not rounded; and seconds.
        """
        clean, name = self._noisy.clean(number), self._noisy.names[number]
        row: dict[str, Any] = {"number": number, "name": name}
        if clean is not None:
            row["psnr_noisy"] = psnr_beside(self._noisy.noisy(number), clean)
            row["psnr"] = psnr_beside(np.clip(image, 0, 1), clean)
        row["seconds"] = seconds
        save_images(self.path / "images", image[None], [name], number)
        self._log.append(row)
        return row

    def finish(self) -> dict[str, Any]:
        """Write the sheet, the page and the summary.

        Returns:
            What `summary.json` holds: the mean of `psnr_noisy` and of `psnr`, where
            they are known, and seconds of all images.
        """
        rows = list(self._rows().values())
        summary: dict[str, Any] = {"images": len(rows)}
        for name in ("psnr_noisy", "psnr"):
            if name in rows[0]:
                summary[name] = mean_of(row[name] for row in rows).value
        summary["seconds"] = sum(row["seconds"] for row in rows)
        save_picture(
            self.path / "denoised.png",
            compose_sheet(lambda _: list(self._blocks(rows)), "images"),
        )
        write_denoised_page(self.path, summary, rows)
        write_json(self.path / DENOISING.last, summary)
        return summary

    def _rows(self) -> dict[int, dict[str, Any]]:
        """Rows by the number of the image, the last of each, in order."""
        found = {row["number"]: row for row in self._log.rows() if "number" in row}
        return dict(sorted(found.items()))

    def _blocks(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Box]:
        files = saved_images(self.path / "images")
        for row in rows[:_SHOWN]:
            number = row["number"]
            tiles = [
                _tile("noisy", self._noisy.noisy(number), row.get("psnr_noisy")),
                _tile("denoised", read_picture(files[number][0]), row.get("psnr")),
            ]
            if (clean := self._noisy.clean(number)) is not None:
                tiles.append(_tile(row["name"], clean, None))
            yield Row(tiles, GAP)


def psnr_beside(image: np.ndarray, clean: np.ndarray) -> float | None:
    """PSNR in dB of an image in [0, 1]; None for equal ones, as JSON has it."""
    error = np.mean(np.square(image.astype(np.float64) - clean))
    return float(psnr(error)) if error else None


def write_denoised_page(
    folder: Path, summary: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> Path:
    """Write `index.html` from what denoising has left in a folder.

    Args:
        folder: Folder with any of `config.json` and `denoised.png`.
        summary: What `summary.json` is to hold.
        rows: A row for each image, as `metrics.jsonl` has them.
    """
    cards = [
        card(title, f"{summary[name]:.2f} dB")
        for name, title in (("psnr_noisy", "PSNR, noisy"), ("psnr", "PSNR, denoised"))
        if summary.get(name) is not None
    ]
    cards.append(card("Denoising", duration(summary["seconds"])))
    columns = [n for n in ("psnr_noisy", "psnr", "seconds") if n in rows[0]]
    titles = {"psnr_noisy": "noisy, dB", "psnr": "denoised, dB", "seconds": "seconds"}
    table = wide_table(
        ["image", *(titles[name] for name in columns)],
        ([escape(row["name"]), *(_number(row[n]) for n in columns)] for row in rows),
    )
    title = f"{count(summary['images'], 'image')} without noise"
    sections = (
        f"<header>\n<h1>{title}</h1>\n</header>\n",
        card_row(cards),
        picture(folder / "denoised.png", "Images", "Noisy and denoised images"),
        f"<section>\n<h2>One by one</h2>\n{table}</section>\n",
        configuration(read_json(folder / "config.json")),
    )
    return write_html(folder / "index.html", title, sections)


def _tile(title: str, image: np.ndarray | None, value: float | None) -> Column:
    shown = np.zeros((1, 1, 1), np.uint8) if image is None else to_uint8(image)
    text = title if value is None else f"{title}, {value:.2f} dB"
    return Column(
        [
            Tile(shown, magnification(*shown.shape[:2])),
            Text(text, _LETTERS, PALE_INK),
        ]
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
