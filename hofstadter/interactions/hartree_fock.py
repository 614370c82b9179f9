"""Self-consistent Hartree–Fock states of electrons in a few bands at any flux, translations kept or broken by the cell.

The density matrix P(k)_mn = ⟨c†_n(k) c_m(k)⟩ holds all flavors, so that they may mix. It moves towards the lowest
eigenstates P' of the Fock matrix F[P] by the best step on the line between them,

    P ← P + λ (P' − P),   E(λ) = E + λ tr F[P](P' − P) + (λ²/2) tr (F[P'] − F[P])(P' − P),

the optimal damping of Cancès and Le Bris, Int. J. Quantum Chem. 79, 82 (2000): E never rises, since F is linear in P.
Where Pulay's extrapolation of the Fock matrix (DIIS) leads no higher, that step is taken instead: it ends in
a few steps what damping alone would take hundreds for. All starting points run at once.
"""

from fractions import Fraction
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Int, PRNGKeyArray

from hofstadter._checks import as_integer, fail
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.errors import Status
from hofstadter.interactions.interacting_bands import DensityMatrix, InteractingBands

# Steps that Pulay's extrapolation looks back, and what keeps the matrix of their products from being singular.
MEMORY = 8
PULAY_RIDGE = 1e-13


class MeanField(eqx.Module):
    """Hartree–Fock states, one for each starting point.

    Attributes:
        density: Density matrices P(k).
        energies: Eigenvalues of the Fock matrix at each momentum, ascending: charge −1 and +1 excitations.
        orbitals: Its eigenvectors, as columns.
        occupied: Which of them are filled.
        energy: ⟨H⟩ per primitive cell.
        gap: Lowest empty minus highest filled energy; indirect.
        residual: Largest entry of F P − P F relative to the largest of F.
        history: Energy per cell at each step, constant after the last one.
        steps: Number of steps.
        status: OK, HARTREE_FOCK_NOT_CONVERGED, or GAP_CLOSED for a metal.
    """

    density: Complex[Array, "start point orbital orbital"]
    energies: Float[Array, "start point orbital"]
    orbitals: Complex[Array, "start point orbital orbital"]
    occupied: Bool[Array, "start point orbital"]
    energy: Float[Array, " start"]
    gap: Float[Array, " start"]
    residual: Float[Array, " start"]
    history: Float[Array, "start step"]
    steps: Int[Array, " start"]
    status: Int[Array, " start"]

    def best(self) -> int:
        """The starting point that led to the lowest energy, of those that converged if any did."""
        failed = self.status == int(Status.HARTREE_FOCK_NOT_CONVERGED)
        return int(jnp.lexsort((self.energy, failed))[0])


def hartree_fock(
    bands: InteractingBands,
    filling: Fraction | int | str,
    starts: Complex[Array, "*start point orbital orbital"],
    *,
    max_steps: int = 500,
    rtol: float = 1e-7,
) -> MeanField:
    """Hartree–Fock states at fixed filling.

    Args:
        bands: From `interacting_bands`.
        filling: Electrons per primitive cell from half filling of the bands, such as 2, "-1" or "3/4". On the gap
            (s, t) of a flux p/q it is s + t p/q.
        starts: One field or several that choose the starting points: the lowest eigenstates of each are filled first.
            From `flavor_field`, `component_field` and `random_field`, or sums of them. Minus a density matrix goes on
            from there.
        max_steps: Most steps from each starting point.
        rtol: Largest entry of F P − P F at which to stop, relative to the largest of F, and at least a hundred times
            the rounding. The energy's relative error is its square, but for modes that cost next to nothing, along
            which states may still turn.

    Returns:
        A state per starting point, `status` saying whether it converged. Only states that keep the translations of the
        mesh's own magnetic cell are looked for.

    Raises:
        ValueError: If the filling does not give a whole number of electrons in the sample, or more than the bands hold.
    """
    steps = as_integer("max_steps", max_steps, minimum=1)
    shape = (bands.points, bands.orbitals, bands.orbitals)
    starts = jnp.asarray(starts).astype(bands.kernel.dtype)
    if starts.ndim == 3:
        starts = starts[None]
    if starts.ndim != 4 or starts.shape[1:] != shape:
        raise fail("starts", f"of shape (start, {shape[0]}, {shape[1]}, {shape[2]})", f"of shape {starts.shape}")
    with single_threaded_blas():
        return _solve(bands, electrons(bands, filling), starts, steps, rtol)


def electrons(bands: InteractingBands, filling: Fraction | int | str) -> int:
    """Number of electrons in the sample's bands at a filling per cell counted from half of them.

    Raises:
        ValueError: If it is not whole, or more than the bands hold.
    """
    most = bands.points * bands.orbitals
    number = Fraction(filling) * int(bands.cells) + Fraction(most, 2)
    if number.denominator != 1:
        hint = "A filling s + t p/q always does; otherwise take a larger mesh."
        raise fail("filling", f"a whole number of electrons in {int(bands.cells)} cells", filling, hint)
    if not 0 < number < most:
        raise fail("filling", f"between −{most / 2 / int(bands.cells):g} and its opposite", filling)
    return int(number)


