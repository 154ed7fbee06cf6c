from types import SimpleNamespace
from typing import get_args

import pytest

from jinv.decoders.config import DecoderConfig, Regime
from jinv.decoders.design import CROP, crop_of, design_decoder
from jinv.decoders.stations import Overlap, Station, overlap, sizes_along, way_to
from jinv.errors import ConfigError
from jinv.models.loading import outline_classifier
from jinv.models.receptive_fields import Field
from jinv.models.zoo import classifier_spec


@pytest.fixture(scope="module")
def alexnet():
    return outline_classifier(classifier_spec("alexnet_features"))


def test_a_way_has_a_station_for_each_nonlinearity_and_each_pool(alexnet):
    way = way_to(alexnet, "conv3")
    names = [station.name for station in way]
    assert names == ["image", "relu1", "pool1", "relu2", "pool2", "conv3"]
    found = [overlap(above, below) for below, above in zip(way, way[1:], strict=False)]
    # As Krizhevsky's layers are built: kernels, strides, margins.
    assert found == [(11, 4, 2), (3, 2, 0), (5, 1, 2), (3, 2, 0), (3, 1, 1)]
    sizes = [size[0] for size in sizes_along(alexnet, way, (64, 64))]
    assert sizes == [64, 15, 7, 7, 3, 3]


def test_of_one_array_under_two_names_the_one_that_is_asked_for_counts(alexnet):
    assert [s.name for s in way_to(alexnet, "stage1")] == ["image", "stage1"]
    with pytest.raises(ConfigError, match="has no layer 'pool3'"):
        way_to(alexnet, "pool3")


def test_where_fields_are_unknown_numbers_of_units_tell():
    image = Station("image", (224, 224, 3), Field(1, 0, 0))
    first, second = (Station(str(n), (n, n, 16), None) for n in (112, 56))
    assert overlap(first, image) == Overlap(4, 2, 1)
    assert overlap(second, image) == Overlap(6, 4, 1)


def test_the_middles_of_a_monolith_lie_where_units_look(alexnet):
    config = DecoderConfig(architecture="monolithic", crop=224)
    (module,) = design_decoder(alexnet, "pool5", config).modules
    assert module.widths == (256, 128, 64, 32, 3)
    strides = [over.stride for over in module.overs]
    assert strides == [2] * 5
    field = way_to(alexnet, "pool5")[-1].field
    # Followed through all resolutions, a unit's middle ends in the middle of its field.
    place = 0.0
    for side, stride, first in module.overs:
        place = stride * place + (side - 1) / 2 - first
    assert abs(place - (field.first + field.last) / 2) <= 16


def test_crops_are_those_that_a_network_takes(alexnet, tiny):
    assert crop_of(alexnet, "conv1", DecoderConfig()) == CROP
    assert crop_of(tiny, "stage1", DecoderConfig()) == 8
    with pytest.raises(ConfigError, match="sees nothing in so few pixels"):
        design_decoder(alexnet, "pool5", DecoderConfig(crop=32))
    rigid = SimpleNamespace(spec=tiny.spec, takes=lambda size: size == 8)
    with pytest.raises(ConfigError, match="takes no images of so many pixels, but"):
        crop_of(rigid, "stage1", DecoderConfig(crop=14))


def test_settings_that_cannot_be_are_refused():
    with pytest.raises(ConfigError, match="whole rounds of round_steps 100"):
        DecoderConfig(steps=250).whole()
    with pytest.raises(ConfigError, match="nothing says what the image"):
        DecoderConfig(w_image=0).whole()
    with pytest.raises(ConfigError, match="losses of the image alone: take regime"):
        DecoderConfig(w_between=0.5).whole()
    with pytest.raises(ConfigError, match="nothing else teaches modules"):
        DecoderConfig(regime="stacked", w_between=0).whole()
    weights = {r: DecoderConfig(regime=r).whole().w_between for r in get_args(Regime)}
    assert weights == {"stacked": 1, "joint": 1, "end": 0}
    assert DecoderConfig(regime="joint", w_between=0).whole().w_between == 0
    assert DecoderConfig(steps=30).whole().round_steps == 30
