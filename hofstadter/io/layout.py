"""How the results of a run lie in a store: dimensions, the order of the points, and units of work."""

import dataclasses
import functools
import itertools
import math

import numpy as np

from hofstadter.flux import Flux
from hofstadter.io.config import SweepAxis

Point = Flux | float | int
"""What a unit has several of: a flux, or the value of a parameter."""


@dataclasses.dataclass(frozen=True)
class Unit:
    """The piece of work that is computed, saved and lost as one: some points at one place of the sweep.

    Attributes:
        sweep: Which value each swept parameter takes.
        number: Its place among the units of this place of the sweep.
        start: First point, in the order of the store.
        stop: One past the last point.
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
        points: All points in the order of the store.
        unit_size: How many points make a unit; the last unit of a place of the sweep may be smaller.
        splits: Whether the variables have the dimension of the points, next after those of the sweep.
        sizes: The lengths of the other dimensions; None if the first result decides.
        axis: The dimension of the points: "flux", or the name of a parameter.
    """

    sweep: tuple[SweepAxis, ...]
    points: tuple[Point, ...]
    unit_size: int
    splits: bool
    sizes: dict[str, int] | None
    axis: str = "flux"

    @property
    def sweep_shape(self) -> tuple[int, ...]:
        """How many values each swept parameter takes."""
        return tuple(len(axis.values) for axis in self.sweep)

    @functools.cached_property
    def coordinates(self) -> dict[str, np.ndarray]:
        """The labels of the points: fluxes as numbers with p and q, or the values of a parameter."""
        labels = {self.axis: np.array([float(point) for point in self.points])}
        fluxes = [point for point in self.points if isinstance(point, Flux)]
        if fluxes:
            labels |= {"p": np.array([flux.p for flux in fluxes]), "q": np.array([flux.q for flux in fluxes])}
        return labels

    @property
    def units_per_place(self) -> int:
        """Units at one place of the sweep."""
        return math.ceil(len(self.points) / self.unit_size)

    @property
    def units(self) -> list[Unit]:
        """All units: equal points follow each other, as they share programs."""
        places = list(itertools.product(*map(range, self.sweep_shape)))
        starts = range(0, len(self.points), self.unit_size)
        return [
            Unit(place, number, start, min(start + self.unit_size, len(self.points)))
            for number, start in enumerate(starts)
            for place in places
        ]

    def points_of(self, unit: Unit) -> tuple[Point, ...]:
        """The points of a unit."""
        return self.points[unit.start : unit.stop]

    def values_at(self, unit: Unit) -> dict[str, float | int]:
        """The values of the swept parameters, by where they stand in the run file."""
        return {axis.target: axis.values[i] for axis, i in zip(self.sweep, unit.sweep, strict=True)}

    def describe(self, unit: Unit) -> str:
        """Name a unit for messages: the values of the swept parameters and the points."""
        values = [f"{axis.name} = {axis.values[i]}" for axis, i in zip(self.sweep, unit.sweep, strict=True)]
        points = self.points_of(unit)
        first, last, flux = points[0], points[-1], self.axis == "flux"
        if len(points) == 1:
            span = f"flux {first}" if flux else f"{self.axis} = {first}"
        else:
            span = f"{len(points)} {'fluxes' if flux else f'values of {self.axis}'} from {first} to {last}"
        return ", ".join([*values, span])
