import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from jinv.report.evaluation_figures import (
    plot_confusion,
    plot_embedding,
    plot_precision_recall,
)

CLASSES = ("cat", "dog", "ship")
MATRIX = [[6, 2, 0], [0, 8, 0], [0, 0, 4]]


@pytest.fixture
def plotted(monkeypatch, tmp_path):
    """Draws without rendering, which is slow, and returns the figure."""

    def plotting(plot, *arguments):
        figures = []

        def savefig(figure, path, **_):
            figures.append(figure)
            path.write_bytes(b"")

        monkeypatch.setattr(Figure, "savefig", savefig)
        plot(tmp_path / "figure.png", *arguments)
        return figures[0]

    return plotting


def names(count):
    return [f"class {number}" for number in range(count)]


def texts(labels):
    return [label.get_text() for label in labels]


def test_names_are_no_formulas(tmp_path):
    names = "at 5$", "$_$", "$^"
    plot_confusion(tmp_path / "confusion.png", MATRIX, names, "judge $_$")
    plot_precision_recall(tmp_path / "curve.png", {"$^$": ([0, 1], [1, 0])})
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("size", [3, 30, 50])
def test_confusions_are_a_picture_with_something_on_it(tmp_path, size):
    path = tmp_path / "confusion.png"
    plot_confusion(path, np.eye(size) + np.eye(size, k=1), names(size), "judge")
    picture = np.asarray(Image.open(path).convert("L"))
    assert picture.min() < 100
    assert list(tmp_path.iterdir()) == [path]


def test_cells_hold_the_shares_of_their_row_in_percent(plotted):
    (axes,) = plotted(plot_confusion, MATRIX, CLASSES, "judge").axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(0, 0): "75", (1, 0): "25", (1, 1): "100", (2, 2): "100"}


def test_rows_are_asked_for_and_columns_are_seen(plotted):
    (axes,) = plotted(plot_confusion, MATRIX, CLASSES, "judge").axes
    assert axes.get_ylabel().startswith("class asked for")
    assert axes.get_xlabel().startswith("class seen")
    assert texts(axes.get_yticklabels()) == texts(axes.get_xticklabels())
    assert texts(axes.get_xticklabels()) == list(CLASSES)
    assert axes.get_title(loc="left") == "judge"


def test_classes_without_images_have_no_row(plotted):
    matrix = [[6, 2, 0], [0, 0, 0], [0, 1, 3]]
    (axes,) = plotted(plot_confusion, matrix, CLASSES, "judge").axes
    assert texts(axes.get_yticklabels()) == ["cat", "ship"]
    assert len(axes.get_xticklabels()) == 3
    assert axes.images[0].get_array().shape == (2, 3)


def test_a_map_of_many_classes_has_a_scale_instead_of_numbers(plotted):
    axes, scale = plotted(plot_confusion, np.eye(21), names(21), "judge").axes
    assert not axes.texts
    assert scale.get_ylim() == (0, 100)


def test_of_very_many_classes_the_most_frequent_confusions_are_bars(plotted):
    matrix = 90 * np.eye(1000, dtype=int)
    matrix[3, 7], matrix[5, 2], matrix[8, 9] = 10, 30, 20
    (axes,) = plotted(plot_confusion, matrix, names(1000), "judge").axes
    assert [bar.get_width() for bar in axes.patches] == [30, 20, 10]
    assert texts(axes.get_yticklabels())[:2] == [
        "class 5 → class 2",
        "class 8 → class 9",
    ]
    assert texts(axes.texts) == ["30 of 120", "20 of 110", "10 of 100"]


def test_no_more_than_25_confusions_are_bars(plotted):
    matrix = np.eye(50, dtype=int) + 9 * np.eye(50, k=1, dtype=int)
    (axes,) = plotted(plot_confusion, matrix, names(50), "judge").axes
    assert len(axes.patches) == 25
    assert "25 commonest of 49" in axes.get_xlabel()


def test_of_equally_frequent_confusions_the_larger_share_is_first(plotted):
    matrix = 90 * np.eye(50, dtype=int)
    matrix[3, 7] = matrix[5, 2] = 4
    matrix[5, 5] = 1
    (axes,) = plotted(plot_confusion, matrix, names(50), "judge").axes
    assert texts(axes.texts) == ["4 of 5", "4 of 94"]


