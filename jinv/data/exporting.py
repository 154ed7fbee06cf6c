"""Writing labelled sets: a folder of PNGs, an .npz file, or array_record for tfds.

Each form is written beside its place and moved there when it is complete. Images are
taken one by one, so a set may be larger than the memory.
"""

import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.lib import format as npy

from jinv.atomic import new_folder, remove
from jinv.data.class_folders import folder_names
from jinv.data.npz_set import NPZ
from jinv.data.pictures import to_picture
from jinv.errors import DataError, FolderError

SetForm = Literal["folder", "npz", "array_record"]

EXPORTED = (
    "metadata.jsonl",
    NPZ,
    "synthetic-*.array_record-*",
    "dataset_info.json",
    "features.json",
    "label.labels.txt",
)
"""Patterns of what `export` writes to a folder, beside the folder of a split."""
_EXAMPLE = re.compile(r"\d{6,}\.png")


class Example(NamedTuple):
    """An image, its label, and what else is known about it.

    Attributes:
        number: Number of the image in the whole set.
        image: Pixels (height, width, channels), uint8.
        label: Index into the set's classes.
        facts: Facts for more columns of `metadata.jsonl`.
    """

    number: int
    image: np.ndarray
    label: int
    facts: dict[str, Any]


class Description(NamedTuple):
    """What a reader of a set must know beforehand.

    Attributes:
        split: Name of the split, e.g. "train".
        classes: Names of the classes, in the order of the labels.
        count: Number of images.
        size: Height and width of the images, in pixels.
        channels: Channels of the images: 3 of colour, or 1 of grey.
    """

    split: str
    classes: Sequence[str]
    count: int
    size: int
    channels: int = 3

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an image: (height, width, channels)."""
        return self.size, self.size, self.channels


def export(
    form: SetForm, folder: Path, description: Description, examples: Iterable[Example]
) -> None:
    """Write a set, replacing one that is there.

    | form | what `folder` then holds |
    |---|---|
    | folder | `SPLIT/class/000012.png` and `SPLIT/metadata.jsonl`, an ImageFolder |
    | npz | `set.npz`: `x_SPLIT`, `y_SPLIT`, `classes`; and `metadata.jsonl` |
    | array_record | what `tfds.builder_from_directory` reads; and `metadata.jsonl` |

    Args:
        form: Form of the set, one of these.
        folder: Folder of the set; made if missing.
        description: Description of what the examples have in common.
        examples: Examples, exactly as many as described.

    Raises:
        DataError: array_record needs packages that are not installed.
        FolderError: Other files are in the way.
    """
    folder.mkdir(parents=True, exist_ok=True)
    partial = new_folder(folder / "export")
    try:
        _WRITERS[form](partial, description, examples)
        if hasattr(os, "sync"):  # not on Windows
            os.sync()
        remove_split(folder, description.split)
        for pattern in EXPORTED:
            for path in folder.glob(pattern):
                path.unlink()
        for entry in sorted(partial.iterdir()):
            if entry.is_dir() and (folder / entry.name).exists():
                raise FolderError(
                    f"{folder / entry.name} holds files that are not of this set: move "
                    "them away, then give the same command again"
                )
            os.replace(entry, folder / entry.name)
    finally:
        remove(partial)


def remove_split(folder: Path, split: Any) -> None:
    """Remove the folder of a split that `export` has written, and nothing else in it.

    Args:
        folder: Folder of the set.
        split: Name of the split. It may come from a file, so anything but a plain name
            of a real folder is left alone, as are files that `export` does not write.
    """
    if not isinstance(split, str) or not split.isidentifier():
        return
    root = folder / split
    if root.is_symlink() or not (root / "metadata.jsonl").is_file():
        return
    for place in [entry for entry in root.iterdir() if _is_real_folder(entry)]:
        for path in place.iterdir():
            if _EXAMPLE.fullmatch(path.name):
                path.unlink()
        _remove_if_empty(place)
    # Last: without it, the folder is no longer known as ours.
    if all(entry.name == "metadata.jsonl" for entry in root.iterdir()):
        remove(root)


def _is_real_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove_if_empty(folder: Path) -> None:
    if not any(folder.iterdir()):
        folder.rmdir()


def _write_folder(
    root: Path, description: Description, examples: Iterable[Example]
) -> None:
    split = root / description.split
    split.mkdir()
    places = folder_names(description.classes)
    with (split / "metadata.jsonl").open("w") as metadata:
        for example in examples:
            file = Path(places[example.label]) / f"{example.number:06d}.png"
            (split / file).parent.mkdir(exist_ok=True)
            (split / file).write_bytes(_png(example.image))
            metadata.write(_row(description, example, file_name=file.as_posix()))


def _write_npz(
    root: Path, description: Description, examples: Iterable[Example]
) -> None:
    split, classes, count = description[:3]
    labels = np.empty(count, np.int32)
    with zipfile.ZipFile(root / NPZ, "w") as archive:
        with archive.open(f"x_{split}.npy", "w", force_zip64=True) as file:
            shape = (count, *description.shape)
            header = {"descr": "|u1", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(file, header)
            with (root / "metadata.jsonl").open("w") as metadata:
                for position, example in enumerate(examples):
                    file.write(example.image.tobytes())
                    labels[position] = example.label
                    metadata.write(_row(description, example, index=position))
        for name, array in ((f"y_{split}", labels), ("classes", np.asarray(classes))):
            with archive.open(f"{name}.npy", "w") as file:
                npy.write_array(file, array, allow_pickle=False)


def _write_array_record(
    root: Path, description: Description, examples: Iterable[Example]
) -> None:
    tfds, ArrayRecordWriter = _tfds_tools()
    split, classes, count = description[:3]
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(
                shape=description.shape, encoding_format="png"
            ),
            "label": tfds.features.ClassLabel(names=list(classes)),
        }
    )
    template = tfds.core.ShardedFileTemplate(
        data_dir=root,
        dataset_name="synthetic",
        split=split,
        filetype_suffix="array_record",
    )
    file = template.sharded_filepath(shard_index=0, num_shards=1)
    records, size_in_bytes = ArrayRecordWriter(str(file), "group_size:1"), 0
    with (root / "metadata.jsonl").open("w") as metadata:
        for position, example in enumerate(examples):
            encoded = features.encode_example(
                {"image": io.BytesIO(_png(example.image)), "label": example.label}
            )
            record = features.serialize_example(encoded)
            records.write(record)
            size_in_bytes += len(record)
            metadata.write(_row(description, example, index=position))
    records.close()
    tfds.folder_dataset.write_metadata(
        data_dir=root,
        features=features,
        split_infos=[
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[count],
                num_bytes=size_in_bytes,
                filename_template=template,
            )
        ],
        check_data=False,
        description="Images made by inverting a classifier; see README.md.",
    )


_WRITERS: dict[str, Callable[[Path, Description, Iterable[Example]], None]] = {
    "folder": _write_folder,
    "npz": _write_npz,
    "array_record": _write_array_record,
}


def check_form(form: SetForm) -> None:
    """Find out whether a form can be written here, before anything is computed.

    Raises:
        DataError: The form needs packages that are not installed.
    """
    if form == "array_record":
        _tfds_tools()


def _tfds_tools() -> tuple[Any, Any]:
    try:
        import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]
        from array_record.python.array_record_module import (  # pyright: ignore[reportMissingImports]
            ArrayRecordWriter,
        )
    except ImportError as error:
        raise DataError(
            f"writing array_record needs more packages ({error}): "
            "pip install 'jinv[tfds]', or choose --form folder or npz"
        ) from error
    return tfds, ArrayRecordWriter


def _png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    to_picture(image).save(buffer, "PNG")
    return buffer.getvalue()


def _row(description: Description, example: Example, **where: Any) -> str:
    named = {"label": example.label, "class": description.classes[example.label]}
    return json.dumps({**where, **named, **example.facts}) + "\n"
