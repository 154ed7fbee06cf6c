import json

import pytest

from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.presets import PRESETS, find_preset, write_preset


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_file(tmp_path, name):
    write_preset(tmp_path / "mine.json", PRESETS[name])
    assert find_preset(str(tmp_path / "mine.json")) == PRESETS[name]


def test_a_file_by_hand_needs_only_its_settings_and_their_size(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text('{"settings": {"lr": 1, "steps": [9, 5]}, "input_size": 32}')
    preset = find_preset(str(path))
    assert preset.method == DeepInversion(lr=1.0, steps=(9, 5))
    assert preset.source == str(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("lr: 0.1", "is not JSON"),
        ("[]", "expected an object with settings and input_size"),
        ('{"settings": {}}', "expected an object with settings and input_size"),
        ({"settings": []}, "settings: expected an object"),
        ({"settings": {"w_tv": 1}}, "unknown setting 'w_tv' (did you mean w_tv2"),
        ({"settings": {"lr": "high"}}, "lr: expected a number, found 'high'"),
        ({"settings": {"clip": 1}}, "clip: expected true or false, found 1"),
        ({"settings": {"steps": 500}}, "steps: expected whole numbers"),
        ({"settings": {"per": "class"}}, "per: expected image or batch"),
        ({"method": "Deep"}, "unknown method 'Deep'; there is DeepInversion"),
        ({"sauce": "me"}, "unknown setting 'sauce' (did you mean source?)"),
        ({"input_size": "32"}, "input_size: expected a whole number, found '32'"),
        ({"input_size": 0}, "input_size must be positive"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path, content, message):
    path = tmp_path / "mine.json"
    if not isinstance(content, str):
        content = json.dumps({"settings": {}, "input_size": 32, **content})
    path.write_text(content)
    with pytest.raises(ConfigError) as error:
        find_preset(str(path))
    assert message in str(error.value) and str(path) in str(error.value)


def test_a_missing_file_is_said():
    with pytest.raises(ConfigError, match="cannot read the preset none.json: No such"):
        find_preset("none.json")


def test_an_unknown_name_offers_near_ones_and_files():
    with pytest.raises(ConfigError, match=r"mean technion\?.*files named \*.json"):
        find_preset("tecnion")
