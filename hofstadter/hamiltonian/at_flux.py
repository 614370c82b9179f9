"""`at_flux`: put any model in a magnetic field."""

from typing import overload

from hofstadter._checks import fail
from hofstadter.flux import Flux, FluxLike
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.bloch import TightBindingProblem, tight_binding_problem
from hofstadter.hamiltonian.heavy_fermion_waves import HeavyFermionWaveProblem, heavy_fermion_wave_problem
from hofstadter.hamiltonian.heavy_fermions import HeavyFermionProblem, heavy_fermion_problem
from hofstadter.hamiltonian.landau import LandauProblem, landau_problem
from hofstadter.hamiltonian.plane_waves import PlaneWaveProblem, plane_wave_problem
from hofstadter.models._abstract import AbstractContinuum
from hofstadter.models.continuum import Continuum
from hofstadter.models.heavy_fermions import HeavyFermions
from hofstadter.models.tight_binding import TightBinding


@overload
def at_flux(model: TightBinding, flux: FluxLike, *, cells: int | None = None) -> TightBindingProblem: ...
@overload
def at_flux(
    model: Continuum,
    flux: FluxLike,
    *,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    plane_waves: int | None = None,
    rtol: float = 1e-11,
) -> LandauProblem | PlaneWaveProblem: ...
@overload
def at_flux(
    model: HeavyFermions,
    flux: FluxLike,
    *,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    plane_waves: int | None = None,
    rtol: float = 1e-11,
) -> HeavyFermionProblem | HeavyFermionWaveProblem: ...
@overload
def at_flux(
    model: AbstractContinuum,
    flux: FluxLike,
    *,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    plane_waves: int | None = None,
    rtol: float = 1e-11,
) -> AbstractTruncatedProblem: ...
def at_flux(
    model: TightBinding | AbstractContinuum,
    flux: FluxLike,
    *,
    cells: int | None = None,
    levels: int | None = None,
    bands_per_cell: int | None = None,
    plane_waves: int | None = None,
    rtol: float = 1e-11,
) -> TightBindingProblem | AbstractTruncatedProblem:
    """Put a model in a magnetic field along +z.

    Args:
        model: A tight-binding, continuum or heavy fermion model.
        flux: p/q flux quanta per primitive cell: a `Flux`, a pair, a `Fraction`, an integer or a string like "1/3".
        cells: Tight binding only: size to pad the magnetic cell to, at least q; by default no padding.
        levels: Continuum only: Landau levels to keep; by default as many as the wanted bands need.
        bands_per_cell: Continuum only: how many bands per primitive cell are wanted on each side of the model's
            reference (the bottom, charge neutrality or the top of the spectrum); by default the model's own number.
        plane_waves: Continuum at zero flux only: plane waves per component; by default as many as the bands need.
        rtol: Continuum only: accuracy of the wanted energies relative to their range.

    Returns:
        The magnetic Bloch problem. Of a tight-binding model it has q × orbitals bands. Of a continuum model it has the
        wanted ones, numbered from the lowest of them; their error is its `cutoff_error`.

    Raises:
        ValueError: If p and q are not coprime, `cells` < q, `levels` is too small to hold the wanted bands, or a
            continuum model's flux is negative.
        TypeError: If the flux is a float.
    """
    flux = Flux.of(flux)
    if isinstance(model, TightBinding):
        return tight_binding_problem(model, flux, cells=cells)
    if flux.p < 0:
        raise fail("flux", "zero or positive for a continuum model", flux, "Reverse the valley instead of the field.")
    if isinstance(model, HeavyFermions):
        if flux.p == 0:
            return heavy_fermion_wave_problem(model, plane_waves=plane_waves, bands_per_cell=bands_per_cell, rtol=rtol)
        return heavy_fermion_problem(model, flux, levels=levels, bands_per_cell=bands_per_cell, rtol=rtol)
    if not isinstance(model, Continuum):
        raise TypeError(f"Argument `model` must be a model of this package, but is {model!r}.")
    if flux.p == 0:
        return plane_wave_problem(model, plane_waves=plane_waves, bands_per_cell=bands_per_cell, rtol=rtol)
    return landau_problem(model, flux, levels=levels, bands_per_cell=bands_per_cell, rtol=rtol)
