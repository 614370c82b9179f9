"""Measured gap sizes and level positions, and the band edges that they are made of."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from hofstadter._checks import as_integer, fail
from hofstadter.flux import Flux, FluxLike
from hofstadter.models import AbstractContinuum, Model


@dataclasses.dataclass(frozen=True)
class GapSize:
    """The measured size of the gap with the label (s, t) at one flux.

    The gap has r = s q + t p magnetic bands below it, counted from the model's reference (of a lattice model, the
    bottom of the spectrum). Only r enters a fit: at one flux, labels with the same r mean the same gap.
    Labels and sizes are those of the model, a single flavor: divide the slope of a line that four equal flavors make
    in a measured fan by four.

    Args:
        flux: Flux per primitive cell.
        s: Density of the gap's line n = s + t φ at zero flux, in states per cell.
        t: Slope of the line, the Chern number of the gap; a half-integer for a single Dirac cone.
        size: The size, positive, in the model's energy unit.
        error: Its standard error.
    """

    flux: FluxLike
    s: float | int
    t: float | int
    size: float | int
    error: float | int

    def __post_init__(self):
        """Check the numbers."""
        object.__setattr__(self, "flux", Flux.of(self.flux))
        for name in ("s", "t"):
            if not math.isfinite(getattr(self, name)) or 2 * getattr(self, name) % 1:
                raise fail(name, "an integer or a half-integer", getattr(self, name))
        _check_positive("size", self.size)
        _check_positive("error", self.error)


@dataclasses.dataclass(frozen=True)
class LevelEnergy:
    """The measured energy of an edge of a magnetic band, or of a Landau level, at one flux.

    Args:
        flux: Flux per primitive cell.
        band: The band, counted from the model's reference: 0 is the first one above it (of a lattice model, the lowest
            band), −1 the first one below it.
        side: Whether the "lower" or the "upper" edge of the band was measured.
        energy: The energy, in the model's energy unit.
        error: Its standard error.
    """

    flux: FluxLike
    band: int
    side: Literal["lower", "upper"]
    energy: float | int
    error: float | int

    def __post_init__(self):
        """Check the numbers."""
        object.__setattr__(self, "flux", Flux.of(self.flux))
        object.__setattr__(self, "band", as_integer("band", self.band))
        if self.side not in ("lower", "upper"):
            raise fail("side", '"lower" or "upper"', repr(self.side))
        if not math.isfinite(self.energy):
            raise fail("energy", "finite", self.energy)
        _check_positive("error", self.error)


Observation = GapSize | LevelEnergy


class Edge(NamedTuple):
    """An edge of a band at one flux.

    Attributes:
        flux: The flux.
        band: The band, counted from the model's reference.
        side: +1 for the upper edge, −1 for the lower one.
    """

    flux: Flux
    band: int
    side: int


@dataclasses.dataclass(frozen=True, eq=False)
class ObservationTable:
    """Observations as sums and differences of band edges: model value = weights @ energies of the edges.

    Attributes:
        edges: The edges that occur, each once.
        weights: +1, −1 or 0 for each observation and edge.
        is_level: Which observations are energies; the others are gap sizes.
        measured: The measured values.
        error: Their standard errors.
        names: What to call each observation in messages.
    """

    edges: tuple[Edge, ...]
    weights: Float[np.ndarray, "observation edge"]
    is_level: Bool[np.ndarray, " observation"]
    measured: Float[np.ndarray, " observation"]
    error: Float[np.ndarray, " observation"]
    names: tuple[str, ...]

    @property
    def fluxes(self) -> list[Flux]:
        """All fluxes, each once."""
        return list(dict.fromkeys(edge.flux for edge in self.edges))


def tabulate(model: Model, observations: Sequence[Observation], name: str = "observations") -> ObservationTable:
    """Turn observations into band edges.

    Args:
        model: Any model of the fit: it says how many bands there are, and where they are counted from.
        observations: Gap sizes and level energies, in any order.
        name: What the caller calls them.

    Raises:
        ValueError: If there are no observations, or the model has no such gap or band.
        TypeError: If an entry is no observation.
    """
    if not observations:
        raise fail(name, "a list with at least one gap size or level energy", "empty")
    edges: dict[Edge, int] = {}
    rows: list[dict[Edge, int]] = []
    for number, entry in enumerate(observations):
        if isinstance(entry, GapSize):
            above = _bands_below(model, entry, f"{name}[{number}]")
            rows.append({Edge(Flux.of(entry.flux), above, -1): 1, Edge(Flux.of(entry.flux), above - 1, 1): -1})
        elif isinstance(entry, LevelEnergy):
            flux = Flux.of(entry.flux)
            _check_band(model, flux, entry.band, f"{name}[{number}]", "about a band of the model", entry.band)
            rows.append({Edge(flux, entry.band, 1 if entry.side == "upper" else -1): 1})
        else:
            raise TypeError(f"Argument `{name}[{number}]` must be a `GapSize` or a `LevelEnergy`, but is {entry!r}.")
        for edge in rows[-1]:
            edges.setdefault(edge, len(edges))
    weights = np.zeros((len(rows), len(edges)))
    for number, row in enumerate(rows):
        for edge, sign in row.items():
            weights[number, edges[edge]] = sign
    return ObservationTable(
        edges=tuple(edges),
        weights=weights,
        is_level=np.array([isinstance(entry, LevelEnergy) for entry in observations]),
        measured=np.array([entry.size if isinstance(entry, GapSize) else entry.energy for entry in observations]),
        error=np.array([entry.error for entry in observations], float),
        names=tuple(map(_name, observations)),
    )


def bands_per_cell(table: ObservationTable) -> int:
    """How many bands per cell on each side of the reference hold all edges of a table."""
    bands = [(edge.band + 1 if edge.band >= 0 else -edge.band, edge.flux) for edge in table.edges]
    return max(-(-count // max(flux.p, flux.q)) for count, flux in bands)


def _bands_below(model: Model, gap: GapSize, where: str) -> int:
    """Number of bands between the model's reference and a gap: the band above the gap."""
    flux = Flux.of(gap.flux)
    # At odd p the neutrality of a single Dirac cone lies in the middle of a level.
    odd = isinstance(model, AbstractContinuum) and 2 * model.dirac_half * flux.p % 2
    count = gap.s * flux.q + gap.t * flux.p - (0.5 if odd else 0)
    if count % 1:
        raise fail(where, "a gap with a whole number of bands below it", f"{_name(gap)} with {count:g}")
    for band in (int(count) - 1, int(count)):
        _check_band(model, flux, band, where, "a gap between two bands of the model", f"{_name(gap)}, r = {count:g}")
    return int(count)


def _check_band(model: Model, flux: Flux, band: int, where: str, must: str, value: Any) -> None:
    """Refuse bands beyond the ends of the spectrum; a continuum model has as many as are wanted on its open ends."""
    first, last = 0, flux.q * model.orbitals if not isinstance(model, AbstractContinuum) else math.inf
    if isinstance(model, AbstractContinuum) and model.reference != "bottom":
        first, last = -math.inf, 0 if model.reference == "top" else math.inf
    if not first <= band < last:
        ends = " … ".join("" if math.isinf(end) else f"{end:g}" for end in (first, last - 1))
        raise fail(where, must, value, f"At flux {flux} it has the bands {ends.strip()}.")


def _name(entry: Observation) -> str:
    if isinstance(entry, GapSize):
        return f"gap ({entry.s:g}, {entry.t:g}) at flux {entry.flux}"
    return f"{entry.side} edge of band {entry.band} at flux {entry.flux}"


def _check_positive(name: str, value: float | int) -> None:
    if not (math.isfinite(value) and value > 0):
        raise fail(name, "positive and finite", value)
