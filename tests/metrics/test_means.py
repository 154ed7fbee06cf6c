import math
from dataclasses import fields

import numpy as np
import pytest

from jinv.metrics.feature_errors import FeatureErrors
from jinv.metrics.fidelity import Fidelity
from jinv.metrics.means import Mean, mean_of
from jinv.metrics.measures import LPIPS, MEASURES


def test_a_mean_has_the_margin_of_its_standard_error():
    values = np.random.default_rng(0).normal(3, 0.5, 20)
    found = mean_of(values.tolist())
    assert found.value == pytest.approx(values.mean())
    assert found.margin == pytest.approx(1.96 * values.std(ddof=1) / math.sqrt(20))
    assert str(found) == f"{values.mean():.4g} ± {found.margin:.2g}"


def test_images_without_a_value_are_left_out_and_not_counted():
    assert mean_of([1.0, None, 3.0]) == mean_of([1.0, 3.0])
    assert mean_of([1.0, None, 3.0]).count == 2
    assert mean_of([None, None]) == Mean(None, None, 0)
    assert str(mean_of([None])) == "-"


def test_what_has_no_margin_is_written_without_one():
    assert str(mean_of([0.25])) == "0.25"
    assert mean_of([10.0, math.inf]) == Mean(math.inf, None, 2)
    assert str(mean_of([10.0, math.inf])) == "inf"


def test_every_measure_is_described():
    names = {field.name for kind in (Fidelity, FeatureErrors) for field in fields(kind)}
    assert names | {LPIPS} == set(MEASURES)