class _Iterate(NamedTuple):
    """Where all starting points are, and the Fock matrices and commutators of the last steps."""

    density: Complex[Array, "start point orbital orbital"]
    matrix: Complex[Array, "start point orbital orbital"]
    energy: Float[Array, " start"]
    residual: Float[Array, " start"]
    steps: Int[Array, " start"]
    history: Float[Array, "start step"]
    matrices: Complex[Array, "memory start point orbital orbital"]
    errors: Complex[Array, "memory start point orbital orbital"]
    number: Int[Array, ""]


@eqx.filter_jit
def _solve(bands: InteractingBands, count: int, starts: Array, max_steps: int, rtol: float) -> MeanField:
    fock, energy_of = jax.vmap(bands.fock), jax.vmap(bands.energy)
    rtol = max(rtol, 100 * float(jnp.finfo(starts.dtype).eps))

    def step(now: _Iterate) -> _Iterate:
        running = now.residual > rtol
        slot = now.number % MEMORY
        matrices = now.matrices.at[slot].set(now.matrix)
        errors = now.errors.at[slot].set(_commutator(now.matrix, now.density))
        mixed = _extrapolated(matrices, errors, jnp.minimum(now.number + 1, MEMORY))
        # Both diagonalizations in one call: two side by side can deadlock XLA's CPU threads.
        targets = _aufbau(jnp.concatenate([now.matrix, mixed]), count).density
        straight, jump = jnp.split(targets, 2)
        change = straight - now.density
        response = fock(straight) - now.matrix
        slope, curvature = _traces(now.matrix, change), _traces(response, change)
        best = jnp.where(slope + curvature <= 0, 1.0, -slope / jnp.where(curvature > 0, curvature, 1.0))
        fraction = jnp.clip(best, 0, 1)[:, None, None, None]
        damped = now.density + fraction * change
        energies = jnp.stack([now.energy, energy_of(damped), energy_of(jump)])
        rounding = 8 * jnp.finfo(energies.dtype).eps * bands.points * bands.orbitals * _size(now.matrix)
        # The jump is taken whenever it is not worse, for it converges where the energy is flat to rounding.
        choice = jnp.where(energies[2] <= jnp.minimum(energies[0], energies[1]) + rounding, 2, 1)
        choice = jnp.where(running, choice, 0)
        density = _chosen(choice, (now.density, damped, jump))
        matrix = _chosen(choice, (now.matrix, now.matrix + fraction * response, fock(jump)))
        energy = jnp.take_along_axis(energies, choice[None], axis=0)[0]
        return _Iterate(
            density=density,
            matrix=matrix,
            energy=energy,
            residual=_size(_commutator(matrix, density)) / _size(matrix),
            steps=now.steps + running,
            history=jnp.where(jnp.arange(max_steps)[None, :] >= now.number, energy[:, None], now.history),
            matrices=matrices,
            errors=errors,
            number=now.number + 1,
        )

    density = _aufbau(starts, count).density
    matrix, energy = fock(density), energy_of(density)
    memory = jnp.zeros((MEMORY, *starts.shape), starts.dtype)
    first = _Iterate(
        density=density,
        matrix=matrix,
        energy=energy,
        residual=jnp.full_like(energy, jnp.inf),
        steps=jnp.zeros(energy.shape, int),
        history=jnp.broadcast_to(energy[:, None], (energy.shape[0], max_steps)),
        matrices=memory,
        errors=memory,
        number=jnp.zeros((), int),
    )
    last = jax.lax.while_loop(lambda now: (now.number < max_steps) & jnp.any(now.residual > rtol), step, first)
    found = _aufbau(last.matrix, count)
    status = jnp.where(found.gap > 0, int(Status.OK), int(Status.GAP_CLOSED))
    status = jnp.where(last.residual > rtol, int(Status.HARTREE_FOCK_NOT_CONVERGED), status).astype(jnp.int32)
    cells = bands.cells.astype(energy.dtype)
    return MeanField(
        density=last.density,
        energies=found.energies,
        orbitals=found.orbitals,
        occupied=found.occupied,
        energy=last.energy / cells,
        gap=found.gap,
        residual=last.residual,
        history=last.history / cells,
        steps=last.steps,
        status=status,
    )


