"""A set of tensorflow-datasets: `tfds:NAME`, or a folder that it wrote."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinv.data.labelled import DecodedImages
from jinv.data.pictures import to_picture
from jinv.data.tfds_features import check_features
from jinv.errors import DataError

_NAMED = "tfds:"
_MARK = "dataset_info.json"


class TfdsSet:
    """A set that tensorflow-datasets reads, where that is installed."""

    def __init__(self, source: str):
        """Hold the name or folder of a set; nothing is imported yet."""
        self._source = source

    @classmethod
    def find(cls, source: str, split: str) -> "TfdsSet | None":
        """Know a set by its name, or by what tensorflow-datasets leaves in a folder."""
        if source.startswith(_NAMED):
            return cls(source)
        path = Path(source).expanduser()
        return cls(str(path)) if (path / _MARK).is_file() else None

    def has(self, split: str) -> bool:
        """Whether the set has images of a split."""
        return split in self._builder().info.splits

    def classes(self, split: str) -> tuple[str, ...] | None:
        """Names of the classes, as tensorflow-datasets has them."""
        return tuple(self._builder().info.features["label"].names)

    def load(
        self, split: str, classes: Sequence[str], size: int | None, channels: int
    ) -> DecodedImages:
        """Open a split; see `load_labelled`."""
        builder = self._builder()
        if split not in builder.info.splits:
            raise DataError(
                f"{self._source} has no split {split!r}, but "
                f"{', '.join(builder.info.splits)}"
            )
        import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]

        images = builder.as_data_source(split)
        undecoded = {"image": tfds.decode.SkipDecoding()}
        labels = [
            int(row["label"])
            for row in builder.as_data_source(split, decoders=undecoded)
        ]
        return DecodedImages(
            lambda i: to_picture(images[i]["image"]), labels, size, channels
        )

    def _builder(self) -> Any:
        named = self._source.startswith(_NAMED)
        if not named:
            check_features(Path(self._source))
        try:
            import tensorflow_datasets as tfds  # pyright: ignore[reportMissingImports]
        except ImportError as error:
            raise DataError(
                f"reading {self._source} needs tensorflow-datasets: "
                "pip install 'jinv[tfds]'"
            ) from error
        if named:
            name = self._source.removeprefix(_NAMED)
            try:
                builder = tfds.builder(name, file_format="array_record")
                builder.download_and_prepare()
            except Exception as error:  # of kinds of its own
                lines = str(error).strip().splitlines() or [type(error).__name__]
                raise DataError(
                    f"{self._source} cannot be had of tensorflow-datasets: "
                    f"{lines[0][:200]}"
                ) from error
            return builder
        return tfds.builder_from_directory(self._source)
