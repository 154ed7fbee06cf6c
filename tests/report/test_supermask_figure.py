from PIL import Image

from jinv.report.supermask_figure import plot_fractions


def test_accuracies_and_losses_are_drawn(tmp_path):
    path = tmp_path / "sweep.png"
    losses = {"keep 0.1": [2.0, 1.9], "keep 0.5": [1.8, 1.2], "all trained": [1.5, 0.9]}
    plot_fractions(path, {0.5: 60.0, 0.1: 30.0}, 80.0, 10.0, losses)
    with Image.open(path) as picture:
        assert picture.size == (1210, 462)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(100_000)}
    assert (0, 114, 178) in colours  # the line of the accuracies
