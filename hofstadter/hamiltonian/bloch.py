"""Tight binding in a field: Bloch's phase factor becomes an irrep of the magnetic translation group.

    H(k) = Σ_h t_h exp(2πi (p/q) area_h) E_ij ⊗ D_k(R_h)  +  Hermitian conjugate  +  on-site terms

with D_k of `magnetic.translations` and the areas of `magnetic.gauge`. At zero flux D_k(R) = exp(2πi k·R).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Int

from hofstadter._checks import as_integer
from hofstadter.flux import Flux
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.magnetic import gauge, translations
from hofstadter.models.tight_binding import TightBinding


class TightBindingProblem(AbstractMagneticBlochProblem):
    """A tight-binding model at flux p/q. The basis is (cell m along a2, orbital), m slowest.

    Attributes:
        model: The zero-field model.
        p: Numerator of the flux, may be traced.
        q: Denominator of the flux, may be traced; at most `cells`.
        cells: Copies of the primitive cell in the matrix; cells ≥ q are padding, decoupled and above all bands.
    """

    model: TightBinding
    p: Int[Array, ""]
    q: Int[Array, ""]
    cells: int = eqx.field(static=True)

    @property
    def vectors(self) -> Float[Array, "2 2"]:
        """Primitive vectors a1, a2 as rows."""
        return self.model.vectors

    @property
    def basis_size(self) -> int:
        """Rows of the matrix."""
        return self.cells * self.model.orbitals

    @property
    def bands(self) -> Int[Array, ""]:
        """Number of orbitals in the magnetic cell, q times those of the primitive one."""
        return self.q * self.model.orbitals

    @property
    def site_positions(self) -> Float[Array, "basis 2"]:
        """Positions, in units of a1 and a2, of all orbitals of the magnetic cell, in the order of the basis."""
        along_a2 = jnp.arange(self.cells, dtype=self.model.positions.dtype)
        cell = jnp.stack([jnp.zeros_like(along_a2), along_a2], axis=-1)
        return (cell[:, None, :] + self.model.positions[None, :, :]).reshape(-1, 2)

    def _matrix_at(self, k: Float[Array, " 2"]) -> Complex[Array, "basis basis"]:
        model, n = self.model, self.model.orbitals
        real = model.positions.dtype
        rows = jnp.arange(self.cells)[None, :]
        inside = rows < self.q
        target, source, values, column = self.hop_elements(k)
        # Real and imaginary parts go in apart: 128-bit scatters run serially on GPUs.
        index = (rows * n + target[:, None], column * n + source[:, None])
        empty = jnp.zeros((self.basis_size, self.basis_size), real)
        half = jax.lax.complex(empty.at[index].add(values.real), empty.at[index].add(values.imag))
        padding = 2 * model.norm_bound() + 1
        diagonal = jnp.where(inside.T, model.onsite[None, :], padding).reshape(-1)
        return half + half.conj().T + jnp.diag(diagonal).astype(half.dtype)

    def hop_elements(
        self, k: Float[Array, " 2"]
    ) -> tuple[Int[Array, " hop"], Int[Array, " hop"], Complex[Array, "hop cells"], Int[Array, "hop cells"]]:
        """⟨cell m, target|H|cell column, source⟩ of each hop in each row m, without the Hermitian conjugate.

        Rows m ≥ q, which only pad the matrix, hold zero in their own column.
        """
        model = self.model
        real = model.positions.dtype
        rows = jnp.arange(self.cells)[None, :]
        inside = rows < self.q
        target, source, translation = _hop_arrays(model)
        column, turns = translations.irrep(translation, self.p, self.q, k, self.cells)
        area = gauge.peierls_area(model.positions[target], model.positions[source], translation)
        turns = turns + (self.p.astype(real) * area / self.q.astype(real))[:, None]
        values = jnp.where(inside, model.amplitudes[:, None] * translations.turns_to_phase(turns), 0)
        return target, source, values, jnp.where(inside, column, rows)

    def apply_plane_wave(
        self, k: Float[Array, " 2"], dk: Float[Array, " 2"], states: Complex[Array, "basis band"]
    ) -> Complex[Array, "basis band"]:
        """Components of exp(−i dk·r)|ψ⟩ at k: phases of the true positions, the same for every k."""
        turns = -self.site_positions @ dk.astype(self.vectors.dtype)
        return translations.turns_to_phase(turns)[:, None] * states

    def shift_k1(self, k: Float[Array, " 2"], states: Complex[Array, "basis band"]) -> Complex[Array, "basis band"]:
        """Eigenstates at (k1 + 1/q, k2) from those at k, by T(a2)^s with s p ≡ 1 (mod q)."""
        candidates = jnp.arange(self.cells)
        steps = jnp.argmax(jnp.mod(candidates * jnp.mod(self.p, self.q), self.q) == 1 % self.q)
        cells = states.reshape(self.cells, self.model.orbitals, -1)
        return translations.shift_states(cells, self.q, k[1], steps).reshape(states.shape)


def tight_binding_problem(model: TightBinding, flux: Flux, *, cells: int | None = None) -> TightBindingProblem:
    """A tight-binding model in a field along +z, its magnetic cell padded to `cells` cells."""
    cells = flux.q if cells is None else as_integer("cells", cells, minimum=flux.q)
    return TightBindingProblem(model=model, p=jnp.asarray(flux.p), q=jnp.asarray(flux.q), cells=cells)


def _hop_arrays(
    model: TightBinding,
) -> tuple[Int[Array, " hop"], Int[Array, " hop"], Int[Array, "hop 2"]]:
    hops = jnp.asarray(model.hops, dtype=int).reshape(-1, 4)
    return hops[:, 0], hops[:, 1], hops[:, 2:]
