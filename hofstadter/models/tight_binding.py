"""Tight-binding models at zero field: lattice vectors, orbital positions and a hopping list. Data only."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from hofstadter._checks import as_integer, check_finite, fail, is_concrete, warn_if_single_precision
from hofstadter.flux import Flux

Hop = tuple[int, int, int, int]
"""(i, j, R1, R2): orbital i of cell 0 receives from orbital j of cell R = (R1, R2)."""


class TightBinding(eqx.Module):
    """A tight-binding model H = Σ_h amplitude_h |i, cell 0⟩⟨j, cell R| + Hermitian conjugate + on-site terms.

    Build one with `hofstadter.models.tight_binding` or a preset. Vectors, positions, energies and amplitudes are
    leaves of a pytree, so `jax.grad`, `jax.vmap` and `jax.jit` go through; which hops exist is static.

    Attributes:
        vectors: Primitive vectors a1, a2 as rows, right-handed.
        positions: Orbital positions in units of a1, a2. They may lie anywhere.
        onsite: On-site energies.
        amplitudes: One amplitude ⟨i, cell 0|H|j, cell R⟩ per hop; its Hermitian partner is implied.
        hops: The hops (i, j, R1, R2) that the amplitudes belong to.
        name: What to call the model in datasets and plots.
    """

    vectors: Float[Array, "2 2"]
    positions: Float[Array, "orbital 2"]
    onsite: Float[Array, " orbital"]
    amplitudes: Complex[Array, " hop"]
    hops: tuple[Hop, ...] = eqx.field(static=True)
    name: str = eqx.field(static=True, default="tight binding")

    @property
    def orbitals(self) -> int:
        """Number of orbitals in the primitive cell."""
        return self.positions.shape[0]

    @property
    def energy_unit(self) -> str:
        """Energies are in units of the hopping."""
        return "t"

    @property
    def length_unit(self) -> str:
        """Lengths are in units of the lattice vectors'."""
        return "a"

    def bands_at(self, flux: Flux) -> int:
        """Number of bands at this flux."""
        return flux.q * self.orbitals

    def norm_bound(self) -> Float[Array, ""]:
        """An upper bound on |E| at any flux and momentum (Gershgorin: Peierls phases do not change it)."""
        return jnp.max(jnp.abs(self.onsite)) + 2 * jnp.sum(jnp.abs(self.amplitudes))


Number = complex | float | int | Array


