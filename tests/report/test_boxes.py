import numpy as np

from jinv.report.boxes import Column, Row, Space, Text, Tile, compose

RED, BLUE = (200, 0, 0), (0, 0, 200)


def plain(colour, height=4, width=4):
    return Tile(np.full((height, width, 3), colour, np.uint8))


def box_of(picture, colour):
    """Left, top, and what is right of and under the pixels of a colour."""
    rows, columns = np.nonzero((np.asarray(picture) == colour).all(-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_a_row_sets_boxes_beside_each_other():
    row = Row([plain(RED, 8), plain(BLUE, 4, 6)], gap=3, align="middle")
    assert (row.width, row.height) == (13, 8)
    picture = compose(row, 2)
    assert picture.size == (17, 12)
    assert box_of(picture, RED) == (2, 2, 6, 10)
    assert box_of(picture, BLUE) == (9, 4, 15, 8)


def test_a_column_sets_boxes_one_under_the_other():
    boxes = [plain(RED), Space(0, 5), plain(BLUE, 4, 6)]
    for align, left in (("left", 0), ("middle", 3), ("right", 6)):
        column = Column(boxes, 1, align, least=10)
        assert (column.width, column.height) == (10, 15)
        picture = compose(column)
        assert box_of(picture, RED) == (left, 0, left + 4, 4)
        assert box_of(picture, BLUE)[1:2] == (11,)


def test_pixels_are_repeated():
    values = np.random.default_rng(0).integers(0, 256, (3, 2, 3), np.uint8)
    np.testing.assert_array_equal(
        compose(Tile(values, 4)), values.repeat(4, 0).repeat(4, 1)
    )


def test_text_stays_within_its_box():
    text = Text("Ågj|", 20)
    ink = np.argwhere(np.asarray(compose(text, 10).convert("L")) < 200)
    assert ink.min() >= 10
    assert (ink.max(0) < (10 + text.height, 10 + text.width)).all()


def test_boxes_of_nothing_have_no_size():
    assert (Row([]).width, Column([]).height, Column([], least=3).width) == (0, 0, 3)
