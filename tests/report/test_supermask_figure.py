import numpy as np
from PIL import Image

from jinv.report.supermask_figure import plot_fractions


def test_accuracies_and_losses_are_plotted(tmp_path):
    path = tmp_path / "sweep.png"
    losses = {0.5: [1.8, 1.2], 0.1: [2.0, 1.9]}
    plot_fractions(path, {0.5: 60.0, 0.1: 30.0}, 80.0, 10.0, losses, [1.5, 0.9])
    with Image.open(path) as picture:
        assert picture.size == (1210, 462)
        left = np.asarray(picture.convert("RGB"))[:, :600]
    # The line of the accuracies rises: blue is lower where less is kept.
    rows, columns = np.nonzero(np.all(left == (0, 114, 178), -1))
    assert rows[columns.argmin()] > rows[columns.argmax()]
