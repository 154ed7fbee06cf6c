"""Colours of the figures."""

INK = "#3c4043"
"""Colour of text and axes."""

COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#000000",
    "#b2a300",
)
"""Colours of lines, by Okabe and Ito: told apart by colour-blind readers too."""

CLASS_COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#1b9e57",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#2b2b2b",
    "#92dadd",
)
"""Colours of points, by Petroff (2021), but for greys: real images are pale already."""
