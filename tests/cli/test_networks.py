import pytest

from jinv.cli.networks import read_names
from jinv.errors import ConfigError


@pytest.mark.parametrize("count", [2, 100, 1000])
def test_names_may_be_many(count):
    names = tuple(f"class number {index}" for index in range(count))
    assert read_names(", ".join(names)) == names


def test_names_may_lie_in_a_file(tmp_path):
    (tmp_path / "names.txt").write_bytes("\ufeffday\r\n\r\nn\u00e4ght \r\n".encode())
    assert read_names(str(tmp_path / "names.txt")) == ("day", "n\u00e4ght")
    with pytest.raises(ConfigError, match="there is no file .*nams.txt"):
        read_names(str(tmp_path / "nams.txt"))
