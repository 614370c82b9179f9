"""What is solved at zero field. `PRESETS` maps the name of each preset, lattice or continuum, to its function."""

from collections.abc import Callable

from hofstadter.models._abstract import AbstractContinuum
from hofstadter.models.continuum import Continuum, continuum
from hofstadter.models.electron_gas import dirac_superlattice, electron_gas
from hofstadter.models.heavy_fermions import HeavyFermions, heavy_fermions
from hofstadter.models.precision import cast
from hofstadter.models.square import (
    checkerboard,
    kapit_mueller,
    lieb,
    oblique,
    rashba,
    rectangular,
    square,
)
from hofstadter.models.tight_binding import TightBinding, tight_binding
from hofstadter.models.time_reversal import time_reversed
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

Model = TightBinding | AbstractContinuum

TIGHT_BINDING_PRESETS: dict[str, Callable[..., TightBinding]] = {
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

CONTINUUM_PRESETS: dict[str, Callable[..., AbstractContinuum]] = {
    preset.__name__: preset
    for preset in (
        electron_gas,
        dirac_superlattice,
        bistritzer_macdonald,
        twisted_trilayer,
        twisted_double_bilayer,
        twisted_tmd,
        heavy_fermions,
    )
}

PRESETS: dict[str, Callable[..., Model]] = {**TIGHT_BINDING_PRESETS, **CONTINUUM_PRESETS}

__all__ = [
    "CONTINUUM_PRESETS",
    "PRESETS",
    "TIGHT_BINDING_PRESETS",
    "AbstractContinuum",
    "Continuum",
    "HeavyFermions",
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
    "heavy_fermions",
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
