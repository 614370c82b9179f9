"""Quantum geometric tensor of a group of bands, at points and averaged over the magnetic zone.

    Q_ij = Tr[P ∂iP ∂jP] = g_ij − (i/2) ε_ij Ω,   g_ij = ½ Tr[∂iP ∂jP]

in Cartesian axes, with the true positions of all orbitals of the magnetic cell. g has the unit of an area. The Berry
curvature Ω is ∂x Ay − ∂y Ax with A = i⟨u|∂u⟩, so that ∫ Ω d²k / 2π over the magnetic zone is the Chern number.
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter import lattice
from hofstadter._checks import as_integer, fail, warn_if_single_precision
from hofstadter.geometry import averaging
from hofstadter.geometry.at_momenta import at_momenta
from hofstadter.geometry.projector import Eigenbasis, check_group, eigenbasis, group_mixing, velocity
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.topology.group_flux import direct_gap


def quantum_geometric_tensor(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Float[Array, "*batch 2"],
    *,
    memory_gb: float = 4.0,
    throw: bool = True,
) -> Complex[Array, "*batch xy xy"]:
    """Q_ij = Tr[P ∂iP ∂jP] of the bands [first, last) in Cartesian axes.

    Differentiable to any order in k and the model, also with degeneracies inside the group. Costs about three times the
    eigenvectors.

    Args:
        problem: From `hofstadter.at_flux`.
        bands: First band and the one after the last, counted from 0 at the bottom.
        k: Reduced momenta of any leading shape.
        memory_gb: Working memory; larger batches are done in pieces of that size.
        throw: Raise where the group touches another band, which leaves Q undefined. Without it, and under `jit`, `vmap`
            or `grad` always, Q is NaN there.

    Returns:
        The tensors, in units of the lattice vectors' length squared.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum, or `k` does not end in two components.
        hofstadter.CalculationError: With `throw`, if the group touches another band; the message names k.
    """
    return at_momenta(_tensor_at, problem, bands, k, memory_gb, throw)


def quantum_metric(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Float[Array, "*batch 2"],
    *,
    memory_gb: float = 4.0,
    throw: bool = True,
) -> Float[Array, "*batch xy xy"]:
    """g_ij = ½ Tr[∂iP ∂jP], the real part of `quantum_geometric_tensor`, which see for the arguments."""
    return quantum_geometric_tensor(problem, bands, k, memory_gb=memory_gb, throw=throw).real


def berry_curvature(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Float[Array, "*batch 2"],
    *,
    memory_gb: float = 4.0,
    throw: bool = True,
) -> Float[Array, "*batch"]:
    """Ω = −2 Im Q_xy per Cartesian area of momenta, summed over the group; arguments of `quantum_geometric_tensor`.

    Its integral over the magnetic zone is 2π C, with C = +1 for a Landau level.
    """
    return -2 * quantum_geometric_tensor(problem, bands, k, memory_gb=memory_gb, throw=throw)[..., 0, 1].imag


class ZoneAverage(eqx.Module):
    """Quantum geometry of a group of bands averaged over the magnetic zone. All numbers are NaN if the gap closes.

    Below, ⟨ ⟩ is the average and A the area of the magnetic cell, q |a1 × a2|.

    Attributes:
        metric: G_ij = ⟨g_ij⟩ in Cartesian axes.
        chern: ∫ Ω / 2π, an integer to the accuracy of the mesh.
        t_ratio: 2π ⟨tr g⟩ / A, never below |chern|.
        trace_violation: 2π ⟨tr g − |Ω|⟩ / A ≥ 0; zero for an ideal (vortexable) group.
        determinant_violation: 2π ⟨2 √det g − |Ω|⟩ / A ≥ 0; zero if the geometry is that of a Kähler map.
        metric_std: Standard deviation of 2π tr g / A over the zone.
        curvature_std: Standard deviation of 2π Ω / A over the zone.
        status: `Status` code: OK, GAP_CLOSED, MESH_TOO_COARSE or NOT_FINITE.
        min_gap: Smallest direct gap to the other bands that was seen.
        min_gap_k: Reduced momentum where it was seen.
        change: Change of G in the last doubling of the mesh, relative to its trace. It overestimates the error, which
            falls exponentially. NaN for a mesh of given size.
        points: Momenta per direction in [0, 1/q)².
    """

    metric: Float[Array, "xy xy"]
    chern: Float[Array, ""]
    t_ratio: Float[Array, ""]
    trace_violation: Float[Array, ""]
    determinant_violation: Float[Array, ""]
    metric_std: Float[Array, ""]
    curvature_std: Float[Array, ""]
    status: Int[Array, ""]
    min_gap: Float[Array, ""]
    min_gap_k: Float[Array, " 2"]
    change: Float[Array, ""]
    points: int = eqx.field(static=True)


def zone_average(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    *,
    points: int | None = None,
    rtol: float = 1e-10,
    max_points: int = 256,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> ZoneAverage:
    """Average the quantum geometry of the bands [first, last) over the magnetic zone.

    With true positions everything repeats with period 1/q in k1 and k2, so n × n momenta in [0, 1/q)² give what
    `problem.mesh(n q, n)` gives. For a separated group the error falls exponentially with n; n is
    doubled until G settles.

    Args:
        problem: From `hofstadter.at_flux`.
        bands: First band and the one after the last, counted from 0 at the bottom.
        points: Momenta per direction in [0, 1/q)²; by default doubled until converged. Needed under `jit` and `grad`.
        rtol: Largest accepted change of G in the last doubling, relative to its trace.
        max_points: Where to stop doubling.
        memory_gb: Working memory.
        throw: Raise if the status is not OK. Outside `jit` only.

    Returns:
        The averages with their status.

    Raises:
        ValueError: If the band range is empty or outside of the spectrum.
        hofstadter.CalculationError: With `throw`, if the group touches another band or the mesh is too coarse.
    """
    warn_if_single_precision()
    bands = check_group(problem, bands)
    if points is not None:
        points = as_integer("points", points, minimum=1)
    if not memory_gb > 0:
        raise fail("memory_gb", "positive", memory_gb)
    average = functools.partial(_average, problem, bands, memory_gb)
    return averaging.converge(ZoneAverage, problem, bands, average, points, rtol, max_points, throw)


def one_tensor(
    problem: AbstractMagneticBlochProblem, bands: tuple[int, int], k: Float[Array, " 2"]
) -> tuple[Complex[Array, "xy xy"], Eigenbasis]:
    """Q at a single momentum, and the eigenbasis there."""
    matrix, change = problem.matrix(k), velocity(problem, k)
    basis = eigenbasis(matrix, change)
    mixing = group_mixing(bands, basis, matrix, change)
    return cartesian(problem, jnp.einsum("iab,jab->ij", mixing.conj(), mixing)), basis


def cartesian(problem: AbstractMagneticBlochProblem, tensor: Array) -> Array:
    """Turn derivatives in k1 and k2 into Cartesian ones: k = k1 b1 + k2 b2 gives ∂x = Σ_i (a_i)_x ∂_i / 2π."""
    axes = (problem.vectors / (2 * jnp.pi)).astype(tensor.dtype)
    return axes.T @ tensor @ axes


def _tensor_at(problem, bands, k):
    return one_tensor(problem, bands, k)[0]


def _average(problem, bands, memory_gb, points) -> tuple[dict[str, Any], averaging.Gaps]:
    k = averaging.meshes(problem, points, points)[1]
    samples = averaging.over_mesh(_tile, problem, bands, k, memory_gb)
    return _summarize(problem, k, samples)


def _tile(problem, bands, k):
    tensors, basis = jax.vmap(lambda point: one_tensor(problem, bands, point))(k)
    return tensors, direct_gap(basis.energies, bands), basis.closed_gap


def _summarize(problem, k, samples) -> tuple[dict[str, Any], averaging.Gaps]:
    xp = averaging.array_module(problem, k, samples)
    area, q, k = (xp.asarray(x) for x in (lattice.cell_area(problem.vectors), problem.q, k))
    tensors = samples[0].reshape(-1, 2, 2)
    gaps = averaging.Gaps(k, *(x.reshape(k.shape[:2]) for x in samples[1:]))
    unit = 2 * np.pi / (xp.abs(area) * q.astype(area.dtype))
    metric, curvature = tensors.real, -2 * tensors[:, 0, 1].imag
    trace = metric[:, 0, 0] + metric[:, 1, 1]
    determinant = metric[:, 0, 0] * metric[:, 1, 1] - metric[:, 0, 1] ** 2
    mean = xp.mean(metric, axis=0)
    fields = {
        "metric": mean,
        "chern": unit * xp.mean(curvature),
        "t_ratio": unit * xp.mean(trace),
        "trace_violation": unit * xp.mean(trace - xp.abs(curvature)),
        "determinant_violation": unit * xp.mean(2 * _root(xp, determinant) - xp.abs(curvature)),
        "metric_std": unit * _deviation(xp, trace),
        "curvature_std": unit * _deviation(xp, curvature),
    }
    return fields, gaps


def _deviation(xp, values):
    return _root(xp, xp.mean((values - xp.mean(values)) ** 2))


def _root(xp, values):
    """Square root with derivative zero where it vanishes, and where rounding has made it negative."""
    positive = values > 0
    return xp.where(positive, xp.sqrt(xp.where(positive, values, 1)), 0)
