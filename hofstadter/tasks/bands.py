"""Energies along a path through the magnetic zone."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hofstadter import lattice
from hofstadter._checks import as_integer
from hofstadter.eigensolver.spectrum import solve
from hofstadter.flux import Flux, FluxLike
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.models.tight_binding import TightBinding
from hofstadter.topology.chern import chern_numbers


def bands(
    model: TightBinding,
    flux: FluxLike,
    *,
    corners: Sequence[Sequence[float]] | None = None,
    points: int = 100,
    chern: bool = False,
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Bands at one flux along straight lines between `corners`.

    Args:
        model: The zero-field model.
        flux: Flux per primitive cell.
        corners: Reduced momenta (k1, k2); by default Γ (0, 0), X (1/2, 0), M (1/2, 1/2), Γ, each divided by q: the
            spectrum repeats with period 1/q in both directions.
        points: Number of momenta on the whole path, spread by Cartesian length; corners are always among them.
        chern: Whether to compute the Chern number of each band.
        memory_gb: Working memory.

    Returns:
        Dataset with dims (point, band): `energy` (point, band), `k` (point, component), `distance` (point) in inverse
        length; attrs `corners` (their point numbers) and `corner_labels`. With `chern` also `chern` (band), NaN for
        bands that touch others, and its `status` (band).
    """
    flux = Flux.of(flux)
    if corners is None:
        unit = np.array([[0, 0], [0.5, 0], [0.5, 0.5], [0, 0]])
        places = unit / flux.q
    else:
        places = corners
    reciprocal = np.asarray(lattice.reciprocal_vectors(model.vectors))
    k, at_corner, distance = lattice.path(places, as_integer("points", points, minimum=2), reciprocal)
    named = [f"({a:.3g}, {b:.3g})" for a, b in np.asarray(k)[at_corner]]
    problem = at_flux(model, flux)
    spectrum = solve(problem, k, states=False, memory_gb=memory_gb)
    numbers = {}
    if chern:
        found = chern_numbers(problem, [(band, band + 1) for band in range(problem.basis_size)])
        numbers = {
            "chern": ("band", [number.value for number in found]),
            "status": ("band", [int(number.status) for number in found]),
        }
    return xr.Dataset(
        {
            **numbers,
            "energy": (("point", "band"), np.asarray(spectrum.energies)),
            "k": (("point", "component"), np.asarray(k)),
            "distance": ("point", distance),
        },
        attrs={
            "model": model.name,
            "orbitals": model.orbitals,
            "energy_unit": "t",
            "flux": str(flux),
            "corners": at_corner,
            "corner_labels": ["Γ", "X", "M", "Γ"] if corners is None else named,
        },
    )
