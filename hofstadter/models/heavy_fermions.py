"""Topological heavy fermions: localized f orbitals on a moiré lattice, hybridized with Dirac-like c electrons.

A model of the bands of twisted bilayer graphene near charge neutrality after Song and Bernevig, Phys. Rev. Lett. 129,
047601 (2022), in the form used here: orbitals c1, c2 (Γ3), c3, c4 (Γ1 ⊕ Γ2) and f1, f2 (on AA sites), one spin, valley
η = ±1, with the blocks (c12, c34, f12)

        ⎡        0          v⋆ (η kx σ0 + i ky σz)   D (γ σ0 + v⋆' (η kx σx + ky σy)) ⎤
    H = ⎢       h.c.                M σx             D v⋆'' (η kx σx − ky σy)         ⎥ ,   D = exp(−λ² k²/2).
        ⎣       h.c.                h.c.                         0                    ⎦

Momenta of c electrons are not folded; f electrons live in the zone. Energies in meV, lengths in Å.
"""

import math
from typing import Literal, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from hofstadter._checks import check_finite, fail, is_concrete, warn_if_single_precision
from hofstadter.models._abstract import AbstractContinuum, Reference
from hofstadter.models.continuum import Number

ORBITALS = ("c1", "c2", "c3", "c4", "f1", "f2")
Scheme = Literal["kernel", "ordered", "exp"]
SCHEMES = ("kernel", "ordered", "exp")
# a1 and a2 in units of L.
UNIT_VECTORS = ((1.0, 0.0), (0.5, math.sqrt(3) / 2))


class HeavyFermions(AbstractContinuum):
    """A topological heavy fermion model of one or two valleys and one spin. Make one with `heavy_fermions`.

    Attributes:
        gamma: γ, hybridization of c1, c2 with f1, f2 at k = 0.
        mass: M, coupling of c3 with c4.
        v_star: v⋆, velocity of the c electrons.
        v_prime: v⋆', momentum-dependent hybridization of c1, c2 with f2, f1.
        v_double_prime: v⋆'', that of c3, c4 with f2, f1.
        damping: λ, the length over which the hybridization decays.
        vectors: Primitive vectors a1, a2 as rows, of a triangular lattice of constant L.
        potential: A Hermitian matrix among the orbitals c1, c2, c3, c4, f1, f2 of each valley that does not depend on
            momentum: on-site energies, say of a mean field, and couplings of valleys. Zero between c and f.
        valleys: η of each valley.
        scheme: What the momentum-dependent hybridization becomes in a field; see `heavy_fermions`.
        reference: Charge neutrality.
        bands_per_cell: How many bands per primitive cell, on each side of neutrality, are wanted by default.
        name: What to call the model in datasets and plots.
        energy_unit: Unit of energies.
        length_unit: Unit of lengths.
    """

    gamma: Float[Array, ""]
    mass: Float[Array, ""]
    v_star: Float[Array, ""]
    v_prime: Float[Array, ""]
    v_double_prime: Float[Array, ""]
    damping: Float[Array, ""]
    vectors: Float[Array, "2 2"]
    potential: Complex[Array, "orbital orbital"]
    valleys: tuple[int, ...] = eqx.field(static=True)
    scheme: Scheme = eqx.field(static=True)
    reference: Reference = eqx.field(static=True, default="neutrality")
    bands_per_cell: int = eqx.field(static=True, default=3)
    name: str = eqx.field(static=True, default="topological heavy fermions")
    energy_unit: str = eqx.field(static=True, default="meV")
    length_unit: str = eqx.field(static=True, default="Å")

    @property
    def components(self) -> int:
        """Number of orbitals, those of all valleys together."""
        return len(ORBITALS) * len(self.valleys)

    @property
    def dirac_half(self) -> float:
        """0: the zeroth Landau levels of c1, c2 or c3, c4 come in pairs."""
        return 0.0


class Parameters(NamedTuple):
    """Numbers of a heavy fermion model.

    Attributes:
        gamma: γ in meV.
        mass: M in meV.
        v_star: v⋆ in meV Å.
        v_prime: v⋆' in meV Å.
        damping: λ/L.
    """

    gamma: float
    mass: float
    v_star: float
    v_prime: float
    damping: float