def _extrapolated(
    matrices: Complex[Array, "memory start point orbital orbital"],
    errors: Complex[Array, "memory start point orbital orbital"],
    filled: Int[Array, ""],
) -> Complex[Array, "start point orbital orbital"]:
    """Σ c_i F_i with Σ c_i = 1 and the smallest Σ c_i [F_i, P_i] (Pulay, J. Comput. Chem. 3, 556 (1982))."""
    products = jnp.einsum("iakmn,jakmn->aij", errors.conj(), errors).real
    there = jnp.arange(MEMORY) < filled
    largest = jnp.max(jnp.where(there, jnp.diagonal(products, axis1=1, axis2=2), 0), axis=1)[:, None, None]
    # Rounding and the entries not filled yet would make the matrix singular.
    scaled = jnp.where(there[:, None] & there[None, :], products / jnp.where(largest > 0, largest, 1), 0)
    ridge = jnp.where(there, PULAY_RIDGE, 1.0).astype(scaled.dtype)
    weights = jnp.linalg.solve(scaled + jnp.diag(ridge), there.astype(scaled.dtype)[:, None])[..., 0]
    weights = weights / jnp.sum(weights, axis=1, keepdims=True)
    return jnp.einsum("ai,iakmn->akmn", weights.astype(matrices.dtype), matrices)


def _chosen(choice: Int[Array, " start"], options: tuple[Array, ...]) -> Array:
    """For each start its own one of several arrays."""
    return jnp.select([choice[:, None, None, None] == i for i in range(len(options))], options)


class _Aufbau(NamedTuple):
    """The lowest eigenstates of a field, filled."""

    density: Complex[Array, "start point orbital orbital"]
    energies: Float[Array, "start point orbital"]
    orbitals: Complex[Array, "start point orbital orbital"]
    occupied: Bool[Array, "start point orbital"]
    gap: Float[Array, " start"]


def _aufbau(field: Complex[Array, "start point orbital orbital"], count: int) -> _Aufbau:
    energies, orbitals = dense.eigensystem(field)
    flat = energies.reshape(energies.shape[0], -1)
    ordered = jnp.sort(flat, axis=1)
    rank = jnp.argsort(jnp.argsort(flat, axis=1), axis=1)
    occupied = (rank < count).reshape(energies.shape)
    density = jnp.einsum("akmi,aki,akni->akmn", orbitals, occupied.astype(orbitals.dtype), orbitals.conj())
    return _Aufbau(density, energies, orbitals, occupied, ordered[:, count] - ordered[:, count - 1])


def _traces(a: Complex[Array, "start point n n"], b: Complex[Array, "start point n n"]) -> Float[Array, " start"]:
    return jnp.einsum("akmn,aknm->a", a, b).real


def _commutator(matrix: Array, density: Array) -> Array:
    return matrix @ density - density @ matrix


def _size(matrix: Array) -> Float[Array, " start"]:
    return jnp.max(jnp.abs(matrix), axis=(1, 2, 3))


def flavor_field(bands: InteractingBands, energies: Float[Array, "valley spin"]) -> DensityMatrix:
    """A start in which flavors (valley, spin) are filled in the order of these energies."""
    each = jnp.asarray(energies, bands.kinetic.dtype)
    if each.shape != (bands.valleys, bands.spins):
        raise fail("energies", f"of shape ({bands.valleys}, {bands.spins})", f"of shape {each.shape}")
    diagonal = jnp.repeat(each.reshape(-1), bands.kinetic.shape[-1])
    return jnp.broadcast_to(jnp.diag(diagonal), (bands.points, bands.orbitals, bands.orbitals)).astype(
        bands.kernel.dtype
    )


def random_field(
    bands: InteractingBands, key: PRNGKeyArray, *, mix_valleys: bool = True, mix_spins: bool = True
) -> DensityMatrix:
    """A start without any order: independent Gaussian numbers at each momentum, of variance 1.

    Args:
        bands: The bands.
        key: JAX's random key.
        mix_valleys: Whether valleys are mixed; an iteration never mixes them by itself.
        mix_spins: Whether spins are mixed; an iteration never mixes them by itself.
    """
    shape = (bands.points, bands.orbitals, bands.orbitals)
    real, imaginary = jax.random.normal(key, (2, *shape), bands.kinetic.dtype)
    field = jax.lax.complex(real, imaginary)
    orbital = jnp.arange(bands.orbitals)
    size = bands.kinetic.shape[-1]
    valley, spin = orbital // (size * bands.spins), orbital // size % bands.spins
    allowed = jnp.ones((bands.orbitals, bands.orbitals), bool)
    if not mix_valleys:
        allowed &= valley[:, None] == valley[None, :]
    if not mix_spins:
        allowed &= spin[:, None] == spin[None, :]
    return jnp.where(allowed, field + field.conj().swapaxes(-1, -2), 0) / 2


def component_field(bands: InteractingBands, weights: Float[Array, " component"]) -> DensityMatrix:
    """A start that prefers components of a continuum model's wave function, such as the sublattices of graphene.

    Args:
        bands: The bands.
        weights: Energy of each component.
    """
    each = jnp.asarray(weights, bands.kinetic.dtype)
    blocks = []
    for kind in bands.bands.kinds:
        points, rows, size = kind.states.shape
        if rows % len(each):
            raise fail("weights", "one number for each component of the model", weights)
        parts = kind.states.reshape(points, len(each), -1, size)
        blocks.append(jnp.einsum("c,kcrm,kcrn->kmn", each.astype(parts.dtype), parts.conj(), parts))
    return bands.same_for_spins(jnp.stack(blocks))
