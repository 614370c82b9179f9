"""A group of bands in a run file: [first, last], the last one not included."""

from collections.abc import Sequence
from typing import Annotated

import pydantic

from hofstadter.flux import Flux
from hofstadter.models import TightBinding

BandRange = Annotated[list[int], pydantic.Field(min_length=2, max_length=2)]
"""First band and the one after the last, in a run file."""


def check_band_range(bands: Sequence[int]) -> tuple[int, int]:
    """Refuse ranges that are empty whatever the model."""
    first, last = bands
    if not 0 <= first < last:
        raise ValueError(f"must be [first, last] with 0 <= first < last, but is {list(bands)}.")
    return first, last


def check_within(bands: Sequence[int], flux: Flux, model: TightBinding) -> None:
    """Refuse band ranges outside of the spectrum at a flux."""
    available = flux.q * model.orbitals
    if bands[1] > available:
        raise ValueError(f"Argument `bands` must be within the {available} bands at flux {flux}, but is {list(bands)}.")
