"""The one object that everything downstream sees: a magnetic Bloch problem."""

import abc
from typing import Generic, TypeVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int

from hofstadter import lattice
from hofstadter.errors import Status
from hofstadter.flux import Flux
from hofstadter.models._abstract import AbstractContinuum

AnyContinuum = TypeVar("AnyContinuum", bound=AbstractContinuum)


class AbstractMagneticBlochProblem(eqx.Module):
    """A Hermitian H(k) over the magnetic zone, with the plane waves that connect its momenta.

    Momenta are reduced by the zero-field reciprocal vectors: k = (k1, k2) in [0, 1) × [0, 1/q) is one magnetic zone.
    The basis is periodic: `matrix(k)` is unchanged by k1 → k1 + 1 and k2 → k2 + 1/q, and `plane_wave` carries every
    position, so overlaps between any two momenta need nothing else, also across the edge of the zone.
    """

    p: eqx.AbstractVar[Int[Array, ""]]
    q: eqx.AbstractVar[Int[Array, ""]]

    @abc.abstractmethod
    def _matrix_at(self, k: Float[Array, " 2"]) -> Complex[Array, "basis basis"]:
        """H(k) at one momentum, given in the precision of the model."""

    @abc.abstractmethod
    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k, for states given by their components at k + dk; the cheap form."""

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

    def matrix(self, k: Float[Array, "*batch 2"]) -> Complex[Array, "*batch basis basis"]:
        """H(k) in the magnetic Bloch basis, for one momentum or a batch of them."""
        k = jnp.asarray(k).astype(self.vectors.dtype)
        return jnp.vectorize(self._matrix_at, signature="(d)->(n,n)")(k)

    def plane_wave(
        self, k: Float[Array, "*batch 2"], dk: Float[Array, "*batch 2"]
    ) -> Complex[Array, "*batch basis basis"]:
        """⟨k| exp(−i dk·r) |k + dk⟩ as a matrix: `apply_plane_wave` of the identity."""
        real = self.vectors.dtype
        k, dk = jnp.asarray(k).astype(real), jnp.asarray(dk).astype(real)
        identity = jnp.eye(self.basis_size, dtype=np.promote_types(real, np.complex64))
        return jnp.vectorize(lambda a, b: self.apply_plane_wave(a, b, identity), signature="(d),(d)->(n,n)")(k, dk)

    @property
    def reference(self) -> str:
        """Where bands are counted from: the "bottom" of the spectrum, "neutrality" or its "top"."""
        return "bottom"

    @property
    def first_band(self) -> int:
        """How many eigenvalues of `matrix` lie below the first band that counts; bands are numbered from there."""
        return 0

    @property
    def returned_bands(self) -> int:
        """How many eigenvalues of `matrix`, from `first_band` on, are returned and can be asked for."""
        return self.basis_size

    @property
    def solved_bands(self) -> tuple[int, int]:
        """Range of eigenvalues of `matrix` that topology looks at: the returned ones and a neighbor on either side."""
        last = self.first_band + self.returned_bands
        return max(0, self.first_band - 1), min(last + 1, self.basis_size)

    @property
    def reference_filling(self) -> Float[Array, ""]:
        """How many of the returned bands are filled where densities are counted from, say at charge neutrality."""
        return jnp.zeros(())

    @property
    def basis_status(self) -> Int[Array, ""]:
        """OK, or CUTOFF_TOO_LOW where a truncated basis is known to be too small."""
        return jnp.zeros((), jnp.int32)

    @property
    def flux(self) -> Flux:
        """The flux per primitive cell; not available while p and q are traced."""
        return Flux(int(self.p), int(self.q))

    def widened(self, states: Complex[Array, "*batch basis band"], reach: float) -> Complex[Array, "*batch wide band"]:
        """The same states in a basis that also holds exp(−i dk·r)|ψ⟩ for |dk| ≤ `reach`, if this one does not.

        `apply_plane_wave` takes such states, too: plane waves that are to be multiplied need the room between them.
        """
        return states

    def mesh(self, n1: int, n2: int) -> Float[Array, "n1 n2 2"]:
        """Uniform mesh over the magnetic zone k1 in [0, 1), k2 in [0, 1/q)."""
        unit = lattice.mesh(n1, n2)
        return unit.at[..., 1].divide(self.q)

    def reduced_mesh(self, n1: int, n2: int) -> Float[Array, "n1 n2 2"]:
        """Uniform mesh over [0, 1/q)², one q-th of the magnetic zone, on which the spectrum repeats q times."""
        return lattice.mesh(n1, n2) / self.q


class AbstractTruncatedProblem(AbstractMagneticBlochProblem, Generic[AnyContinuum]):
    """A continuum model whose basis was cut off: only the wanted bands are returned, and their error is known.

    Attributes:
        model: The zero-field model.
        below: Wanted bands below the reference.
        above: Wanted bands above it.
        cutoff_error: Largest change of a wanted energy when a quarter more states are kept; NaN if not estimated.
        cutoff_tolerance: What `cutoff_error` was meant to be at most.
    """

    model: eqx.AbstractVar[AnyContinuum]
    below: eqx.AbstractVar[int]
    above: eqx.AbstractVar[int]
    cutoff_error: eqx.AbstractVar[Float[Array, ""]]
    cutoff_tolerance: eqx.AbstractVar[Float[Array, ""]]

    @property
    @abc.abstractmethod
    def size(self) -> Int[Array, ""]:
        """Size of the basis in its own unit, Landau levels or plane waves."""

    @abc.abstractmethod
    def kept_rows(self, size: int) -> Bool[Array, " basis"]:
        """Which rows of the matrix make the basis of a smaller size."""

    @property
    def vectors(self) -> Float[Array, "2 2"]:
        """Primitive vectors a1, a2 as rows."""
        return self.model.vectors

    @property
    def reference(self) -> str:
        """Where bands are counted from."""
        return self.model.reference

    @property
    def first_band(self) -> int:
        """Place of the first wanted band in the spectrum of `matrix`."""
        row = {"bottom": 0, "neutrality": self.basis_size // 2, "top": self.basis_size}[self.reference]
        return row - self.below

    @property
    def returned_bands(self) -> int:
        """Number of wanted bands."""
        return self.below + self.above

    @property
    def bands(self) -> Int[Array, ""]:
        """Number of wanted bands."""
        return jnp.asarray(self.returned_bands)

    @property
    def basis_status(self) -> Int[Array, ""]:
        """OK, or CUTOFF_TOO_LOW."""
        low = self.cutoff_error > self.cutoff_tolerance
        return jnp.where(low, int(Status.CUTOFF_TOO_LOW), int(Status.OK)).astype(jnp.int32)
