"""Energies along a path through the magnetic zone."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hofstadter import lattice
from hofstadter._checks import as_integer, fail
from hofstadter.eigensolver.spectrum import solve
from hofstadter.flux import Flux, FluxLike
from hofstadter.magnetic.symmetry_points import default_corners, place_corners
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import basis_variables, model_attributes, problem_at, with_bands
from hofstadter.topology.chern import chern_numbers

Corner = str | Sequence[float]


def bands(
    model: Model,
    flux: FluxLike,
    *,
    corners: Sequence[Corner] | None = None,
    labels: Sequence[str] | None = None,
    points: int = 100,
    chern: bool = False,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    rtol: float | None = None,
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Bands at one flux along straight lines between `corners`.

    Args:
        model: The zero-field model.
        flux: Flux per primitive cell.
        corners: Reduced momenta (k1, k2), or names: Γ, X, Y, M stand for (0, 0), (1/2, 0), (0, 1/2), (1/2, 1/2), each
            divided by q, since the spectrum repeats with period 1/q in both directions. A continuum model on a
            triangular lattice has Γ, K, K', M instead, wherever they are at this flux: at one quantum per cell Γ is
            (1/2, 1/2). By default K Γ M K' there, else Γ X M Γ.
        labels: What to call the corners; by default their names, or the momenta.
        points: Number of momenta on the whole path, spread by Cartesian length; corners are always among them.
        chern: Whether to compute the Chern number of each band.
        levels: Continuum only: Landau levels to keep; by default as many as the accuracy needs.
        bands_per_cell: Continuum only: how many bands per cell on each side of the model's reference; by default the
            model's own number.
        rtol: Continuum only: accuracy of the energies relative to their range; by default that of `at_flux`.
        memory_gb: Working memory.

    Returns:
        Dataset with dims (point, band): `energy` (point, band), `k` (point, component), `distance` (point) in inverse
        length; attrs `corners` (their point numbers) and `corner_labels`. With `chern` also `chern` (band), NaN for
        bands that touch others, and its `status` (band). Of a continuum model also `reference_filling` (how many of
        the bands are filled at neutrality, say), `levels` (or plane waves), `cutoff_error` and `basis_status`.
    """
    flux, model = Flux.of(flux), with_bands(model, bands_per_cell)
    places, names = path_corners(model, flux, corners, labels)
    reciprocal = np.asarray(lattice.reciprocal_vectors(model.vectors))
    k, at_corner, distance = lattice.path(places, as_integer("points", points, minimum=2), reciprocal)
    problem = problem_at(model, flux, levels, rtol)
    spectrum = solve(problem, k, states=False, memory_gb=memory_gb)
    numbers = {}
    if chern:
        found = chern_numbers(problem, [(band, band + 1) for band in range(problem.returned_bands)])
        numbers = {
            "chern": ("band", [number.value for number in found]),
            "status": ("band", [int(number.status) for number in found]),
        }
    return xr.Dataset(
        {
            **numbers,
            **basis_variables(problem),
            "energy": (("point", "band"), np.asarray(spectrum.energies)),
            "k": (("point", "component"), np.asarray(k)),
            "distance": ("point", distance),
        },
        attrs={
            **model_attributes(model),
            "flux": str(flux),
            "corners": at_corner,
            "corner_labels": names,
        },
    )


def path_corners(
    model: Model, flux: Flux, corners: Sequence[Corner] | None, labels: Sequence[str] | None
) -> tuple[list[tuple[float, float]], list[str]]:
    """Momenta and labels of the corners that `bands` is asked for."""
    continuum = isinstance(model, AbstractContinuum)
    if corners is None:
        corners = default_corners(model.vectors, flux, continuum=continuum)
    places, names = place_corners(corners, model.vectors, flux, continuum=continuum)
    if labels is not None and len(labels) != len(names):
        raise fail("labels", f"as many as the {len(names)} corners", list(labels))
    return places, names if labels is None else list(labels)
