"""What others wrote may be anything: it is read, or it is a ValueError."""

import pytest

from jinv.data.tfds_features import check_features
from jinv.errors import DataError
from jinv.json_text import parse_json


@pytest.mark.parametrize(
    "text", ["", "{", b"\xff\xfe", "[" * 100_000, '{"a":' * 50_000]
)
def test_what_cannot_be_parsed_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_json(text)


def test_whoever_reads_a_file_says_that_it_is_none(tmp_path):
    (tmp_path / "features.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match="is not JSON: it is nested too deeply"):
        check_features(tmp_path)
