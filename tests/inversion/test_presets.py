import json

import pytest
from sketch import PRESET, Sketch, add_sketch

from jinv.errors import ConfigError
from jinv.inversion.deep import DeepInversion
from jinv.inversion.methods import METHODS, method_name
from jinv.inversion.presets import (
    PRESETS,
    default_preset,
    find_preset,
    presets_of,
    write_preset,
)
from jinv.models.zoo import classifier_names, classifier_spec


@pytest.fixture
def sketch(monkeypatch):
    add_sketch(monkeypatch)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_file(tmp_path, name):
    write_preset(tmp_path / "mine.json", PRESETS[name])
    assert find_preset(str(tmp_path / "mine.json")) == PRESETS[name]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_carried_out_and_says_where_it_comes_from(tiny, name):
    preset = PRESETS[name]
    assert preset.source and preset.expected
    assert preset.fitted(tiny.spec).procedure(tiny).phases


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
        ({"settings": {"lr": "high"}}, "lr: expected a number over 0, found 'high'"),
        ({"settings": {"clip": 1}}, "clip: expected true or false, found 1"),
        ({"settings": {"steps": 500}}, "steps: expected a list of whole numbers"),
        ({"settings": {"per": "class"}}, "per: expected image or batch"),
        ({"method": "DepInversion"}, "unknown method 'DepInversion' (did you mean D"),
        ({"method": ["deep"]}, "unknown method ['deep']; there"),
        ({"sauce": "me"}, "unknown setting 'sauce' (did you mean source?)"),
        (
            {"input_size": "32"},
            "input_size: expected a whole number from 1 to 2,147,483,647, found '32'",
        ),
        ({"input_size": 0}, "input_size: expected a whole number from 1"),
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


def test_a_preset_of_another_method_survives_its_file(tmp_path, sketch):
    write_preset(tmp_path / "mine.json", PRESET)
    assert json.loads((tmp_path / "mine.json").read_text())["method"] == "Sketch"
    assert find_preset(str(tmp_path / "mine.json")) == PRESET


def test_settings_in_a_file_are_those_of_its_method(tmp_path, sketch):
    path = tmp_path / "mine.json"
    content = {"method": "Sketch", "settings": {"shade": False}, "input_size": 32}
    path.write_text(json.dumps(content))
    assert find_preset(str(path), "sketch").method == Sketch(shade=False)
    with pytest.raises(ConfigError, match="is for the method sketch, not deep"):
        find_preset(str(path), "deep")
    path.write_text(json.dumps({**content, "settings": {"w_tv2": 0.1}}))
    with pytest.raises(ConfigError, match="unknown setting 'w_tv2'; there are lr, "):
        find_preset(str(path))


def test_presets_are_fitted_by_their_method(sketch):
    spec = classifier_spec("resnet50")
    assert find_preset("lines").fitted(spec) == Sketch(lr=0.3, width=28, patience=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_preset_for_every_classifier(method):
    for name in classifier_names():
        preset = find_preset(default_preset(classifier_spec(name), method), method)
        assert method_name(preset.method) == method


def test_every_preset_belongs_to_one_method(sketch):
    assert sorted(PRESETS) == sorted(n for m in METHODS for n in presets_of(m))
    assert presets_of("sketch") == ["lines"]


def test_an_unknown_method_is_refused_with_near_ones(sketch):
    with pytest.raises(ConfigError, match=r"'sketsch' \(did you mean sketch\?\)"):
        default_preset(classifier_spec("resnet50"), "sketsch")
