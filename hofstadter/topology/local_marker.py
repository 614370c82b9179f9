"""Local Chern marker of a finite patch with open boundaries: topology without momenta.

With the projector P on the filled states of the patch, Bianco and Resta, Phys. Rev. B 84, 241106 (2011), Eq. (11),
define

    C(r) = −(4π/Ω) Im ⟨r| P x Q y P |r⟩ = (4π/Ω) Im ⟨r| P x P y P |r⟩,   Q = 1 − P,

per cell of area Ω, with the sign that gives a filled Landau level +1. Deep inside the patch
the sum over the orbitals of a cell is the Chern number of the gap, up to corrections that fall exponentially with the
distance to the edge. Near the edge it is whatever makes the sum over the whole patch vanish.
"""

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import as_integer, check_finite, fail, is_concrete, warn_if_single_precision
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import CalculationError, Status
from hofstadter.flux import Flux, FluxLike
from hofstadter.magnetic.translations import turns_to_phase
from hofstadter.models.tight_binding import TightBinding

# Bulk averages that far from an integer, or bulk cells that differ that much, belong to a metal or to a patch that is
# not much larger than the decay length of P.
MAX_RESIDUAL = 0.1
MAX_SPREAD = 0.2
# Part of Σ|P(r, r')|² that an orbital r in the middle has outside of the inner half. It falls exponentially with the
# size of the patch in an insulator, and as its inverse in a metal.
MAX_TAIL = 0.01


class LocalChernMarker(eqx.Module):
    """Local Chern marker on a patch.

    Attributes:
        marker: C(r) of each orbital; summed over the orbitals of a cell it is the marker of the cell.
        bulk: Average over the cells of the inner half of each direction.
        spread: Standard deviation over these cells.
        fermi_gap: Distance from the highest filled to the lowest empty level of the patch. Edge states make it small.
        tail: Part of Σ|P(r, r')|² that orbitals r of the central cell have outside of the inner half: small if P is
            local.
        filled: Number of filled states.
        status: `Status` code: OK; PATCH_TOO_SMALL if `bulk` is no integer within 0.1 or not the same in all bulk cells,
            or P not local, so that the patch is too small or the Fermi energy in a band; NOT_FINITE.
    """

    marker: Float[Array, "cells1 cells2 orbital"]
    bulk: Float[Array, ""]
    spread: Float[Array, ""]
    fermi_gap: Float[Array, ""]
    tail: Float[Array, ""]
    filled: Int[Array, ""]
    status: Int[Array, ""]


def local_chern_marker(
    model: TightBinding,
    flux: FluxLike | float,
    *,
    cells: Sequence[int] = (24, 24),
    fermi_energy: float | Array | None = None,
    filling: float | None = None,
    throw: bool = False,
) -> LocalChernMarker:
    """Local Chern marker of a patch of cells[0] × cells[1] primitive cells with open boundaries.

    One dense diagonalization of all orbitals of the patch. The field may have any strength: no magnetic cell has to
    fit.

    Args:
        model: A tight-binding model.
        flux: Flux quanta per primitive cell, p/q as for `at_flux` or any real number.
        cells: Primitive cells along a1 and a2.
        fermi_energy: States below it are filled. Put it into a gap of the bulk.
        filling: Electrons per primitive cell, instead of the Fermi energy. The nearest whole number of the lowest
            states of the patch is filled, which includes edge states.
        throw: Raise if the status is not OK. Outside `jit` only.

    Returns:
        The marker, its bulk average and status.

    Raises:
        ValueError: If the patch is too small to have a bulk, or not exactly one of `fermi_energy` and `filling` is
            given.
        hofstadter.CalculationError: With `throw`, if the bulk average is no integer.

    Examples:
        >>> import hofstadter as hof
        >>> marker = hof.local_chern_marker(hof.models.square(), "1/4", cells=(16, 16), fermi_energy=-2.0)
        >>> bool(abs(marker.bulk - 1) < 0.05)
        True
    """
    warn_if_single_precision()
    if not isinstance(model, TightBinding):
        raise fail("model", "a tight-binding model", f"the continuum model {model.name!r}")
    try:
        n1, n2 = cells
    except (TypeError, ValueError):
        raise fail("cells", "a pair (cells along a1, cells along a2)", repr(cells)) from None
    n1, n2 = (as_integer("cells", n, minimum=4) for n in (n1, n2))
    if (fermi_energy is None) == (filling is None):
        raise ValueError("Exactly one of the arguments `fermi_energy` and `filling` must be given.")
    count = None
    if filling is not None:
        if not 0 <= filling <= model.orbitals:
            raise fail("filling", f"between 0 and {model.orbitals}", filling)
        count = round(filling * n1 * n2)
    if not isinstance(flux, float):
        flux = Flux.of(flux)
        flux = flux.p / flux.q
    check_finite("flux", flux)
    turns = jnp.asarray(flux, model.positions.dtype)
    level = None if fermi_energy is None else jnp.asarray(fermi_energy, model.positions.dtype)
    if not is_concrete(model, level):
        return _marker(model, turns, (n1, n2), level, count)
    with single_threaded_blas():
        result = jax.block_until_ready(_marker(model, turns, (n1, n2), level, count))
    if throw and int(result.status) != Status.OK:
        where = f"Bulk average {float(result.bulk):.4g}, spread {float(result.spread):.2g}"
        raise CalculationError(Status(int(result.status)), where)
    return result


