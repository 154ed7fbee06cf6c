import json
import sys

import pytest

from jinv.data.sets import load_labelled
from jinv.data.tfds_features import check_features
from jinv.errors import DataError

CORE = "tensorflow_datasets.core.features"
FEATURES = {
    "pythonClassName": f"{CORE}.features_dict.FeaturesDict",
    "featuresDict": {
        "features": {
            "image": {"pythonClassName": f"{CORE}.image_feature.Image", "image": {}},
            "type": {"pythonClassName": f"{CORE}.class_label_feature.ClassLabel"},
        }
    },
}


def write(folder, content):
    (folder / "features.json").write_text(json.dumps(content))
    (folder / "dataset_info.json").write_text("{}")


def test_features_of_tensorflow_datasets_itself_may_be_opened(tmp_path):
    write(tmp_path, FEATURES)
    check_features(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "mine.Evil",
        f"{CORE}_evil.Feature",
        f"x.{CORE}.image_feature.Image",
        f"{CORE}.image_feature.Image; import os",
        f"{CORE}..Image",
        "os",
        "",
    ],
)
@pytest.mark.parametrize("key", ["pythonClassName", "type"])
def test_modules_of_others_are_refused_before_anything_is_imported(tmp_path, name, key):
    content = json.loads(json.dumps(FEATURES))
    content["featuresDict"]["features"]["image"][key] = name
    write(tmp_path, content)
    before = set(sys.modules)
    with pytest.raises(DataError, match="which would be imported"):
        load_labelled(str(tmp_path), "train", ["a"], 8)
    assert set(sys.modules) == before


def test_a_module_is_refused_wherever_it_stands(tmp_path):
    write(tmp_path, {**FEATURES, "somewhere": [{"new": "package.module.Class"}]})
    with pytest.raises(DataError, match="'package.module.Class'"):
        check_features(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        {"jsonFeature": {"json": '{"x": {"type": "package.Class"}}'}},
        {"content": '{"features": {"x": {"pythonClassName": "package.Class"}}}'},
        {"content": '["{\\"type\\": \\"package.Class\\"}"]'},
    ],
)
def test_a_module_is_refused_in_json_within_json(tmp_path, content):
    write(tmp_path, FEATURES | content)
    with pytest.raises(DataError, match="'package.Class'"):
        check_features(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[1]", '"text"', "[" * 100_000])
def test_what_is_no_description_of_features_is_one_line(tmp_path, text):
    (tmp_path / "features.json").write_text(text)
    with pytest.raises(DataError) as caught:
        check_features(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_features_is_one_line(tmp_path):
    with pytest.raises(DataError, match="cannot read .*features.json"):
        check_features(tmp_path)
