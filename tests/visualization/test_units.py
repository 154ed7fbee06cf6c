import numpy as np
import pytest

from jinv.errors import ConfigError
from jinv.visualization.units import (
    class_unit,
    find_directions,
    find_units,
    layer_shapes,
)


@pytest.fixture
def found(tiny):
    def find(*texts):
        return find_units(list(texts), tiny, tiny.feature_shapes)

    return find


def test_ranges_and_lists_are_a_unit_for_each_channel(found):
    units = found("stage2:0-2,7", "stage1:3")
    assert [unit.name for unit in units] == [
        *(f"stage2_{n}" for n in (0, 1, 2, 7)), "stage1_3",
    ]  # fmt: skip
    assert [unit.layer for unit in units] == [*["stage2"] * 4, "stage1"]
    for unit, channel in zip(units, (0, 1, 2, 7, 3), strict=True):
        assert unit.direction.tolist() == np.eye(len(unit.direction))[channel].tolist()
        assert unit.position is None


def test_text_with_blanks_is_a_list(tiny, found):
    units = find_units("stage2:0  stage1:3", tiny, tiny.feature_shapes)
    assert [u.name for u in units] == [u.name for u in found("stage2:0", "stage1:3")]


def test_positions_are_rows_and_columns_of_the_layer(tiny, found):
    (corner,), (middle,) = found("stage2:1@0,3"), found("stage2:1@centre")
    assert corner.position == (0, 3) and corner.name == "stage2_1@0,3"
    assert middle.position == (2, 2)
    large = layer_shapes(tiny, (16, 12))
    (middle,) = find_units("stage2:1@centre", tiny, large)
    assert middle.position == (4, 3)


def test_a_class_is_a_unit_of_the_logits(tiny, found):
    unit, (same,) = class_unit(tiny, 2), found("logits:2")
    assert (unit.name, unit.layer, same.name) == ("cat", "logits", "logits_2")
    np.testing.assert_array_equal(unit.direction, same.direction)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stage2", "expected LAYER:CHANNEL, e.g. .*; see jinv models tiny"),
        ("stage2:", "expected LAYER:CHANNEL"),
        ("stage2:x", "expected LAYER:CHANNEL"),
        ("stage2:-1", "expected LAYER:CHANNEL"),
        ("stage2:1,,2", "expected LAYER:CHANNEL"),
        ("stage2:1@middle", "expected LAYER:CHANNEL"),
        ("stage2:1@1", "expected LAYER:CHANNEL"),
        ("stge2:1", r"no layer 'stge2' \(did you mean stage2"),
        ("stage2:8", r"channels of stage2 are 0\.\.7; see jinv models tiny"),
        ("stage2:0-8", r"channels of stage2 are 0\.\.7"),
        ("stage2:5-2", "5-2 runs backwards: write 2-5"),
        ("stage2:1@4,0", "4x4 positions, from 0,0 to 3,3"),
        ("stage2:1@0,4", "4x4 positions"),
        ("logits:1@0,0", "logits has no positions: leave @0,0 out"),
        ("logits:6", r"channels of logits are 0\.\.5"),
    ],
)
def test_what_is_no_unit_is_refused_in_one_line(found, text, message):
    with pytest.raises(ConfigError, match=message) as error:
        found(text)
    assert "\n" not in str(error.value)


def test_directions_are_vectors_or_the_rows_of_a_matrix(tiny):
    def find(vectors, layer="stage2"):
        return find_directions(vectors, tiny, layer, tiny.feature_shapes, "probe")

    (one,) = find(np.arange(8))
    assert one.name == "probe" and one.direction.dtype == np.float32
    assert [unit.name for unit in find(np.eye(8)[:2])] == ["probe_0", "probe_1"]
    for vectors, message in (
        (np.ones(7), "stage2 of tiny has 8 channels, the direction 7; see jinv models"),
        (np.zeros(8), "0, or not of finite"),
        (np.full(8, np.nan), "not of finite"),
        (np.ones((2, 2, 8)), "expected a direction"),
        (["x"] * 8, "expected a direction"),
    ):
        with pytest.raises(ConfigError, match=message):
            find(vectors)
    with pytest.raises(ConfigError, match="did you mean stage2"):
        find(np.ones(8), "stag2")


def test_sizes_that_a_network_does_not_take_are_refused(tiny):
    assert layer_shapes(tiny, 8) == tiny.feature_shapes
    assert layer_shapes(tiny, (16, 12))["stage2"] == (8, 6, 8)
    with pytest.raises(ConfigError, match="no inputs of 0x12 pixels"):
        layer_shapes(tiny, (0, 12))