# For w0/w1 = 0.8 and 0.7 of twisted bilayer graphene at θ = 1.05°, w1 = 110 meV. 0.8: Song and Bernevig, Phys. Rev.
# Lett. 129, 047601 (2022), as found in public code; 0.7: from a published figure caption. All but λ are those of
# `bistritzer_macdonald` at Γ, to which `hofstadter.fit_heavy_fermions` fits them again.
PARAMETERS = {
    0.8: Parameters(-24.75, 3.697, -4303.0, 1622.0, 0.3375),
    0.7: Parameters(-39.11, 3.248, -4483.0, 1624.0, 0.3792),
}
LATTICE_CONSTANT = 134.218


def heavy_fermions(
    w0_over_w1: float = 0.8,
    valley: int = 1,
    scheme: Scheme = "kernel",
    gamma_mev: Number | None = None,
    m_mev: Number | None = None,
    v_star_mev_angstrom: Number | None = None,
    v_prime_mev_angstrom: Number | None = None,
    v_double_prime_mev_angstrom: Number = 0.0,
    damping_angstrom: Number | None = None,
    lattice_constant_angstrom: Number = LATTICE_CONSTANT,
) -> HeavyFermions:
    """Topological heavy fermions: the narrow bands of twisted bilayer graphene as f orbitals in a sea of c electrons.

    Good for energies up to some 50 meV, and in a field up to a quarter of a flux quantum per cell: beyond, remote bands
    are tens of meV too high.

    In a field the kernel of the hybridization, the Fourier transform of D(k) (γ + …), is multiplied by the phase of
    the straight line from the f orbital ("kernel"). Two other rules differ from it in first order of the field and
    are here for comparison only: "ordered" lets the ladder operators of v⋆' act on the Gaussian without the factors
    1/(1 ∓ λ²/2ℓ²) that the derivative of a gauge-covariant kernel has, and "exp" also takes exp(−λ²(2n + 1)/2ℓ²) for
    the Gaussian on level n. Which of them the published calculations in a field use is not known to us.

    Args:
        w0_over_w1: Ratio of tunnellings whose published parameters to start from: 0.7 or 0.8.
        valley: +1 or −1, its time-reversed partner.
        scheme: "kernel", "ordered" or "exp".
        gamma_mev: γ instead of the published one, and so on.
        m_mev: M.
        v_star_mev_angstrom: v⋆.
        v_prime_mev_angstrom: v⋆'.
        v_double_prime_mev_angstrom: v⋆'', left out by default. `hofstadter.fit_heavy_fermions` finds −33.2 for 0.8.
        damping_angstrom: λ.
        lattice_constant_angstrom: Moiré lattice constant.

    Raises:
        ValueError: If no parameters are known for `w0_over_w1`, or λ or the lattice constant is not positive.
    """
    warn_if_single_precision()
    known = PARAMETERS.get(w0_over_w1)
    if known is None:
        raise fail("w0_over_w1", "0.7 or 0.8", w0_over_w1, "`hofstadter.fit_heavy_fermions` finds other parameters.")
    if valley not in (1, -1):
        raise fail("valley", "+1 or −1", repr(valley))
    if scheme not in SCHEMES:
        raise fail("scheme", '"kernel", "ordered" or "exp"', repr(scheme))
    length = lattice_constant_angstrom
    damping = known.damping * length if damping_angstrom is None else damping_angstrom
    for name, value in (("lattice_constant_angstrom", length), ("damping_angstrom", damping)):
        check_finite(name, value)
        if is_concrete(value) and not np.real(value) > 0:
            raise fail(name, "positive", value)
    energies = {
        "gamma_mev": known.gamma if gamma_mev is None else gamma_mev,
        "m_mev": known.mass if m_mev is None else m_mev,
        "v_star_mev_angstrom": known.v_star if v_star_mev_angstrom is None else v_star_mev_angstrom,
        "v_prime_mev_angstrom": known.v_prime if v_prime_mev_angstrom is None else v_prime_mev_angstrom,
        "v_double_prime_mev_angstrom": v_double_prime_mev_angstrom,
    }
    for name, value in energies.items():
        check_finite(name, value)
    real = jnp.asarray(0.0).dtype
    gamma, mass, v_star, v_prime, v_double_prime = (jnp.asarray(value, real) for value in energies.values())
    size = len(ORBITALS)
    return HeavyFermions(
        gamma=gamma,
        mass=mass,
        v_star=v_star,
        v_prime=v_prime,
        v_double_prime=v_double_prime,
        damping=jnp.asarray(damping, real),
        vectors=jnp.asarray(length, real) * jnp.asarray(UNIT_VECTORS, real),
        potential=jnp.zeros((size, size), jnp.result_type(real, jnp.complex64)),
        valleys=(valley,),
        scheme=scheme,
    )
