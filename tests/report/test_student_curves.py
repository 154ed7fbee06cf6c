import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from jinv.report.arm import Arm
from jinv.report.palette import COLOURS
from jinv.report.student_curves import plot_students


def arm(last=60.0, rounds=4, round_steps=50, tested=True, unit="round", **more):
    rows = [
        {unit: n, "loss": 4.0 / n, "seconds": 30.0, **more}
        for n in range(1, rounds + 1)
    ]
    if tested:
        for row in rows[1::2]:
            row["test_accuracy"] = last * row[unit] / rounds
    return Arm(rows, round_steps)


@pytest.fixture
def plotted(monkeypatch, tmp_path):
    """Draws students without rendering, and returns the figure and panels by title."""

    def plotting(arms, teacher=None):
        figures = []

        def savefig(figure, path, **_):
            figures.append(figure)
            path.write_bytes(b"")

        monkeypatch.setattr(Figure, "savefig", savefig)
        plot_students(tmp_path / "curves.png", arms, teacher)
        (figure,) = figures
        return figure, {axes.get_title(loc="left"): axes for axes in figure.axes}

    return plotting


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def solid(axes):
    return [line for line in axes.get_lines() if line.get_linestyle() == "-"]


def test_the_figure_is_a_picture_with_the_lines_on_it(tmp_path):
    path = tmp_path / "curves.png"
    arms = {"a": arm(80, agreement=70.0), "b": arm(30, agreement=50.0)}
    plot_students(path, arms, ("teacher", 91.0))
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for colour in COLOURS[:2]:
        rgb = tuple(bytes.fromhex(colour[1:]))
        assert (pixels == rgb).all(-1).sum() > 100


def test_nothing_is_written_when_nothing_was_measured(tmp_path):
    plot_students(tmp_path / "curves.png", {"a": Arm([])})
    assert list(tmp_path.iterdir()) == []


def test_accuracy_is_plotted_by_steps_and_by_time(plotted):
    _, panels = plotted({"a": arm(60, making=300.0)})
    (by_steps,) = solid(panels["Accuracy"])
    assert by_steps.get_xdata().tolist() == [100, 200]
    assert by_steps.get_ydata().tolist() == [30, 60]
    (by_time,) = solid(panels["Accuracy by time"])
    assert by_time.get_xdata().tolist() == [6, 7]
    assert panels["Accuracy by time"].get_xlabel() == "minutes, of images and steps"


@pytest.mark.parametrize(
    ("making", "unit", "first"),
    [(0.0, "seconds", 60), (60.0, "minutes", 2), (7200.0, "hours", 7260 / 3600)],
)
def test_time_is_told_in_units_that_suit_the_longest(plotted, making, unit, first):
    _, panels = plotted({"a": arm(rounds=3, making=making), "b": arm(rounds=2)})
    panel = panels["Accuracy by time"]
    assert panel.get_xlabel().split(",")[0] == unit
    assert solid(panel)[0].get_xdata()[0] == pytest.approx(first)


def test_students_keep_their_colour_in_all_panels_and_the_legend(plotted):
    arms = {"low": arm(20, agreement=1.0), "high": arm(70, agreement=2.0)}
    figure, panels = plotted(arms)
    assert len(panels) == 4
    for panel in panels.values():
        assert [to_hex(line.get_color()) for line in solid(panel)] == list(COLOURS[:2])
    handles = figure.legends[0].get_lines()
    assert [to_hex(line.get_color()) for line in handles] == [COLOURS[1], COLOURS[0]]


def test_the_legend_names_the_most_accurate_first(plotted):
    arms = {"low": arm(20), "untested": arm(tested=False), "high": arm(70.25)}
    assert legend(plotted(arms)[0]) == ["high  70.2 %", "low  20.0 %", "untested"]


def test_the_teachers_accuracy_is_a_dashed_level(plotted):
    _, panels = plotted({"a": arm()}, ("resnet", 90.99))
    for title in ("Accuracy", "Accuracy by time"):
        (level,) = [
            ln for ln in panels[title].get_lines() if ln.get_linestyle() == "--"
        ]
        assert list(level.get_ydata()) == [90.99, 90.99]
        assert panels[title].texts[0].get_text() == "teacher resnet: 90.99 %"
    assert not panels["Loss"].texts


def test_students_that_were_not_tested_have_no_panels_of_accuracy(plotted):
    figure, panels = plotted({"a": arm(tested=False, agreement=5.0)}, ("t", 90.0))
    assert list(panels) == ["Agreement with the teacher", "Loss"]
    assert legend(figure) == ["a"]


def test_one_student_without_tests_may_be_beside_one_with_them(plotted):
    _, panels = plotted({"a": arm(tested=False), "b": arm(50)})
    lines = solid(panels["Accuracy"])
    assert [line.get_ydata().tolist() for line in lines] == [[], [25, 50]]


def test_trainings_tell_all_their_accuracies_by_epochs(plotted):
    training = arm(unit="epoch", accuracy=99.0, real_accuracy=55.0)
    _, panels = plotted({"a": training})
    assert list(panels) == ["Accuracy", "Accuracy by time", "Loss"]
    panel = panels["Accuracy"]
    assert panel.get_xlabel() == panels["Loss"].get_xlabel() == "epoch"
    styles = {line.get_linestyle(): line for line in panel.get_lines()}
    assert styles["-"].get_xdata().tolist() == [2, 4]
    assert set(styles[":"].get_ydata()) == {99}
    assert set(styles["--"].get_ydata()) == {55}
    kinds = [text.get_text() for text in panel.get_legend().get_texts()]
    assert kinds == ["test images", "images learnt from", "other images"]


def test_losses_are_on_a_logarithmic_axis_and_few_are_as_they_are(plotted):
    panel = plotted({"a": arm()})[1]["Loss"]
    assert panel.get_yscale() == "log"
    (line,) = solid(panel)
    assert line.get_ydata() == pytest.approx([4, 2, 4 / 3, 1])


def test_many_rounds_are_smoothed_over_pale_ones(plotted):
    rows = [{"round": n, "loss": 2.0 + (-1) ** n} for n in range(1, 401)]
    pale, mean = solid(plotted({"a": Arm(rows, 10)})[1]["Loss"])
    assert pale.get_alpha() < mean.get_alpha()
    assert set(pale.get_ydata()) == {1, 3}
    assert mean.get_xdata().tolist() == pale.get_xdata().tolist()
    assert mean.get_ydata()[10:-10] == pytest.approx(2)


def test_a_moving_mean_keeps_a_level_to_both_ends(plotted):
    rows = [{"round": n, "loss": 3.0} for n in range(1, 102)]
    _, mean = solid(plotted({"a": Arm(rows)})[1]["Loss"])
    assert mean.get_ydata() == pytest.approx(3)


def test_a_single_round_is_visible(plotted):
    (line,) = solid(plotted({"a": arm(rounds=1, tested=False)})[1]["Loss"])
    assert line.get_marker() == "."


def test_beyond_eight_colours_come_again_paler(plotted):
    _, panels = plotted({str(n): arm(10 * n) for n in range(1, 10)})
    first, *_, last = solid(panels["Accuracy"])
    assert first.get_color() == last.get_color()
    assert last.get_alpha() < first.get_alpha()


def test_any_name_can_be_written(tmp_path):
    names = ("$\\frac", "_hidden", "a\nb", 200 * "long ", "", "<b>&amp;")
    arms = {name: arm() for name in names}
    plot_students(tmp_path / "curves.png", arms, ("$x_", 90.0))
    assert (tmp_path / "curves.png").stat().st_size > 1000
