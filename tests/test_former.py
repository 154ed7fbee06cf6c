import pytest

from jinv.former import FORMER, INSIDE, LATER, filled, former_names, renewed
from jinv.inversion.methods import METHODS
from jinv.reconstruction.feature_inversion import FeatureInversion
from jinv.visualization.dreams import Caricature, DeepDream
from jinv.visualization.visualization import Visualization

KINDS = {info.kind for info in METHODS.values()} | {
    FeatureInversion,
    Visualization,
    DeepDream,
    Caricature,
}


def test_the_method_of_a_students_images_gets_what_it_lacks():
    images = {"method": "FastGenerators", "settings": {"steps": 5}}
    found = renewed({"distillation": {"student": "a", "images": images}}, "config.json")
    settings = found["distillation"]["images"]["settings"]
    assert settings == {**LATER["FastGenerators"], "steps": 5}
    assert found["distillation"]["student"] == "a"


def test_names_are_renewed_where_they_stand():
    config = {"set": {"verifier": None, "settings": {"lr": 0.1}}, "versions": {}}
    assert renewed(config, "config.json") == {
        "set": {"judge": None, "settings": {"lr": 0.1}},
        "versions": {},
    }


def test_names_that_people_gave_stay():
    summary = {"classes": {"verifier": 3}, "verifier": {"name": "verifier"}}
    assert renewed(summary, "summary.json") == {
        "classes": {"verifier": 3},
        "judge": {"name": "verifier"},
    }


def test_a_description_has_the_settings_that_came_later():
    found = {"method": "DeepInversion", "settings": {"lr": 0.1, "w_feature": 2.0}}
    settings = renewed({"set": found}, "config.json")["set"]["settings"]
    assert settings == {**LATER["DeepInversion"], "lr": 0.1, "w_bn": 2.0}
    given = {"method": "DeepInversion", "settings": {"w_disagreement": 5.0}}
    settings = renewed(given, "description")["settings"]
    assert settings["w_disagreement"] == 5.0
    for other in ({"method": "new", "settings": {}}, {"settings": {"lr": 0.1}}):
        assert renewed(other, "description") == other
    strange = {"method": ["deep"], "settings": {}}
    assert renewed(strange, "description") == strange


@pytest.mark.parametrize("method", LATER)
def test_settings_that_came_later_change_nothing_by_default(method):
    (settings,) = (kind() for kind in KINDS if kind.__name__ == method)
    assert {name: getattr(settings, name) for name in LATER[method]} == LATER[method]


def test_what_is_not_as_expected_is_left_to_its_reader():
    assert renewed({"set": [1], "search": None}, "config.json") == {
        "set": [1],
        "search": None,
    }
    assert renewed({"verifier": 1}, "a stranger's") == {"verifier": 1}


def test_the_names_of_a_study_of_before_are_known(monkeypatch):
    monkeypatch.setitem(FORMER, "settings", {"old_lr": "lr", "old_clip": "clip"})
    assert former_names({"old_lr": "0.1..1", "w_tv2": "1"}, "settings") == {
        "lr": "old_lr"
    }


def test_work_that_told_no_checksum_of_a_network_goes_on():
    today = {"initial_weights": "seed 3", "images": {"weights_sha256": "12ab", "n": 2}}
    found = {"initial_weights": "", "images": {"weights_sha256": "", "n": 3}}
    assert filled(found, today) == {
        **today,
        "images": {"weights_sha256": "12ab", "n": 3},
    }
    other = {"initial_weights": "seed 4", "class_names": ""}
    assert filled(other, today) == other


@pytest.mark.parametrize("kind", FORMER)
def test_no_name_of_today_is_a_former_one(kind):
    names = FORMER[kind]
    assert not names.keys() & set(names.values())


def test_all_kinds_inside_others_are_known():
    inside = {kind for kinds in INSIDE.values() for kind in kinds.values()}
    assert inside <= FORMER.keys() | INSIDE.keys()
