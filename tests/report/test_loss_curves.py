import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from jinv.report.loss_curves import plot_losses


def row(step, value, batch=0, phase=0, name="bn"):
    terms = {name: {"raw": value, "weighted": 10 * value}}
    return {"batch": batch, "phase": phase, "step": step, "terms": terms}


RUNS = {
    "whole": [row(1, 4.0), row(2, 2.0), row(1, 2.0, batch=1), row(2, 1.0, batch=1)],
    "a_part $left$ out": [row(2, 3.0), row(3, 1.0, phase=1), row(2, 5.0, name="class")],
}


@pytest.fixture
def panels(monkeypatch, tmp_path):
    figures = []

    def savefig(figure, path, **_):
        figures.append(figure)
        path.write_bytes(b"")

    monkeypatch.setattr(Figure, "savefig", savefig)
    plot_losses(tmp_path / "losses.png", RUNS)
    return {axes.get_title(loc="left"): axes for axes in figures[0].axes}


def test_each_term_has_a_panel_and_each_run_a_line(panels):
    assert list(panels) == ["bn", "class"]
    whole, part = panels["bn"].get_lines()
    # Of two batches the mean, before its weight; phases follow each other.
    np.testing.assert_array_equal(whole.get_xydata(), [(1, 3.0), (2, 1.5)])
    np.testing.assert_array_equal(part.get_xydata(), [(2, 3.0), (5, 1.0)])
    assert panels["class"].get_lines()[1].get_xydata().tolist() == [[2.0, 5.0]]


def test_the_figure_names_the_runs(tmp_path):
    path = tmp_path / "losses.png"
    plot_losses(path, RUNS, ["bn"])
    assert np.asarray(Image.open(path).convert("L")).min() < 100


def test_nothing_is_written_of_nothing(tmp_path):
    plot_losses(tmp_path / "losses.png", {"whole": []})
    plot_losses(tmp_path / "losses.png", RUNS, [])
    assert list(tmp_path.iterdir()) == []
