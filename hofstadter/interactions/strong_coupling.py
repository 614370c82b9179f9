"""States of completely filled flavors, exact eigenstates of the repulsion, and their charged excitations.

In |Ψ⟩ every flavor is filled or empty, all bands of the group alike. O(p)|Ψ⟩ is then zero unless p = G, where it is the
number λ(G) = Σ_f ±½ Σ_k tr M^f(k, G), + for filled flavors: |Ψ⟩ is an eigenstate of H (see `flat_bands`) at any
coupling, with the energy (1/2A) Σ_G V(G) |λ(G)|². This holds for every group of bands that keeps apart from others, in
any field, also with the group's own energies added to H, and needs no symmetry: only complete flavors. It does
not hold where a flavor is filled in part, as at odd fillings of a pair of bands; `fluctuation_energy` tells. One more
electron in an empty flavor, or one less in a filled one, has the energies of

    charge +1:  R0(k) + h(k),   charge −1:  [R0(k) − h(k)]ᵀ,   h(k) = (1/A) Σ_G V(G) λ(−G) M(k, G),

also exactly (Bernevig et al., Phys. Rev. B 103, 205415 (2021), found these at zero field). At zero filling λ = 0 and H
is a sum of squares, so |Ψ⟩ is its ground state; at others it is only if no excitation has a negative energy. If the
valleys have a particle-hole symmetry C2z P in common, all choices of filled flavors have the same energy (U(4)).
"""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from hofstadter._checks import as_integer, fail
from hofstadter.eigensolver import dense
from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.interactions.exchange import exchange
from hofstadter.interactions.flat_bands import FlatBands, GroupAtMomenta


class FilledFlavors(eqx.Module):
    """A state of completely filled and empty flavors.

    Attributes:
        bands: The flat bands.
        filled: How many flavors of each kind are filled.
        kinetic: Whether charges also have the group's own energies, which H leaves out.
    """

    bands: FlatBands
    filled: tuple[int, ...] = eqx.field(static=True)
    kinetic: bool = eqx.field(static=True, default=False)

    @property
    def filling(self) -> float:
        """Electrons per primitive cell, counted from half filling of the group."""
        return self.bands.width * (sum(self.filled) - self.bands.flavors / 2) / int(self.bands.kinds[0].problem.q)

    @property
    def charge(self) -> Complex[Array, " g"]:
        """λ(G), for the reciprocal vectors of the flat bands."""
        parts = zip(self.bands.on_mesh, self.bands.copies, self.filled, strict=True)
        return sum(
            ((filled - copies / 2) * jnp.einsum("gkmm->g", table.vertical) for table, copies, filled in parts),
            start=jnp.zeros(len(self.bands.reciprocal), self.bands.on_mesh[0].vertical.dtype),
        )

    @property
    def energy(self) -> Float[Array, ""]:
        """⟨H⟩ per primitive cell."""
        cells = self.bands.k.shape[0] * self.bands.kinds[0].problem.q
        return jnp.sum(self.bands.weight * jnp.abs(self.charge) ** 2) / (2 * cells)

    def flavors(self, kind: int, charge: int) -> int:
        """How many flavors of a kind can take a charge: empty ones for +1, filled ones for −1."""
        return self.bands.copies[kind] - self.filled[kind] if charge > 0 else self.filled[kind]


