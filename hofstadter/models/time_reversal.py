"""Time reversal of spinless models of either kind."""

import dataclasses
from typing import TypeVar, cast

from hofstadter.models._abstract import AbstractContinuum
from hofstadter.models.continuum import Continuum, reversed_continuum
from hofstadter.models.heavy_fermions import HeavyFermions
from hofstadter.models.tight_binding import TightBinding

AnyModel = TypeVar("AnyModel", bound=TightBinding | AbstractContinuum)


def time_reversed(model: AnyModel) -> AnyModel:
    """The time-reversed model, say the other valley: at (φ, k) it has the spectrum of `model` at (−φ, −k)."""
    if isinstance(model, TightBinding):
        return dataclasses.replace(model, amplitudes=model.amplitudes.conj())
    if isinstance(model, HeavyFermions):
        opposite = tuple(-valley for valley in model.valleys)
        return dataclasses.replace(model, valleys=opposite, potential=model.potential.conj())
    return cast(AnyModel, reversed_continuum(cast(Continuum, model)))
