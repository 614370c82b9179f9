"""Continuum models at zero field: kinetic energies polynomial in momentum, and harmonics of a periodic potential."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from hofstadter._checks import as_integer, check_finite, fail, is_concrete, warn_if_single_precision
from hofstadter.models._abstract import AbstractContinuum, Reference

Term = tuple[int, int, int, int]
"""(α, β, i, j): component α receives π₊^i π₋^j from component β."""
Harmonic = tuple[int, int, int, int]
"""(α, β, m1, m2): component α receives exp(i (m1 b1 + m2 b2)·r) from component β."""
Number = complex | float | int | Array


class Continuum(AbstractContinuum):
    """A continuum model H = Σ c π₊^i π₋^j |α⟩⟨β| + Σ v exp(iG·r) |α⟩⟨β|, Hermitian conjugates included.

    π± = π_x ± iπ_y with the kinetic momentum measured from the component's own origin, π − K_α; products of
    noncommuting π₊ and π₋ stand for the average over all their orders. Build one with `hofstadter.models.continuum` or
    a preset. Amplitudes, vectors and offsets are leaves of a pytree; which terms exist is static.

    Attributes:
        vectors: Primitive vectors a1, a2 as rows, right-handed.
        offsets: Origin K_α of each component's momentum, in units of b1 and b2.
        kinetic: One amplitude per kinetic term.
        potential: One amplitude per harmonic.
        terms: The kinetic terms.
        harmonics: The harmonics of the potential.
        level_offsets: How many Landau levels a component keeps more than component 0 in a field along +z, so that the
            kinetic energy maps the truncated basis into itself: no zero modes come from the cut-off.
        reference: Where bands are counted from: the bottom of the spectrum, charge neutrality, or its top.
        bands_per_cell: How many bands per primitive cell, on each side of the reference, are wanted by default.
        name: What to call the model in datasets and plots.
        energy_unit: Unit of the amplitudes' energy.
        length_unit: Unit of the lattice vectors.
    """

    vectors: Float[Array, "2 2"]
    offsets: Float[Array, "component 2"]
    kinetic: Complex[Array, " term"]
    potential: Complex[Array, " harmonic"]
    terms: tuple[Term, ...] = eqx.field(static=True)
    harmonics: tuple[Harmonic, ...] = eqx.field(static=True)
    level_offsets: tuple[int, ...] = eqx.field(static=True)
    reference: Reference = eqx.field(static=True)
    bands_per_cell: int = eqx.field(static=True)
    name: str = eqx.field(static=True, default="continuum")
    energy_unit: str = eqx.field(static=True, default="E")
    length_unit: str = eqx.field(static=True, default="a")

    @property
    def components(self) -> int:
        """Number of components of the wave function."""
        return self.offsets.shape[0]

    @property
    def dirac_half(self) -> float:
        """1/2 where gaps have half-integer t, as near the neutrality of a single Dirac cone, else 0."""
        return sum(self.level_offsets) % 2 / 2 if self.reference == "neutrality" else 0.0


def continuum(
    vectors: Any,
    kinetic: Sequence[tuple[Number, int, int, Sequence[int]]],
    potential: Sequence[tuple[Number, int, int, Sequence[int]]],
    *,
    offsets: Any = ((0.0, 0.0),),
    reference: Reference = "bottom",
    bands_per_cell: int = 6,
    name: str = "continuum",
    energy_unit: str = "E",
    length_unit: str = "a",
) -> Continuum:
    """Build a continuum model from its kinetic terms and the harmonics of its potential.

    Args:
        vectors: Primitive vectors a1, a2 as rows, in any unit of length, with a1 × a2 > 0.
        kinetic: Tuples `(amplitude, α, β, (i, j))` for amplitude × π₊^i π₋^j from component β to α, with π± = π_x ±
            iπ_y. (ħ²/2m, 0, 0, (1, 1)) is a free electron; (v, 0, 1, (0, 1)) makes v σ·π of components (0, 1).
        potential: Tuples `(amplitude, α, β, (m1, m2))` for amplitude × exp(i (m1 b1 + m2 b2)·r); (V, 0, 0, (1, 0)) is
            the potential 2|V| cos(b1·r + arg V). In both lists the Hermitian partner is implied and must not be
            listed; terms that are their own partner (i = j, or m1 = m2 = 0, with α = β) are real.
        offsets: For each component the momentum K_α that its kinetic momentum is measured from, in units of b1 and b2
            (a Dirac point, say). They may be incommensurate.
        reference: Where bands are counted from: "bottom", charge "neutrality", or "top".
        bands_per_cell: How many bands per cell on each side of the reference are wanted by default.
        name: What to call the model in datasets and plots.
        energy_unit: Unit of the amplitudes' energy.
        length_unit: Unit of the lattice vectors.

    Returns:
        The model, its numbers as traced leaves.

    Raises:
        ValueError: If a term is listed twice or with its Hermitian partner, a term that is its own partner is not real,
            an index is out of range, a number is not finite, a kinetic term couples components of different offset or
            nothing bounds the spectrum where the reference says so.
        TypeError: If an index or a harmonic is not an integer: the potential must have the periods a1 and a2.
    """
    warn_if_single_precision()
    check_finite("vectors", vectors)
    check_finite("offsets", offsets)
    vectors, offsets = jnp.asarray(vectors), jnp.asarray(offsets)
    real = jnp.promote_types(jnp.promote_types(vectors.dtype, offsets.dtype), jnp.asarray(0.0).dtype)
    vectors, offsets = vectors.astype(real), offsets.astype(real)
    if vectors.shape != (2, 2):
        raise fail("vectors", "an array of shape (2, 2)", f"of shape {vectors.shape}")
    if offsets.ndim != 2 or offsets.shape[1] != 2 or not offsets.shape[0]:
        raise fail("offsets", "an array of shape (component, 2)", f"of shape {offsets.shape}")
    if is_concrete(vectors) and not np.linalg.det(np.asarray(vectors)) > 0:
        raise fail("vectors", "right-handed (a1 × a2 > 0)", np.asarray(vectors).tolist(), "Exchange a1 and a2.")
    if reference not in ("bottom", "neutrality", "top"):
        raise fail("reference", '"bottom", "neutrality" or "top"', repr(reference))
    components = offsets.shape[0]
    kinetic_values, terms = _read_list("kinetic", kinetic, components, lambda a, b, i, j: (b, a, j, i))
    values, harmonics = _read_list("potential", potential, components, lambda a, b, i, j: (b, a, -i, -j))
    if not terms:
        raise fail("kinetic", "a list with at least one term", "empty")
    for number, (a, b, i, j) in enumerate(terms):
        if i < 0 or j < 0 or i + j == 0:
            raise fail(f"kinetic[{number}]", "a positive power of π", (i, j), "Constants belong to `potential`.")
        if is_concrete(offsets) and not np.allclose(offsets[a], offsets[b], rtol=0, atol=1e-12):
            raise fail(f"kinetic[{number}]", "between components with the same offset", f"from {b} to {a}")
    if is_concrete(vectors, kinetic_values):
        _check_bounded(np.asarray(vectors), kinetic_values, terms, components, reference)
    return Continuum(
        vectors=vectors,
        offsets=offsets,
        kinetic=_stack(kinetic_values, real),
        potential=_stack(values, real),
        terms=terms,
        harmonics=harmonics,
        level_offsets=_level_offsets(components, terms),
        reference=reference,
        bands_per_cell=as_integer("bands_per_cell", bands_per_cell, minimum=1),
        name=name,
        energy_unit=energy_unit,
        length_unit=length_unit,
    )


def reversed_continuum(model: Continuum) -> Continuum:
    """The time-reversed partner of a continuum model; see `time_reversed`."""
    signs = jnp.asarray([(-1) ** (i + j) for _, _, i, j in model.terms], model.kinetic.dtype)
    return dataclasses.replace(
        model,
        offsets=-model.offsets,
        kinetic=signs * model.kinetic.conj(),
        potential=model.potential.conj(),
        terms=tuple((a, b, j, i) for a, b, i, j in model.terms),
        harmonics=tuple((a, b, -m1, -m2) for a, b, m1, m2 in model.harmonics),
        level_offsets=tuple(-offset for offset in model.level_offsets),
    )


def in_valley(model: Continuum, valley: int) -> Continuum:
    """The model for valley +1, its time-reversed partner for −1."""
    if valley not in (1, -1):
        raise fail("valley", "+1 or −1", repr(valley))
    return model if valley == 1 else reversed_continuum(model)


def star(vectors: Any, rings: int = 1) -> tuple[tuple[int, int], ...]:
    """Half of the shortest reciprocal vectors, one of each pair ±G: two for a square cell, three for a triangular one.

    Args:
        vectors: Primitive vectors.
        rings: How many lengths of reciprocal vectors to take.
    """
    reciprocal = np.asarray(2 * np.pi * np.linalg.inv(np.asarray(vectors)).T)
    index = [(m1, m2) for m1 in range(rings + 2) for m2 in range(-rings - 1, rings + 2) if m1 > 0 or m2 > 0]
    lengths = {m: float(np.linalg.norm(np.asarray(m) @ reciprocal)) for m in index}
    shells: list[float] = []
    for length in sorted(lengths.values()):
        if not shells or length > shells[-1] * (1 + 1e-6):
            shells.append(length)
    return tuple(m for m in index if lengths[m] <= shells[rings - 1] * (1 + 1e-6))


def _read_list(name: str, entries: Sequence, components: int, partner: Any) -> tuple[list, tuple]:
    """Amplitudes and indices of a list of terms, each checked."""
    amplitudes, indices = [], []
    seen: dict[tuple, int] = {}
    for number, entry in enumerate(entries):
        where = f"{name}[{number}]"
        try:
            amplitude, a, b, (i, j) = entry
        except (TypeError, ValueError):
            raise fail(where, "(amplitude, α, β, (integer, integer))", repr(entry)) from None
        if isinstance(amplitude, str) or np.ndim(amplitude) != 0:
            raise fail(where, "led by a number", repr(amplitude))
        check_finite(where, amplitude)
        index = tuple(as_integer(where, x) for x in (a, b, i, j))
        for component in index[:2]:
            if not 0 <= component < components:
                raise fail(where, f"between components 0 and {components - 1}", f"about component {component}")
        earlier = seen.get(index, seen.get(partner(*index)))
        if earlier is not None:
            raise ValueError(
                f"Argument `{name}` must list each term once, but entry {number} {index} repeats entry {earlier} or is "
                "its Hermitian partner. The partner is implied: leave it out, or add the amplitudes."
            )
        seen[index] = number
        if partner(*index) == index and is_concrete(amplitude) and np.imag(amplitude) != 0:
            raise fail(where, "real, being its own Hermitian partner", amplitude)
        amplitudes.append(amplitude)
        indices.append(index)
    return amplitudes, tuple(indices)


def _check_bounded(
    vectors: np.ndarray, amplitudes: Sequence, terms: Sequence[Term], components: int, reference: Reference
) -> None:
    """Refuse a kinetic energy that does not grow where the reference wants a bound, and components without any."""
    for component in range(components):
        if not any(v != 0 and component in (a, b) for v, (a, b, _, _) in zip(amplitudes, terms, strict=True)):
            raise fail("kinetic", "nonzero in each component", f"missing in component {component}")
    # So far from the origin that the highest powers decide.
    far = 1e6 / np.linalg.norm(vectors[0])
    for direction in np.exp(2j * np.pi * (np.arange(12) + 0.1) / 12):
        symbol = np.zeros((components, components), complex)
        for amplitude, (a, b, i, j) in zip(amplitudes, terms, strict=True):
            value = complex(amplitude) * (far * direction) ** i * (far * direction.conj()) ** j
            symbol[a, b] += value
            if (a, i) != (b, j):
                symbol[b, a] += value.conjugate()
        energies = np.linalg.eigvalsh(symbol)
        rounding = 1e-12 * np.max(np.abs(energies))
        sign = {"bottom": 1, "neutrality": 0, "top": -1}[reference]
        if np.any(sign * energies < -rounding):
            raise fail("reference", "where the spectrum is bounded", repr(reference), "Look at the signs in `kinetic`.")


def _level_offsets(components: int, terms: Sequence[Term]) -> tuple[int, ...]:
    """Levels that each component keeps beyond component 0: π₊^i π₋^j raises the Landau level by i − j.

    Components that no kinetic term connects keep the same number of levels; where terms contradict each other (a
    trigonal warping, say) those of the lowest order decide.
    """
    offset: dict[int, int] = {}
    ordered = sorted((t for t in terms if t[0] != t[1]), key=lambda t: t[2] + t[3])
    for start in range(components):
        if start in offset:
            continue
        offset[start] = 0
        grown = True
        while grown:
            grown = False
            for a, b, i, j in ordered:
                if (a in offset) != (b in offset):
                    known, new, change = (b, a, i - j) if b in offset else (a, b, j - i)
                    offset[new] = offset[known] + change
                    grown = True
                    break
    return tuple(offset[c] for c in range(components))


def _stack(amplitudes: Sequence, real: Any) -> Array:
    complex_ = jnp.complex128 if real == jnp.float64 else jnp.complex64
    if not amplitudes:
        return jnp.zeros(0, complex_)
    return jnp.stack([jnp.asarray(x).astype(complex_) for x in amplitudes])