def filled_flavors(
    bands: FlatBands,
    filling: int | float | None = None,
    *,
    filled: tuple[int, ...] | None = None,
    kinetic: bool = False,
) -> FilledFlavors:
    """The state of a filling, or of given flavors.

    Args:
        bands: The flat bands.
        filling: Electrons per primitive cell, counted from half filling: −4, −2, 0, 2 or 4 for the pair of bands
            of a moiré material with two valleys and spins. Flavors are filled as evenly over the kinds as possible.
        filled: How many flavors of each kind are filled, instead.
        kinetic: Whether charges also have the group's own energies.

    Raises:
        ValueError: If complete flavors do not make this filling.
    """
    if (filling is None) == (filled is None):
        raise ValueError("Give `filling` or `filled`, and not both.")
    if filling is not None:
        q, width, half = int(bands.kinds[0].problem.q), bands.width, bands.flavors / 2
        wanted = filling * q / width + half
        if abs(wanted - round(wanted)) > 1e-9 or not 0 <= round(wanted) <= bands.flavors:
            possible = ", ".join(f"{width * (count - half) / q:g}" for count in range(bands.flavors + 1))
            hint = "Only complete flavors make an exact state."
            raise fail("filling", f"one of {possible}", filling, hint)
        counts = [0] * len(bands.copies)
        for _ in range(round(wanted)):
            room = [copies - count for copies, count in zip(bands.copies, counts, strict=True)]
            counts[room.index(max(room))] += 1
        filled = tuple(counts)
    assert filled is not None
    filled = tuple(as_integer("filled", count, minimum=0) for count in filled)
    fits = len(filled) == len(bands.copies) and all(a <= b for a, b in zip(filled, bands.copies, strict=True))
    if not fits:
        raise fail("filled", f"at most {bands.copies} flavors of each kind", filled)
    return FilledFlavors(bands, filled, kinetic)


def charge_matrices(
    state: FilledFlavors, kind: int, charge: int, at: GroupAtMomenta | None = None
) -> Complex[Array, "point band band"]:
    """The Hermitian matrices whose eigenvalues are the energies of one charge more or less.

    Args:
        state: The state.
        kind: Kind of the flavor that takes the charge.
        charge: +1 for an electron, −1 for a hole.
        at: The tables of that kind, `bands.at(kind, k)`; by default those of the mesh.

    Returns:
        R0 + h, or the transpose of R0 − h; of an electron of momentum k and of a hole left by one.
    """
    if charge not in (1, -1):
        raise fail("charge", "+1 or −1", charge)
    at = state.bands.on_mesh[kind] if at is None else at
    hartree = jnp.einsum("g,gkmn->kmn", state.bands.weight * state.charge.conj(), at.vertical)
    if state.kinetic:
        hartree = hartree + at.energies[:, :, None] * jnp.eye(at.energies.shape[-1])
    matrix = at.exchange + charge * hartree
    return matrix if charge > 0 else jnp.swapaxes(matrix, -1, -2)


def charge_energies(
    state: FilledFlavors, kind: int, charge: int, at: GroupAtMomenta | None = None
) -> Float[Array, "point band"]:
    """Energies of one charge more or less, ascending; arguments as in `charge_matrices`."""
    with single_threaded_blas():
        return dense.eigenvalues(charge_matrices(state, kind, charge, at))


def fluctuation_energy(bands: FlatBands, kind: int, density: Complex[Array, "point band band"]) -> Float[Array, ""]:
    """How far a flavor with a density matrix P(k) is from an eigenstate, as an energy per primitive cell.

    (1/2A) Σ_p V(p) Σ_k tr P(k) M†(k, p) [1 − P(k + p)] M(k, p): the part of ⟨H⟩ that comes from electrons thrown out
    of the filled states. Zero if and only if the Slater determinant is an eigenstate of every O(p): a filled or an
    empty flavor, or one where filled and empty states are not coupled.

    Args:
        bands: The flat bands.
        kind: Kind of the flavor.
        density: Projector P(k)_mn = ⟨c†_n(k) c_m(k)⟩ on the filled states of the mesh.
    """
    mesh = bands.kinds[kind]
    identity = jnp.eye(bands.width, dtype=density.dtype)
    empty = exchange(bands.interaction, mesh, mesh, identity - density, bands.moves)
    cells = bands.k.shape[0] * mesh.problem.q
    return jnp.einsum("kmn,knm->", density, empty).real / (2 * cells)
