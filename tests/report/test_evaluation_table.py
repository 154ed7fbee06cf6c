import math

import pytest

from jinv.report.evaluation_table import spread, table_rows, value_text

EVALUATION = {
    "metrics": {
        "fid": {"title": "FID", "better": "lower", "unit": ""},
        "top1:judge": {"title": "Recognised", "better": "higher", "unit": "%"},
    },
    "rows": {
        "this set": {
            "top1:judge": {"value": 0.97, "low": 0.961, "high": 0.978, "images": 2000},
            "fid": {"value": 12.345, "low": 11.9, "high": 12.8, "images": 2000},
        },
        "noise": {"fid": {"value": 412.3, "low": None, "high": None, "images": 500}},
    },
}


def test_there_is_a_column_for_each_metric_in_order():
    header, _ = table_rows(EVALUATION)
    assert header == ["set", "FID\nlower is better", "Recognised\nhigher is better"]


def test_there_is_a_row_for_each_set_with_values_and_intervals():
    _, (this, _) = table_rows(EVALUATION)
    assert this == [
        "this set\n2,000 images",
        "12.3\n11.9 – 12.8",
        "97.0 %\n96.1 – 97.8 %",
    ]


def test_what_was_not_measured_is_a_dash():
    _, (_, noise) = table_rows(EVALUATION)
    assert noise == ["noise\n500 images", "412", "–"]


def test_numbers_of_images_that_differ_are_a_range():
    row = {
        "fid": {"value": 1.0, "images": 500},
        "top1:judge": {"value": 1.0, "images": 9},
    }
    _, ((name, *_),) = table_rows(EVALUATION | {"rows": {"set": row}})
    assert name == "set\n9 – 500 images"


def test_nothing_measured_makes_an_empty_table():
    assert table_rows({}) == (["set"], [])


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1234.5, "", "1,234"),
        (412.3, "", "412"),
        (12.345, "", "12.3"),
        (1.0, "", "1.00"),
        (0.2134, "", "0.213"),
        (0.00012, "", "0.0001"),
        (-0.2134, "", "-0.213"),
        (0.0, "", "0"),
        (0.12345, "%", "12.3 %"),
        (1.0, "%", "100.0 %"),
        (12.345, "bits", "12.3 bits"),
        (math.nan, "%", "–"),
        (None, "", "–"),
    ],
)
def test_values_have_three_digits_and_shares_one_decimal(value, unit, text):
    assert value_text({"value": value}, unit) == text


def test_an_interval_is_as_precise_as_its_value():
    assert spread({"value": 10.5, "low": 9.5432, "high": 11.4}, "") == "9.5 – 11.4"


def test_an_interval_without_ends_is_empty():
    assert spread({"value": 10.5, "low": None, "high": None}, "%") == ""
    assert spread({"value": 10.5}, "%") == ""
