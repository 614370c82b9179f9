"""Density form factors of a group of bands, for every momentum transfer between points of a mesh.

    M_mn(k, p) = ⟨ψ_m(k + p)| exp(ip·r) |ψ_n(k)⟩,   M(k, 0) = 1,   M(k, p)† = M(k + p, −p),

with p = k' − k + G for k and k' in the magnetic zone. They come from `apply_plane_wave` alone, so they hold the true
positions and Landau levels at any flux and for any model. With the states that the solver returns they are periodic in
k; their phases (a unitary matrix of the group at each k) are those of the solver's eigenvectors, and every quantity
built from closed products of them does not depend on these.

All of them between two sets of k cost little more than one matrix product per pair, since plane waves commute:

    M(k, G − δ) = [exp(−iG·r) ψ(k')]† [exp(−iδ·r) ψ(k)],   δ = k − k' folded to one zone,

and where both are the same mesh, perhaps shifted, there are only as many δ as points. `transfers` lists them in blocks
of final momenta, so that no more than a block of the table is ever in memory.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter import lattice
from hofstadter._checks import as_integer, fail
from hofstadter.eigensolver.pieces import in_pieces
from hofstadter.eigensolver.spectrum import solve
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.magnetic import landau_basis


class ProjectedBands(eqx.Module):
    """A group of bands at some momenta, with room for plane waves to act on it.

    Attributes:
        problem: The magnetic Bloch problem.
        bands: The group, as a half-open range.
        k: Reduced momenta.
        energies: Their energies, ascending.
        states: Columns span the group; `problem.widened`.
        status: `Status` of each momentum.
    """

    problem: AbstractMagneticBlochProblem
    bands: tuple[int, int] = eqx.field(static=True)
    k: Float[Array, "point 2"]
    energies: Float[Array, "point band"]
    states: Complex[Array, "point wide band"]
    status: Int[Array, " point"]

    @property
    def area(self) -> Float[Array, ""]:
        """Area of the sample whose momenta these are, if they are a mesh of the magnetic zone: q cells each."""
        return self.k.shape[0] * self.problem.q * lattice.cell_area(self.problem.vectors)

    @property
    def patch(self) -> Float[Array, ""]:
        """Area of momentum space that each of them stands for."""
        return 4 * jnp.pi**2 / self.area

    def __getitem__(self, index) -> "ProjectedBands":
        """Some of the momenta."""
        parts = (self.k[index], self.energies[index], self.states[index], self.status[index])
        return ProjectedBands(self.problem, self.bands, *parts)


def project(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    k: Float[Array, "*batch 2"],
    *,
    memory_gb: float = 4.0,
) -> ProjectedBands:
    """Solve for a group of bands on an array of momenta, flattened.

    Args:
        problem: The magnetic Bloch problem.
        bands: Half-open range of bands, as `hofstadter.chern` takes it.
        k: Reduced momenta, e.g. `problem.mesh(12, 12)`, or that mesh shifted by any vector.
        memory_gb: Working memory of the diagonalization.

    Raises:
        ValueError: If the bands are not in the spectrum.
    """
    first, last = (as_integer("bands", b, minimum=0) for b in bands)
    if not first < last <= problem.returned_bands:
        raise fail("bands", f"a range within (0, {problem.returned_bands})", bands)
    flat = jnp.asarray(k).reshape(-1, 2)
    spectrum = solve(problem, flat, memory_gb=memory_gb)
    assert spectrum.states is not None
    reach = float(np.linalg.norm(_zone_corner(problem)))
    wide = problem.widened(spectrum.states[..., first:last], reach)
    return ProjectedBands(problem, (first, last), flat, spectrum.energies[:, first:last], wide, spectrum.status)


class Transfers(eqx.Module):
    """Which momenta lead to which, in blocks of final ones. Block b takes `initial[b, f, d]` to `final[b, f]`.

    Attributes:
        final: Indices of final momenta k'.
        initial: Indices of initial momenta k.
        steps: k − k' folded to one zone, the same for all k'.
        reciprocal: Vectors G of the magnetic reciprocal lattice that any |G − δ| ≤ cutoff needs.
        cutoff: Largest |p| that counts, an inverse length.
    """

    final: Int[Array, "block f"]
    initial: Int[Array, "block f d"]
    steps: Float[Array, "d 2"]
    reciprocal: Float[Array, "g 2"]
    cutoff: Float[Array, ""]


def transfers(initial: ProjectedBands, final: ProjectedBands, cutoff: float, *, memory_gb: float = 4.0) -> Transfers:
    """All momentum transfers from some momenta to those of a mesh.

    Args:
        initial: The momenta k: those of the mesh, or of the mesh shifted by one vector.
        final: The mesh.
        cutoff: Largest |p|, an inverse length.
        memory_gb: Working memory of a block.

    Raises:
        ValueError: If the two meshes differ by more than a shift.
    """
    problem = final.problem
    k, mesh = np.asarray(initial.k), np.asarray(final.k)
    reciprocal = reciprocal_vectors_within(problem, cutoff)
    if len(k) != len(mesh) or _on_mesh(initial, k[:1] + mesh - mesh[0], float(problem.q)) is None:
        raise fail("initial", "the mesh or the mesh shifted by one vector", f"{len(k)} other momenta")
    steps = _folded(problem, k[0] + mesh - mesh[0] - mesh[0])
    sources = points_after(final, initial, steps).T
    block = _divisor(len(mesh), _most_finals(initial, len(reciprocal), memory_gb))
    blocks = len(mesh) // block
    return Transfers(
        final=jnp.arange(len(mesh)).reshape(blocks, block),
        initial=jnp.asarray(sources).reshape(blocks, block, -1),
        steps=jnp.asarray(steps),
        reciprocal=jnp.asarray(reciprocal, problem.vectors.dtype),
        cutoff=jnp.asarray(cutoff, problem.vectors.dtype),
    )


def block_of_form_factors(
    initial: ProjectedBands, final: ProjectedBands, moves: Transfers, block: Int[Array, ""]
) -> tuple[Complex[Array, "f d g m n"], Float[Array, "d g 2"]]:
    """Form factors M(k, p) of one block, indexed by k', δ and G, and the reduced momenta p = G − δ.

    Args:
        initial: The group at all k.
        final: The group at all k'.
        moves: `transfers` from the one to the other.
        block: Number of the block.
    """
    apply = final.problem.apply_plane_wave
    here, ends = final.k[moves.final[block]], final.states[moves.final[block]]
    # One plane wave acts on all momenta at once, so that its matrix is made once.
    bras = jax.lax.map(lambda g: jax.vmap(lambda k, bra: apply(k, g, bra))(here, ends), moves.reciprocal)
    starts = jnp.moveaxis(moves.initial[block], 0, 1)
    kets = jax.lax.map(
        lambda step: jax.vmap(lambda k, ket: apply(k, step[0], ket))(here, initial.states[step[1]]),
        (moves.steps, starts),
    )
    factors = jnp.einsum("gfbm,dfbn->fdgmn", bras.conj(), kets, optimize="optimal")
    return factors, moves.reciprocal[None, :, :] - moves.steps[:, None, :]


def weights(
    interaction: AbstractInteraction, mesh: ProjectedBands, momenta: Float[Array, "*batch 2"], cutoff: Float[Array, ""]
) -> Float[Array, "*batch"]:
    """V(p) divided by the area of the sample, zero beyond the cut-off; in energy."""
    length = jnp.linalg.norm(momenta @ lattice.reciprocal_vectors(mesh.problem.vectors), axis=-1)
    # Momenta at the very cut-off are kept, whichever way they were rounded.
    inside = length <= cutoff * (1 + 1e-9)
    return jnp.where(inside, interaction(length, mesh.patch) / mesh.area, 0)


def form_factors(
    bands: ProjectedBands, momenta: Float[Array, "momentum 2"], *, memory_gb: float = 4.0
) -> Complex[Array, "momentum point m n"]:
    """Form factors M(k, p) of every k of a mesh for given momentum transfers between its points.

    One plane wave each, without `form_factors_into`'s intermediate basis: for a table of not too many p.

    Args:
        bands: The group on a mesh.
        momenta: Reduced p; k + p must be a point of the mesh again, up to a magnetic reciprocal vector.
        memory_gb: Working memory.

    Raises:
        ValueError: If a momentum leads off the mesh.
    """
    problem = bands.problem
    momenta = jnp.asarray(momenta, problem.vectors.dtype).reshape(-1, 2)
    final = jnp.asarray(points_after(bands, bands, np.asarray(momenta)))

    def at_momentum(p, targets):
        def one(k, ket, bra):
            return problem.apply_plane_wave(k, p, bra).conj().T @ ket

        return jax.vmap(one)(bands.k, bands.states, bands.states[targets])

    per_momentum = 16 * (4 * bands.states.size + bands.states.shape[1] ** 2)
    size = max(1, int(memory_gb * 1e9 / per_momentum))
    return _mapped(at_momentum, (momenta, final), min(size, len(momenta)))


def points_after(start: ProjectedBands, end: ProjectedBands, momenta: np.ndarray) -> Int[np.ndarray, "momentum point"]:
    """Which point of `end` k + p is, for each point k of `start`, up to a magnetic reciprocal vector.

    Raises:
        ValueError: If there is none.
    """
    q = float(start.problem.q)
    found = [_on_mesh(end, np.asarray(start.k) + p, q) for p in momenta]
    for p, points in zip(momenta, found, strict=True):
        if points is None:
            raise fail("momenta", "between points of the mesh", tuple(p.tolist()))
    return np.array(found)


def _on_mesh(mesh: ProjectedBands, k: np.ndarray, q: float) -> np.ndarray | None:
    """Index of each momentum in a mesh, or None if one is not on it."""
    cells = np.array([1.0, q])
    apart = (k[:, None, :] - np.asarray(mesh.k)[None, :, :]) * cells
    distance = np.abs(apart - np.round(apart)).max(axis=-1)
    return distance.argmin(axis=1) if distance.min(axis=1).max() < 1e-6 else None


def _folded(problem: AbstractMagneticBlochProblem, k: np.ndarray) -> np.ndarray:
    fold = jnp.vectorize(lambda one: landau_basis.fold(one, problem.q)[0], signature="(d)->(d)")
    return np.asarray(fold(jnp.asarray(k, problem.vectors.dtype)))


def _most_finals(initial: ProjectedBands, reciprocal: int, memory_gb: float) -> int:
    """How many final momenta may be worked on at once."""
    points, rows, bands = initial.states.shape
    per_final = 16 * bands * (rows * (2 * reciprocal + 2 * points) + 2 * points * reciprocal * bands)
    return max(1, int(memory_gb * 1e9 / per_final))


def _divisor(number: int, most: int) -> int:
    """Largest divisor up to `most`."""
    return max(d for d in range(1, number + 1) if number % d == 0 and d <= most)


@eqx.filter_jit
def _mapped(function, values, size):
    return in_pieces(lambda value: function(*value), values, size)


def reciprocal_vectors_within(problem: AbstractMagneticBlochProblem, cutoff: float) -> Float[np.ndarray, "shift 2"]:
    """Reduced vectors (m1, m2/q) of the magnetic reciprocal lattice that any |G − δ| ≤ `cutoff` needs, shortest first.

    Args:
        problem: The magnetic Bloch problem.
        cutoff: Largest |p|, an inverse length.
    """
    reciprocal = np.asarray(lattice.reciprocal_vectors(problem.vectors)) / np.array([[1.0], [int(problem.q)]])
    reach = cutoff + np.linalg.norm(_zone_corner(problem))
    # |m1| and |m2| are at most `reach` over the distance between the lattice's lines.
    area = abs(np.linalg.det(reciprocal))
    most = [int(reach * np.linalg.norm(other) / area) + 1 for other in reciprocal[::-1]]
    shifts = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1).reshape(-1, 2)
    length = np.linalg.norm(shifts @ reciprocal, axis=1)
    order = np.argsort(length, kind="stable")
    inside = order[length[order] <= reach]
    return shifts[inside] / np.array([1, int(problem.q)])


def _zone_corner(problem: AbstractMagneticBlochProblem) -> np.ndarray:
    """The longest momentum, in Cartesian components, that `landau_basis.fold` returns."""
    reciprocal = np.asarray(lattice.reciprocal_vectors(problem.vectors)) / np.array([[1.0], [int(problem.q)]])
    ends = np.array([landau_basis.CUT, np.add(landau_basis.CUT, 1)])
    corners = np.array([[a, b] for a in ends[:, 0] for b in ends[:, 1]]) @ reciprocal
    return corners[np.argmax(np.linalg.norm(corners, axis=1))]
