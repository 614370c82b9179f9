"""The one object that everything downstream sees: a magnetic Bloch problem."""

import abc

import equinox as eqx
from jaxtyping import Array, Complex, Float, Int

from hofstadter import lattice
from hofstadter.flux import Flux


class AbstractMagneticBlochProblem(eqx.Module):
    """A Hermitian H(k) over the magnetic zone, with the plane waves that connect its momenta.

    Momenta are reduced by the zero-field reciprocal vectors: k = (k1, k2) in [0, 1) × [0, 1/q) is one magnetic zone.
    The basis is periodic: `matrix(k)` is unchanged by k1 → k1 + 1 and k2 → k2 + 1/q, and `plane_wave` carries every
    position, so overlaps between any two momenta need nothing else, also across the edge of the zone.
    """

    p: eqx.AbstractVar[Int[Array, ""]]
    q: eqx.AbstractVar[Int[Array, ""]]

    @abc.abstractmethod
    def matrix(self, k: Float[Array, "*batch 2"]) -> Complex[Array, "*batch basis basis"]:
        """H(k) in the magnetic Bloch basis."""

    @abc.abstractmethod
    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k, for states given by their components at k + dk; the cheap form."""

    @abc.abstractmethod
    def plane_wave(
        self, k: Float[Array, "*batch 2"], dk: Float[Array, "*batch 2"]
    ) -> Complex[Array, "*batch basis basis"]:
        """⟨k| exp(−i dk·r) |k + dk⟩ as a matrix."""

    @abc.abstractmethod
    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """Eigenstates at (k1 + 1/q, k2), made from those at k by a magnetic translation along a2."""

    @property
    @abc.abstractmethod
    def vectors(self) -> Float[Array, "2 2"]:
        """Primitive vectors a1, a2 of the zero-field cell as rows."""

    @property
    @abc.abstractmethod
    def basis_size(self) -> int:
        """Rows of `matrix`, padding included."""

    @property
    @abc.abstractmethod
    def bands(self) -> Int[Array, ""]:
        """Number of physical bands; rows beyond it only pad the matrix and lie above them in energy."""

    @property
    def flux(self) -> Flux:
        """The flux per primitive cell; not available while p and q are traced."""
        return Flux(int(self.p), int(self.q))

    def mesh(self, n1: int, n2: int) -> Float[Array, "n1 n2 2"]:
        """Uniform mesh over the magnetic zone k1 in [0, 1), k2 in [0, 1/q)."""
        unit = lattice.mesh(n1, n2)
        return unit.at[..., 1].divide(self.q)

    def reduced_mesh(self, n1: int, n2: int) -> Float[Array, "n1 n2 2"]:
        """Uniform mesh over [0, 1/q)², one q-th of the magnetic zone, on which the spectrum repeats q times."""
        return lattice.mesh(n1, n2) / self.q
