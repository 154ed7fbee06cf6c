import io

import numpy as np
import pytest
from PIL import Image

from jinv.data import pictures
from jinv.data.pictures import MOST_PIXELS, centre_crop, fill, read_image
from jinv.errors import DataError

COLOURS = np.zeros((16, 24, 3), np.uint8)
COLOURS[:8, :12] = (250, 5, 5)  # the corner at the top left is red
COLOURS[8:, 12:] = (5, 5, 250)  # the opposite one is blue
STORED = {
    1: COLOURS,
    2: COLOURS[:, ::-1],
    3: COLOURS[::-1, ::-1],
    4: COLOURS[::-1],
    5: COLOURS.transpose(1, 0, 2),
    6: np.rot90(COLOURS, 1),
    7: COLOURS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(COLOURS, -1),
}
"""What a camera saves that was held in each of the ways of EXIF."""


def saved(tmp_path, image, name="x.png", **options):
    path = tmp_path / name
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(path, **options)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
def test_a_photograph_is_turned_as_it_was_taken(tmp_path, orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 100, "subsampling": 0} if kind == "jpg" else {}
    options |= {"lossless": True} if kind == "webp" else {}
    stored = np.ascontiguousarray(STORED[orientation])
    path = saved(tmp_path, stored, f"x.{kind}", exif=exif, **options)
    found = np.asarray(read_image(path)).astype(int)
    assert found.shape == COLOURS.shape
    assert np.abs(found - COLOURS).max() < 20


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0nonsense", b"Exif\0\0MM\0*\xff\xff\xff\xff"]
)
def test_a_broken_note_of_the_camera_does_no_harm(tmp_path, exif):
    path = saved(tmp_path, COLOURS, "x.jpg", exif=exif, quality=100)
    assert read_image(path).size == (24, 16)


SIXTEEN = np.array([[0, 257, 32768], [65535, 256, 1000]], np.uint16)
EIGHT = np.array([[0, 1, 128], [255, 1, 4]], np.uint8)


@pytest.mark.parametrize("name", ["x.png", "x.tif"])
def test_grey_of_16_bits_keeps_its_middle(tmp_path, name):
    found = read_image(saved(tmp_path, SIXTEEN, name))
    assert found.mode == "L"
    np.testing.assert_array_equal(np.asarray(found), EIGHT)


def test_grey_of_16_bits_with_the_high_byte_first(tmp_path):
    image = Image.frombytes("I;16B", (3, 2), SIXTEEN.astype(">u2").tobytes())
    found = read_image(saved(tmp_path, image, "x.tif"))
    np.testing.assert_array_equal(np.asarray(found), EIGHT)


def test_portable_grey_of_16_bits(tmp_path):
    data = SIXTEEN.astype(">u2").tobytes()
    (tmp_path / "x.pgm").write_bytes(b"P5 3 2 65535\n" + data)
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "x.pgm")), EIGHT)


def test_a_turned_picture_of_16_bits_is_still_scaled(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    path = saved(tmp_path, SIXTEEN, exif=exif)
    np.testing.assert_array_equal(np.asarray(read_image(path)), EIGHT[::-1, ::-1])


def test_numbers_of_32_bits_within_their_range(tmp_path):
    whole = read_image(saved(tmp_path, EIGHT.astype(np.int32), "i.tif"))
    np.testing.assert_array_equal(np.asarray(whole), EIGHT)
    floats = read_image(saved(tmp_path, EIGHT.astype(np.float32) / 255, "f.tif"))
    np.testing.assert_array_equal(np.asarray(floats), EIGHT)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.array([[0, 256]], np.int32),
            r"x.tif .*pixels lie in 0..256, not in 0..255",
        ),
        (np.array([[-1, 5]], np.int32), "pixels lie in -1..5, not in 0..255"),
        (np.array([[0, 2.5]], np.float32), "pixels lie in 0..2.5, not in 0..1"),
        (np.array([[0, np.nan]], np.float32), "pixels lie in nan..nan"),
    ],
)
def test_numbers_of_an_unknown_range_are_refused(tmp_path, values, message):
    with pytest.raises(DataError, match=message):
        read_image(saved(tmp_path, values, "x.tif"))


def test_a_palette_is_looked_up(tmp_path):
    image = Image.fromarray(COLOURS).quantize(4)
    for options in ({}, {"transparency": 0}, {"transparency": b"\0\x80\xff"}):
        found = read_image(saved(tmp_path, image, **options))
        assert found.mode == "RGB"
        assert np.abs(np.asarray(found).astype(int) - COLOURS).max() < 8


