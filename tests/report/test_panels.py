import numpy as np
from PIL import Image

from jinv.report.panels import side_by_side


def test_every_picture_is_there_whole_under_its_title():
    colours = {"first": (200, 0, 0), "second": (0, 200, 0), "third": (0, 0, 200)}
    pictures = {
        name: Image.new("RGB", (300, 40 + 20 * index), colour)
        for index, (name, colour) in enumerate(colours.items())
    }
    sheet = np.asarray(side_by_side(pictures, 2))
    for name, colour in colours.items():
        found = np.all(sheet == colour, -1)
        rows, columns = np.nonzero(found)
        assert found.sum() == 300 * pictures[name].height
        # A title is dark on white, over the picture and not on it.
        above = sheet[
            max(0, rows.min() - 30) : rows.min(), columns.min() : columns.max()
        ]
        assert above.min() < 100
    assert np.nonzero(np.all(sheet == colours["third"], -1))[0].min() > 100