def tight_binding(
    vectors: Any,
    positions: Any,
    hoppings: Sequence[tuple[Number, int, int, Sequence[int]]],
    *,
    name: str = "tight binding",
) -> TightBinding:
    """Build a model from a hopping list.

    Args:
        vectors: Primitive vectors a1, a2 as rows, in any unit of length, with a1 × a2 > 0.
        positions: One pair per orbital, in units of a1 and a2. Several orbitals may share a place (spin).
        hoppings: Tuples `(amplitude, i, j, (R1, R2))` with amplitude = ⟨i, cell 0|H|j, cell R⟩. The Hermitian partner
            ⟨j, cell 0|H|i, cell −R⟩ is implied and must not be listed. `(e, i, i, (0, 0))` is an on-site energy and
            must be real. An amplitude that is the plain number 0 is left out; traced amplitudes always stay.
        name: What to call the model in datasets and plots.

    Returns:
        The model, its numbers as traced leaves.

    Raises:
        ValueError: If the list is not Hermitian (complex on-site term, a pair listed twice or with its partner),
            an index is out of range, a number is not finite, or the vectors are not right-handed.
        TypeError: If an index or a cell is not an integer.

    Examples:
        >>> import hofstadter as hof
        >>> chain_coupled = hof.models.tight_binding(
        ...     vectors=[[1, 0], [0, 1]],
        ...     positions=[[0, 0]],
        ...     hoppings=[(-1.0, 0, 0, (1, 0)), (-0.5, 0, 0, (0, 1))],
        ... )
    """
    warn_if_single_precision()
    vectors = _as_real("vectors", vectors, (2, 2))
    positions = _as_real("positions", positions, (None, 2))
    if is_concrete(vectors):
        a = np.asarray(vectors)
        if a[0, 0] * a[1, 1] - a[0, 1] * a[1, 0] <= 0:
            raise fail("vectors", "right-handed (a1 × a2 > 0)", a.tolist(), "Exchange a1 and a2.")
    real = jnp.promote_types(vectors.dtype, positions.dtype)
    vectors, positions = vectors.astype(real), positions.astype(real)
    orbitals = positions.shape[0]
    onsite: list[Number] = [0.0] * orbitals
    seen: dict[Hop, int] = {}
    hops, amplitudes = [], []
    for number, entry in enumerate(hoppings):
        amplitude, hop = _read_hopping(number, entry, orbitals)
        i, j, r1, r2 = hop
        earlier = seen.get(hop, seen.get((j, i, -r1, -r2)))
        if earlier is not None:
            raise ValueError(
                f"Argument `hoppings` must list each pair of orbitals once, but entry {number} {hop} repeats entry "
                f"{earlier} or is its Hermitian partner. The partner is implied: leave it out, or add the amplitudes."
            )
        seen[hop] = number
        if i == j and (r1, r2) == (0, 0):
            onsite[i] = _real_onsite(number, amplitude)
        elif not (isinstance(amplitude, int | float | complex) and amplitude == 0):
            hops.append(hop)
            amplitudes.append(amplitude)
    return TightBinding(
        vectors=vectors,
        positions=positions,
        onsite=jnp.stack([jnp.asarray(e, real) for e in onsite]),
        amplitudes=_stack_complex(amplitudes, real),
        hops=tuple(hops),
        name=name,
    )


def _as_real(name: str, value: Any, shape: tuple[int | None, int]) -> Array:
    check_finite(name, value)
    array = jnp.asarray(value)
    if jnp.iscomplexobj(array):
        raise fail(name, "real", f"of type {array.dtype}")
    if array.ndim != 2 or array.shape[1] != shape[1] or shape[0] not in (None, array.shape[0]) or not array.shape[0]:
        raise fail(name, f"an array of shape ({shape[0] or 'orbital'}, {shape[1]})", f"of shape {array.shape}")
    return array if jnp.issubdtype(array.dtype, jnp.floating) else array.astype(float)


def _read_hopping(number: int, entry: Any, orbitals: int) -> tuple[Number, Hop]:
    where = f"hoppings[{number}]"
    try:
        amplitude, i, j, cell = entry
        r1, r2 = cell
    except (TypeError, ValueError):
        raise fail(where, "(amplitude, i, j, (R1, R2))", repr(entry)) from None
    if isinstance(amplitude, str) or np.ndim(amplitude) != 0:
        raise fail(where, "led by a number", repr(amplitude))
    check_finite(where, amplitude)
    hop = (as_integer(where, i), as_integer(where, j), as_integer(where, r1), as_integer(where, r2))
    for index in hop[:2]:
        if not 0 <= index < orbitals:
            raise fail(where, f"between orbitals 0 and {orbitals - 1}", f"about orbital {index}")
    return amplitude, hop


def _real_onsite(number: int, amplitude: Number) -> Number:
    if is_concrete(amplitude) and np.imag(amplitude) != 0:
        raise fail(f"hoppings[{number}]", "real, being an on-site term of a Hermitian matrix", amplitude)
    return jnp.real(amplitude) if jnp.iscomplexobj(amplitude) else amplitude


def _stack_complex(amplitudes: list, real: Any) -> Array:
    complex_ = jnp.complex128 if real == jnp.float64 else jnp.complex64
    if not amplitudes:
        return jnp.zeros(0, complex_)
    return jnp.stack([jnp.asarray(t).astype(complex_) for t in amplitudes])
