"""What is solved at zero field. `hofstadter.models.PRESETS` maps each preset's name to its function."""

from collections.abc import Callable

from hofstadter.models.continuum import Continuum, continuum, time_reversed
from hofstadter.models.electron_gas import dirac_superlattice, electron_gas
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
from hofstadter.models.twisted_graphene import bistritzer_macdonald, twisted_double_bilayer, twisted_trilayer
from hofstadter.models.twisted_tmd import twisted_homobilayer, twisted_tmd

Model = TightBinding | Continuum

PRESETS: dict[str, Callable[..., Model]] = {
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
    "Continuum",
    "Model",
    "TightBinding",
    "bistritzer_macdonald",
    "cast",
    "checkerboard",
    "continuum",
    "dice",
    "dirac_superlattice",
    "edge_centered_honeycomb",
    "electron_gas",
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
    "time_reversed",
    "triangular",
    "twisted_double_bilayer",
    "twisted_homobilayer",
    "twisted_tmd",
    "twisted_trilayer",
]
