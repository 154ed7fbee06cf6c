import pytest

from jinv.memo import Memo


def test_a_value_is_made_once_for_its_key():
    memo, made = Memo(), []
    for key in ("a", "b", "a"):
        assert memo.get(key, lambda key=key: made.append(key) or key) == key
    assert made == ["a", "b"]


def test_those_used_last_are_kept():
    memo, made = Memo(most=2), []
    for key in "abacab":  # b is dropped for c
        memo.get(key, lambda key=key: made.append(key))
    assert made == ["a", "b", "c", "b"]


def test_what_cannot_be_hashed_is_made_anew():
    memo, made = Memo(), []
    for _ in range(2):
        memo.get((1, []), lambda: made.append(1))
    assert made == [1, 1]


def test_nothing_is_kept_of_a_failure():
    memo = Memo()
    with pytest.raises(ValueError):
        memo.get("a", lambda: int("x"))
    assert memo.get("a", lambda: 3) == 3
