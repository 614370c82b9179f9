"""Thermodynamic functions of a sample at each flux over a grid of chemical potentials."""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hofstadter.flux import Flux
from hofstadter.tasks._sample import Sample
from hofstadter.thermodynamics.flavors import Total
from hofstadter.thermodynamics.grand_canonical import grand_canonical, smear

# Grids are padded to multiples of this, so that few programs are compiled.
PADDING = 512
# Fluxes that are folded with lines at a time.
TOGETHER = 32


class Thermal(NamedTuple):
    """One flux; all in the model's units, per cell.

    Attributes:
        chemical_potential: An even grid.
        density: States filled, counted from the model's reference.
        density_of_states: ∂n/∂μ.
        grand_potential: −∫ n dμ from the first chemical potential on.
        entropy: In k_B.
        heat_capacity: At constant density, in k_B.
        hall_conductivity: In e²/h; NaN where no gaps are labelled.
    """

    chemical_potential: np.ndarray
    density: np.ndarray
    density_of_states: np.ndarray
    grand_potential: np.ndarray
    entropy: np.ndarray
    heat_capacity: np.ndarray
    hall_conductivity: np.ndarray

    def at(self, name: str, chemical_potential: np.ndarray) -> np.ndarray:
        """One of the functions at other chemical potentials, NaN beyond the grid."""
        return np.interp(chemical_potential, self.chemical_potential, getattr(self, name), left=np.nan, right=np.nan)


def thermal_functions(sample: Sample, fluxes: Sequence[Flux], totals: Sequence[Total], step: float) -> list[Thermal]:
    """The functions at each flux, at the temperature and with the broadening of the sample."""
    result = []
    for start in range(0, len(fluxes), TOGETHER):
        part = slice(start, start + TOGETHER)
        result += _some(sample, fluxes[part], totals[part], step)
    return result


def _some(sample: Sample, fluxes: Sequence[Flux], totals: Sequence[Total], step: float) -> list[Thermal]:
    length = -(-max(len(total.energies) for total in totals) // PADDING) * PADDING
    staircases = _padded([total.density for total in totals], length)
    halls = _padded([_filled_in(total.hall) for total in totals], length)
    conditions = step, sample.temperature, jnp.asarray(sample.widths(fluxes)), sample.lineshape
    columns = [np.asarray(column) for column in grand_canonical(jnp.asarray(staircases), *conditions)]
    columns.append(np.asarray(smear(jnp.asarray(halls), *conditions)))
    result = []
    for i, total in enumerate(totals):
        row = [column[i, : len(total.energies)] for column in columns]
        row[-1] = np.where(np.isnan(total.hall), np.nan, row[-1])
        result.append(Thermal(total.energies, *row))
    return result


def _padded(rows: Sequence[np.ndarray], length: int) -> np.ndarray:
    return np.stack([np.pad(row, (0, length - len(row)), mode="edge") for row in rows])


def _filled_in(values: np.ndarray) -> np.ndarray:
    """NaN at the ends replaced by the nearest number, or zero."""
    known = np.flatnonzero(~np.isnan(values))
    return np.interp(np.arange(len(values)), known, values[known]) if known.size else np.zeros(len(values))