def test_transparency_is_dropped_without_a_word(tmp_path, recwarn):
    clear = np.dstack([COLOURS, np.zeros((16, 24, 1), np.uint8)])
    found = read_image(saved(tmp_path, clear))
    np.testing.assert_array_equal(np.asarray(found), COLOURS)
    grey = Image.merge("LA", [Image.new("L", (2, 2), 77), Image.new("L", (2, 2), 3)])
    assert np.all(np.asarray(read_image(saved(tmp_path, grey))) == 77)
    assert not recwarn.list


def test_inks_and_other_spaces_become_colours(tmp_path):
    image = Image.fromarray(COLOURS).convert("CMYK")
    found = read_image(saved(tmp_path, image, "x.tif"))
    np.testing.assert_array_equal(np.asarray(found), COLOURS)
    bits = Image.fromarray(COLOURS[..., 0] > 9)
    expected = np.where(COLOURS[..., 0] > 9, 255, 0)
    np.testing.assert_array_equal(
        np.asarray(read_image(saved(tmp_path, bits))), expected
    )


@pytest.mark.parametrize("name", ["x.gif", "x.tif", "x.webp", "x.png"])
def test_of_several_frames_the_first_is_read(tmp_path, name):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if name == "x.webp" else {}
    path = saved(
        tmp_path, frames[0], name, save_all=True, append_images=frames[1:], **options
    )
    assert np.all(np.asarray(read_image(path)) == (255, 0, 0))


def claims(width, height):
    """A BMP file that claims so many pixels."""
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1)).save(buffer, "BMP")
    content = bytearray(buffer.getvalue())
    content[18:26] = np.array([width, height], "<i4").tobytes()
    return bytes(content)


def torn(kind, keep=0.5):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()[: int(keep * len(buffer.getvalue()))]


NO_IMAGES = [
    (b"", "the file is empty"),
    (b"not an image", "it is none of the kinds JPEG, PNG"),
    (b"<html>404</html>", "it is none of the kinds"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "none of the kinds"),
    (torn("PNG"), "cannot be read as an image: "),
    (torn("JPEG"), "cannot be read as an image: .*truncated"),
    (torn("GIF"), "cannot be read as an image: "),
    (torn("WEBP"), "cannot be read as an image: "),
    (torn("TIFF"), "cannot be read as an image: "),
    (torn("BMP"), "cannot be read as an image: .*truncated"),
    (torn("PPM"), "cannot be read as an image: "),
    (torn("PNG", 0.01), "cannot be read as an image: "),
    (claims(9000, 9000), "it claims 9000x9000 pixels, more than"),
    (claims(60000, 60000), "cannot be read as an image: .*far more than"),
    (b"P5 0 5 255\n", "cannot be read as an image: "),
]


@pytest.mark.parametrize(("content", "message"), NO_IMAGES, ids=range(len(NO_IMAGES)))
def test_what_is_no_image_is_one_line_with_its_name(tmp_path, content, message):
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_image(path)
    assert "\n" not in str(caught.value) and "picture.png" in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_what_pillow_only_warns_of_is_one_line_too(tmp_path):
    (tmp_path / "x.bmp").write_bytes(claims(10000, 10000))
    with pytest.raises(DataError, match="x.bmp cannot be read as an image"):
        read_image(tmp_path / "x.bmp")


def test_a_long_strip_takes_no_more_memory_than_it_shows(monkeypatch):
    strip = Image.new("L", (2, 4000))
    strip.paste(200, (0, 1990, 2, 2010))
    whole = np.asarray(centre_crop(strip, 64, 64)).astype(int)
    monkeypatch.setattr(pictures, "MOST_PIXELS", 1000)
    part = np.asarray(centre_crop(strip, 64, 64)).astype(int)
    assert whole.max() == 200
    assert np.abs(whole - part).max() <= 1
    monkeypatch.undo()
    thin = Image.new("L", (1, MOST_PIXELS // 64))
    assert centre_crop(thin, 256, 224).size == (224, 224)


def test_filling_a_size_cuts_the_centre():
    image = np.zeros((10, 40, 3), np.uint8)
    image[:, 15:25] = 255
    found = np.asarray(fill(Image.fromarray(image), 20, 20))
    assert found.shape == (20, 20, 3) and (found[:, 2:-2] > 250).all()
    assert fill(Image.fromarray(image), 10, 40).size == (40, 10)
