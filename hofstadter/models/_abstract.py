"""What continuum models have in common: few bands around a reference, out of infinitely many."""

import abc
from typing import Literal

import equinox as eqx
from jaxtyping import Array, Float

from hofstadter._checks import as_integer
from hofstadter.flux import Flux

Reference = Literal["bottom", "neutrality", "top"]


class AbstractContinuum(eqx.Module):
    """A model whose basis has no end and is cut off, so that only some bands on either side of a reference are wanted.

    Attributes:
        vectors: Primitive vectors a1, a2 as rows, right-handed.
        reference: Where bands are counted from: the bottom of the spectrum, charge neutrality, or its top.
        bands_per_cell: How many bands per primitive cell, on each side of the reference, are wanted by default.
        name: What to call the model in datasets and plots.
        energy_unit: Unit of energies.
        length_unit: Unit of the lattice vectors.
    """

    vectors: eqx.AbstractVar[Float[Array, "2 2"]]
    reference: eqx.AbstractVar[Reference]
    bands_per_cell: eqx.AbstractVar[int]
    name: eqx.AbstractVar[str]
    energy_unit: eqx.AbstractVar[str]
    length_unit: eqx.AbstractVar[str]

    @property
    @abc.abstractmethod
    def components(self) -> int:
        """Number of components of the wave function."""

    @property
    @abc.abstractmethod
    def dirac_half(self) -> float:
        """1/2 where gaps have half-integer t, as near the neutrality of a single Dirac cone, else 0."""

    def bands_at(self, flux: Flux) -> int:
        """How many bands are wanted at this flux, both sides of the reference together."""
        return sum(self.wanted_bands(flux))

    def wanted_bands(self, flux: Flux, bands_per_cell: int | None = None) -> tuple[int, int]:
        """How many bands are wanted below and above the reference at this flux, of `bands_per_cell` or the model's own.

        Where there are more flux quanta than cells, so many are wanted per quantum instead of per cell.
        """
        per_cell = self.bands_per_cell if bands_per_cell is None else bands_per_cell
        count = as_integer("bands_per_cell", per_cell, minimum=1) * max(flux.p, flux.q)
        return {"bottom": (0, count), "neutrality": (count, count), "top": (count, 0)}[self.reference]
