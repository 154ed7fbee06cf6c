import pytest

from jinv.former import FORMER, INSIDE, former_names, renewed


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


@pytest.mark.parametrize("kind", FORMER)
def test_no_name_of_today_is_a_former_one(kind):
    names = FORMER[kind]
    assert not names.keys() & set(names.values())


def test_all_kinds_inside_others_are_known():
    inside = {kind for kinds in INSIDE.values() for kind in kinds.values()}
    assert inside <= FORMER.keys() | INSIDE.keys()
