import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from jinv.report.curves import plot_curves


def row(batch=0, phase=0, step=1, **terms):
    values = terms or {"cross_entropy": 1.0 / step}
    return {
        "batch": batch,
        "phase": phase,
        "step": step,
        "learning_rate": 0.1,
        "loss": sum(values.values()),
        "terms": {
            name: {"raw": 2 * value, "weighted": value}
            for name, value in values.items()
        },
        "top1": 0.5,
        "image_steps_per_second": 512.0,
    }


@pytest.fixture
def plotted(monkeypatch, tmp_path):
    """Draws rows without rendering, which is slow, and returns panels by title."""

    def plotting(rows):
        figures = []

        def savefig(figure, path, **_):
            figures.append(figure)
            path.write_bytes(b"")

        monkeypatch.setattr(Figure, "savefig", savefig)
        plot_curves(tmp_path / "curves.png", rows)
        return {axes.get_title(loc="left"): axes for axes in figures[0].axes}

    return plotting


def solid(axes):
    return [line for line in axes.get_lines() if line.get_linestyle() == "-"]


def test_the_figure_is_a_picture_with_something_on_it(tmp_path):
    path = tmp_path / "curves.png"
    plot_curves(path, [row(step=step) for step in (1, 10, 100)])
    picture = np.asarray(Image.open(path).convert("L"))
    assert picture.shape == (770, 1430)
    assert picture.min() < 100


def test_nothing_is_written_when_nothing_was_measured(tmp_path):
    plot_curves(tmp_path / "curves.png", [])
    assert list(tmp_path.iterdir()) == []


def test_stages_follow_each_other(plotted):
    rows = [row(phase=phase, step=step) for phase in (0, 1) for step in (10, 20)]
    first, second = solid(plotted(rows)["Total loss"])
    assert list(first.get_xdata()) == [10, 20]
    assert list(second.get_xdata()) == [30, 40]


def test_a_phase_that_one_batch_left_early_starts_alike_for_all(plotted):
    rows = [row(step=20), row(phase=1, step=5), row(1, 0, 10), row(1, 1, 5)]
    lines = solid(plotted(rows)["Total loss"])
    assert [list(line.get_xdata()) for line in lines] == [[20], [25], [10], [25]]


def test_phase_boundaries_are_marked(plotted):
    rows = [row(phase=phase, step=20) for phase in (0, 1, 2)]
    dashed = [
        line.get_xdata()[0]
        for line in plotted(rows)["Learning rate"].get_lines()
        if line.get_linestyle() == "--"
    ]
    assert dashed == [20, 40]


def test_each_batch_is_a_line_of_its_own(plotted):
    rows = [row(batch=batch, step=step) for batch in range(3) for step in (1, 2)]
    assert len(solid(plotted(rows)["Teacher accuracy"])) == 3


def test_a_single_measurement_is_visible(plotted):
    (line,) = solid(plotted([row()])["Total loss"])
    assert line.get_marker() == "."


def test_accuracy_is_in_percent(plotted):
    (line,) = solid(plotted([row()])["Teacher accuracy"])
    assert list(line.get_ydata()) == [50]


def test_raw_and_weighted_terms_have_panels(plotted):
    panels = plotted([row(bn=3.0)])
    (weighted,) = solid(panels["Terms, weighted"])
    (raw,) = solid(panels["Terms, raw"])
    assert list(weighted.get_ydata()) == [3]
    assert list(raw.get_ydata()) == [6]


def test_a_term_has_one_colour_in_both_panels_and_the_legend(plotted):
    panels = plotted([row(cross_entropy=1.0, bn=2.0)])
    weighted = [line.get_color() for line in solid(panels["Terms, weighted"])]
    raw = [line.get_color() for line in solid(panels["Terms, raw"])]
    legend = panels[""].get_legend()
    assert weighted == raw == [line.get_color() for line in legend.get_lines()]
    assert [text.get_text() for text in legend.get_texts()] == [
        "cross_entropy",
        "bn",
    ]


def test_a_term_may_be_missing_from_a_phase(plotted):
    rows = [row(step=1, prior=1.0), row(phase=1, step=1, bn=2.0)]
    values = [line.get_ydata()[0] for line in solid(plotted(rows)["Terms, weighted"])]
    assert values[0] == 1 and values[3] == 2
    assert math.isnan(values[1]) and math.isnan(values[2])


def test_positive_losses_are_plotted_on_a_logarithmic_axis(plotted):
    assert plotted([row(bn=3.0)])["Total loss"].get_yscale() == "log"


def test_logarithmic_axes_have_plain_numbers(plotted):
    axis = plotted([row(step=step, bn=0.3 / step) for step in (1, 20)])["Total loss"]
    labels = [text.get_text() for text in axis.get_yticklabels(which="both")]
    assert {"0.1", "0.02"} <= set(labels)


def test_a_loss_of_exactly_zero_does_not_change_the_axis(plotted):
    rows = [row(step=1, cross_entropy=1.0), row(step=2, cross_entropy=0.0)]
    assert plotted(rows)["Terms, raw"].get_yscale() == "log"


def test_negative_losses_are_shown(plotted):
    rows = [row(step=1, class_score=1.0), row(step=2, class_score=-9.0)]
    panel = plotted(rows)["Terms, weighted"]
    assert panel.get_yscale() == "symlog"
    assert panel.get_ylim()[0] < -9


def test_values_far_below_the_highest_do_not_squeeze_the_rest(plotted):
    rows = [row(cross_entropy=1e-20, bn=100.0)]
    assert plotted(rows)["Terms, weighted"].get_ylim()[0] == pytest.approx(1e-4)


def test_a_loss_that_diverged_can_be_plotted(plotted):
    rows = [row(step=1), row(step=2, cross_entropy=math.nan)]
    assert plotted(rows)["Total loss"].get_yscale() == "log"


def test_where_nothing_is_asked_there_is_no_panel_of_what_is_recognised(plotted):
    rows = [row(step=step) for step in (1, 2)]
    assert "Teacher accuracy" in plotted(rows)
    for one in rows:
        del one["top1"]
    assert "Teacher accuracy" not in plotted(rows)
