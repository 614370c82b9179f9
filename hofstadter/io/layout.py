"""How the results of a run lie in a store: dimensions, the order of the fluxes, and units of work."""

import dataclasses
import itertools
import math

from hofstadter.flux import Flux
from hofstadter.io.config import SweepAxis


@dataclasses.dataclass(frozen=True)
class Unit:
    """The piece of work that is computed, saved and lost as one: some fluxes at one point of the sweep.

    Attributes:
        sweep: Which value each swept parameter takes.
        number: Its place among the units of this point of the sweep.
        start: First flux, in the order of the store.
        stop: One past the last flux.
    """

    sweep: tuple[int, ...]
    number: int
    start: int
    stop: int

    @property
    def index(self) -> tuple[int, ...]:
        """Its place in the array `unit_status`."""
        return (*self.sweep, self.number)


@dataclasses.dataclass(frozen=True)
class Layout:
    """The shape of a store.

    Attributes:
        sweep: The swept parameters, the outermost dimensions.
        fluxes: All fluxes in the order of the store, which is that of computing.
        unit_size: How many fluxes make a unit; the last unit of a sweep point may be smaller.
        splits: Whether the variables have the dimension `flux`, next after those of the sweep.
        sizes: The lengths of the other dimensions.
    """

    sweep: tuple[SweepAxis, ...]
    fluxes: tuple[Flux, ...]
    unit_size: int
    splits: bool
    sizes: dict[str, int]

    @property
    def sweep_shape(self) -> tuple[int, ...]:
        """How many values each swept parameter takes."""
        return tuple(len(axis.values) for axis in self.sweep)

    @property
    def units_per_point(self) -> int:
        """Units at one point of the sweep."""
        return math.ceil(len(self.fluxes) / self.unit_size)

    @property
    def units(self) -> list[Unit]:
        """All units in the order of computing: equal fluxes follow each other, as they share programs."""
        sweep_points = list(itertools.product(*map(range, self.sweep_shape)))
        starts = range(0, len(self.fluxes), self.unit_size)
        return [
            Unit(point, number, start, min(start + self.unit_size, len(self.fluxes)))
            for number, start in enumerate(starts)
            for point in sweep_points
        ]

    def describe(self, unit: Unit) -> str:
        """Name a unit for messages: the values of the swept parameters and the fluxes."""
        values = [f"{axis.name} = {axis.values[i]}" for axis, i in zip(self.sweep, unit.sweep, strict=True)]
        fluxes = self.fluxes[unit.start : unit.stop]
        count = len(fluxes)
        named = f"flux {fluxes[0]}" if count == 1 else f"{count} fluxes from {fluxes[0]} to {fluxes[-1]}"
        return ", ".join([*values, named])
