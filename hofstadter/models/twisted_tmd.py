"""Twisted homobilayers of transition metal dichalcogenides: a preset continuum model. Energies in meV, lengths in Å."""

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from hofstadter.models.continuum import Continuum, Number, continuum, in_valley

# ħ²/2 m_e in meV Å².
HBAR2_OVER_2M = 3809.98211


class TwistedTMDParameters(NamedTuple):
    """A published parameter set.

    Attributes:
        lattice_constant: Of one layer, in Å.
        mass: Effective mass over the electron's.
        potential_mev: V.
        phase_deg: ψ in degrees.
        tunnelling_mev: w.
    """

    lattice_constant: float
    mass: float
    potential_mev: float
    phase_deg: float
    tunnelling_mev: float


PARAMETERS = {
    # Devakul, Crépel, Zhang and Fu, Nat. Commun. 12, 6730 (2021).
    "WSe2": TwistedTMDParameters(3.317, 0.43, 9.0, 128.0, 18.0),
    # Wu, Lovorn, Tutuc, Martin and MacDonald, Phys. Rev. Lett. 122, 086402 (2019).
    "MoTe2": TwistedTMDParameters(3.472, 0.62, 8.0, -89.6, -8.5),
    # Reddy, Alsallom, Zhang, Devakul and Fu, Phys. Rev. B 108, 085117 (2023).
    "MoTe2 (Reddy 2023)": TwistedTMDParameters(3.52, 0.62, 11.2, -91.0, -13.3),
}


def twisted_tmd(
    theta_deg: Number = 2.0,
    material: Literal["WSe2", "MoTe2", "MoTe2 (Reddy 2023)"] = "WSe2",
    layer_mev: Number = 0.0,
    valley: int = 1,
) -> Continuum:
    """Valence bands of a twisted TMD homobilayer, components (layer 0, layer 1). Spin is locked to the valley.

        H = −(ħ²/2m) (π − K_l)² + 2V Σ_{g1,g3,g5} cos(g·r ± ψ) on the layers,  w (1 + exp(−ig2·r) + exp(−ig3·r)) between

    (Wu et al., Phys. Rev. Lett. 122, 086402 (2019)), with g_j at 60° steps from g1 along x, b1 = g1 and b2 = g3. Bands
    are counted from the top.

    Args:
        theta_deg: Twist angle in degrees.
        material: One of the published parameter sets.
        layer_mev: Energy of layer 0 minus that of layer 1.
        valley: +1, or −1 for the time-reversed partner.
    """
    if material not in PARAMETERS:
        raise ValueError(f"Argument `material` must be one of {', '.join(PARAMETERS)}, but is {material!r}.")
    return twisted_homobilayer(theta_deg, *PARAMETERS[material], layer_mev=layer_mev, valley=valley, name=material)


def twisted_homobilayer(
    theta_deg: Number,
    lattice_constant: Number,
    mass: Number,
    potential_mev: Number,
    phase_deg: Number,
    tunnelling_mev: Number,
    layer_mev: Number = 0.0,
    valley: int = 1,
    name: str = "homobilayer",
) -> Continuum:
    """`twisted_tmd` with parameters of your own.

    Args:
        theta_deg: Twist angle in degrees.
        lattice_constant: Of one layer, in Å.
        mass: Effective mass over the electron's.
        potential_mev: V.
        phase_deg: ψ in degrees.
        tunnelling_mev: w.
        layer_mev: Energy of layer 0 minus that of layer 1.
        valley: +1, or −1 for the time-reversed partner.
        name: Material.
    """
    moire = lattice_constant / (2 * jnp.sin(jnp.deg2rad(jnp.asarray(theta_deg, float)) / 2))
    # a_i · b_j = 2π δ_ij for b1 = g1 along x and b2 = g3 at 120°.
    vectors = moire * jnp.asarray([[math.sqrt(3) / 2, 0.5], [0.0, 1.0]])
    psi = jnp.deg2rad(jnp.asarray(phase_deg, float))
    kinetic = -HBAR2_OVER_2M / mass
    harmonics = [(1, 0), (0, 1), (-1, -1)]
    phase = jax.lax.complex(jnp.cos(psi), jnp.sin(psi))
    potential = [(potential_mev * phase, 0, 0, g) for g in harmonics]
    potential += [(potential_mev * phase.conj(), 1, 1, g) for g in harmonics]
    potential += [(tunnelling_mev, 0, 1, g) for g in [(0, 0), (-1, -1), (0, -1)]]
    if not (isinstance(layer_mev, int | float) and layer_mev == 0):
        potential += [(layer_mev / 2, 0, 0, (0, 0)), (-layer_mev / 2, 1, 1, (0, 0))]
    model = continuum(
        vectors,
        [(kinetic, 0, 0, (1, 1)), (kinetic, 1, 1, (1, 1))],
        potential,
        offsets=[[-2 / 3, -1 / 3], [-1 / 3, 1 / 3]],
        reference="top",
        name=f"twisted {name}",
        energy_unit="meV",
        length_unit="Å",
    )
    return in_valley(model, valley)