def test_long_names_are_cut(plotted):
    classes = ["x" * 40, *names(49)]
    (axes,) = plotted(plot_confusion, np.eye(50, k=1), classes, "judge").axes
    assert axes.get_yticklabels()[0].get_text() == "x" * 29 + "… → class 0"


def test_a_judge_that_confuses_nothing_can_be_plotted(plotted):
    (axes,) = plotted(plot_confusion, np.eye(50), names(50), "judge").axes
    assert not axes.patches
    assert "100.0 % of all images" in axes.get_xlabel()


def test_a_matrix_for_other_classes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="3 classes"):
        plot_confusion(tmp_path / "confusion.png", np.eye(4), CLASSES, "judge")


def embedding(classes=3, panels=("stage2", "pooled")):
    """Two real and one synthetic image of each class, all in a row."""
    count = 3 * classes
    points = np.stack([np.arange(count), np.arange(count)], 1)
    labels = np.arange(count) % classes
    origin = np.arange(count) < 2 * classes
    return dict.fromkeys(panels, points), labels, origin, names(classes)


def test_an_embedding_is_a_picture_with_something_on_it(tmp_path):
    path = tmp_path / "embedding.png"
    plot_embedding(path, *embedding())
    assert np.asarray(Image.open(path).convert("L")).min() < 100


def test_each_feature_has_a_panel_with_all_points(plotted):
    axes = plotted(plot_embedding, *embedding()).axes
    assert [panel.get_title(loc="left") for panel in axes] == ["stage2", "pooled"]
    for panel in axes:
        real, synthetic = (points.get_offsets() for points in panel.collections)
        assert real[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
        assert synthetic[:, 0].tolist() == [6, 7, 8]


def test_places_without_a_feature_stay_empty(plotted):
    axes = plotted(plot_embedding, *embedding(panels="abcd")).axes
    assert [panel.get_visible() for panel in axes] == [True] * 4 + [False] * 2


def test_real_points_are_paler_than_synthetic_ones_and_under_them(plotted):
    real, synthetic = plotted(plot_embedding, *embedding()).axes[0].collections
    assert real.get_alpha() < 0.5
    assert synthetic.get_alpha() is None


def test_a_class_has_one_colour_whether_real_or_synthetic(plotted):
    figure = plotted(plot_embedding, *embedding())
    real, synthetic = (
        [to_hex(colour) for colour in points.get_facecolors()]
        for points in figure.axes[0].collections
    )
    assert real == 2 * synthetic
    assert len(set(synthetic)) == 3
    (legend,) = figure.legends
    assert texts(legend.get_texts()) == ["real", "synthetic", *names(3)]
    assert [line.get_color() for line in legend.get_lines()[2:]] == synthetic


def test_only_classes_that_occur_need_a_colour(plotted):
    panels, labels, origin, _ = embedding()
    figure = plotted(plot_embedding, panels, 300 * labels, origin, names(1000))
    shown = texts(figure.legends[0].get_texts())[2:]
    assert shown == ["class 0", "class 300", "class 600"]


def test_of_many_classes_only_the_origin_has_a_colour(plotted):
    figure = plotted(plot_embedding, *embedding(classes=11))
    real, synthetic = (
        {to_hex(colour) for colour in points.get_facecolors()}
        for points in figure.axes[0].collections
    )
    assert len(real) == len(synthetic) == 1
    assert real != synthetic
    assert texts(figure.legends[0].get_texts()) == ["real", "synthetic"]


def curves(count):
    recall = np.linspace(0, 1, 5)
    return {f"set {number}": (recall, 1 - recall**2) for number in range(count)}


def test_precision_and_recall_are_a_picture_with_something_on_it(tmp_path):
    path = tmp_path / "precision_recall.png"
    plot_precision_recall(path, curves(2))
    assert np.asarray(Image.open(path).convert("L")).min() < 100


def test_precision_is_plotted_over_recall_for_each_set(plotted):
    figure = plotted(plot_precision_recall, curves(3))
    (axes,) = figure.axes
    assert len(axes.get_lines()) == 3
    for line in axes.get_lines():
        np.testing.assert_allclose(line.get_ydata(), 1 - line.get_xdata() ** 2)
    assert axes.get_xlabel().startswith("recall")
    assert axes.get_ylabel().startswith("precision")
    assert axes.get_xlim() == axes.get_ylim() == (0, 1)
    assert texts(figure.legends[0].get_texts()) == list(curves(3))


def test_no_two_sets_look_alike(plotted):
    (axes,) = plotted(plot_precision_recall, curves(12)).axes
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
    assert len(looks) == 12