def patch_matrix(
    model: TightBinding, flux: Float[Array, ""], cells: tuple[int, int]
) -> tuple[Complex[Array, "site site"], Float[Array, "site 2"]]:
    """H of the patch, and the positions of its orbitals in units of a1 and a2.

    Orbital i of cell (c1, c2) is site (c1 n2 + c2) orbitals + i. A hop from x' to x carries exp[2πi flux (x1 − x1')(x2
    + x2')/2], the straight bond in the gauge of `magnetic.translations`.
    """
    n1, n2 = cells
    cell = np.stack(np.meshgrid(np.arange(n1), np.arange(n2), indexing="ij"), axis=-1).reshape(-1, 2)
    positions = (jnp.asarray(cell, model.positions.dtype)[:, None] + model.positions).reshape(-1, 2)
    target, source, hop = [], [], []
    for number, (i, j, r1, r2) in enumerate(model.hops):
        other = cell + np.array([r1, r2])
        inside = ((other >= 0) & (other < [n1, n2])).all(axis=1)
        target.append((cell[inside] @ [n2, 1]) * model.orbitals + i)
        source.append((other[inside] @ [n2, 1]) * model.orbitals + j)
        hop.append(np.full(inside.sum(), number))
    sites = positions.shape[0]
    diagonal = jnp.diag(jnp.tile(model.onsite, n1 * n2)).astype(model.amplitudes.dtype)
    if not hop:
        return diagonal, positions
    row, column, number = np.concatenate(target), np.concatenate(source), np.concatenate(hop)
    bond, middle = positions[row, 0] - positions[column, 0], (positions[row, 1] + positions[column, 1]) / 2
    values = model.amplitudes[number] * turns_to_phase(flux * bond * middle)
    half = jnp.zeros((sites, sites), values.dtype).at[row, column].add(values)
    return half + half.conj().T + diagonal, positions


@eqx.filter_jit
def _marker(model, flux, cells, fermi_energy, count) -> LocalChernMarker:
    matrix, positions = patch_matrix(model, flux, cells)
    energies, states = dense.eigensystem(matrix)
    level = jnp.arange(energies.shape[0])
    filled = level < count if fermi_energy is None else energies < fermi_energy
    projector = (states * filled.astype(states.dtype)) @ states.conj().T
    # x1 and x2 in place of x and y make the area of the cell the unit.
    x1, x2 = (positions - jnp.mean(positions, axis=0)).astype(states.dtype).T
    left = (projector * x1) @ projector
    diagonal = jnp.sum((left * x2) * projector.T, axis=-1).imag
    marker = (4 * jnp.pi * diagonal).reshape(*cells, model.orbitals)
    n1, n2 = cells
    inner = jnp.sum(marker, axis=-1)[n1 // 4 : n1 - n1 // 4, n2 // 4 : n2 - n2 // 4]
    bulk, spread = jnp.mean(inner), jnp.std(inner)
    tail = _tail(projector, cells, model.orbitals)
    number = jnp.sum(filled)
    top = jnp.clip(number, 1, energies.shape[0] - 1)
    good = (jnp.abs(bulk - jnp.round(bulk)) < MAX_RESIDUAL) & (spread < MAX_SPREAD) & (tail < MAX_TAIL)
    status = jnp.where(good, int(Status.OK), int(Status.PATCH_TOO_SMALL))
    status = jnp.where(jnp.all(jnp.isfinite(energies)), status, int(Status.NOT_FINITE)).astype(jnp.int32)
    finite = jnp.where(status == int(Status.NOT_FINITE), jnp.nan, 1)
    return LocalChernMarker(
        marker=marker * finite,
        bulk=bulk * finite,
        spread=spread * finite,
        fermi_gap=energies[top] - energies[top - 1],
        tail=tail * finite,
        filled=number,
        status=status,
    )


def _tail(projector, cells, orbitals):
    """Part of the weight of P in the rows of the central cell that lies outside of the inner half of the patch."""
    (n1, n2), middle = cells, (cells[0] // 2 * cells[1] + cells[1] // 2) * orbitals
    weight = jnp.sum(jnp.abs(projector[middle : middle + orbitals]) ** 2, axis=0).reshape(n1, n2, orbitals)
    inner = weight[n1 // 4 : n1 - n1 // 4, n2 // 4 : n2 - n2 // 4]
    total = jnp.sum(weight)
    return jnp.where(total > 0, 1 - jnp.sum(inner) / jnp.where(total > 0, total, 1), 0)
