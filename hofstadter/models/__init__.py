"""What is solved at zero field. `hofstadter.models.PRESETS` maps each preset's name to its function."""

from collections.abc import Callable

from hofstadter.models.square import (
    checkerboard,
    kapit_mueller,
    lieb,
    oblique,
    rashba,
    rectangular,
    square,
)
from hofstadter.models.tight_binding import TightBinding, cast, tight_binding
from hofstadter.models.triangular import (
    dice,
    edge_centered_honeycomb,
    haldane,
    honeycomb,
    kagome,
    triangular,
)

PRESETS: dict[str, Callable[..., TightBinding]] = {
    preset.__name__: preset
    for preset in (
        square,
        rectangular,
        oblique,
        triangular,
        honeycomb,
        haldane,
        kagome,
        lieb,
        dice,
        edge_centered_honeycomb,
        checkerboard,
        kapit_mueller,
        rashba,
    )
}

__all__ = [
    "PRESETS",
    "TightBinding",
    "cast",
    "checkerboard",
    "dice",
    "edge_centered_honeycomb",
    "haldane",
    "honeycomb",
    "kagome",
    "kapit_mueller",
    "lieb",
    "oblique",
    "rashba",
    "rectangular",
    "square",
    "tight_binding",
    "triangular",
]
