"""Grids by name: published ones, with their source."""

from dataclasses import dataclass

from jinv.suggest import check_known


@dataclass(frozen=True)
class Grid:
    """A published search over a grid.

    Attributes:
        over: Fields searched over, and their values; see `parse_space`.
        preset: Preset with the settings of all other fields.
        batch_size: Size of the batch that its weights are for. Not imposed: it may not
            fit the device at hand.
        source: Source of the grid.
    """

    over: tuple[str, ...]
    preset: str
    batch_size: int
    source: str


GRIDS = {
    "technion": Grid(
        over=(
            "w_bn=5e-3,1e-2",
            # 5e-4, 1e-3 and 5e-3 there: the report divides the batch's norms by the
            # batch size, 50.
            "w_tv2=1e-5,2e-5,1e-4",
            "w_l2=0",
            "lr=0.2,0.05",
        ),
        preset="technion",
        batch_size=50,
        source="Technion report on DeepInversion, grid over weights and learning rate, "
        "scored there by the Inception Score on 20 classes",
    ),
}


def find_grid(name: str) -> Grid:
    """Look a grid up by its name.

    Raises:
        ConfigError: There is none of this name; near matches are offered.
    """
    check_known("grid", name, GRIDS)
    return GRIDS[name]
