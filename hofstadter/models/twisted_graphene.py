"""Twisted graphene multilayers: preset continuum models. Energies in meV, lengths in Å.

Layers turned by +θ/2 ("up") and −θ/2 ("down") have Dirac points that differ by q_j = K_up^(j) − K_down^(j), j = 1, 2,
3, with q_1 = k_θ (0, 1) and q_{j+1} = C3 q_j; b1 = q_2 − q_1 and b2 = q_3 − q_1 span the moiré reciprocal lattice. Up
and down layers are coupled by

    T(r) = Σ_j T_j exp(i (q_1 − q_j)·r),   T_j = w0 + w1 (cos φ_j σ_x + sin φ_j σ_y),   φ_j = 2π (j − 1)/3

(Bistritzer and MacDonald, PNAS 108, 12233 (2011)). Γ of the moiré zone is k = 0 at zero field.
"""

import math
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from hofstadter import lattice
from hofstadter._checks import fail, is_concrete
from hofstadter.models.continuum import Continuum, Number, continuum, in_valley

LATTICE_CONSTANT = 2.46
POISSON_RATIO = 0.16
# β = −d ln t/d ln a of graphene's hopping, over 2 × bond length/√3 (Suzuura and Ando, Phys. Rev. B 65, 235412 (2002)).
GRUENEISEN = 3.14


class Twist(NamedTuple):
    """Geometry of two kinds of layers: moiré lattice vectors, Dirac points in units of b1 and b2, and deformations.

    Attributes:
        vectors: Moiré lattice vectors.
        up: Dirac point of layers turned by +θ/2, in units of b1 and b2.
        down: Dirac point of layers turned by −θ/2.
        strain_up: Strain tensor of the up layers.
        strain_down: Strain tensor of the down layers.
    """

    vectors: Float[Array, "2 2"]
    up: Float[Array, " 2"]
    down: Float[Array, " 2"]
    strain_up: Float[Array, "2 2"]
    strain_down: Float[Array, "2 2"]


def twist(
    theta_deg: Number, lattice_constant: float = LATTICE_CONSTANT, strain: Number = 0.0, strain_angle_deg: Number = 0.0
) -> Twist:
    """Moiré geometry for a twist angle and a uniaxial heterostrain, +strain/2 on up and −strain/2 on down layers.

    A layer is deformed by 1 + ε before it turns by ±θ/2; its reciprocal vectors go with the inverse transpose, and its
    Dirac points move on by the pseudo vector potential (√3 β/2a) (ε_xx − ε_yy, −2ε_xy) in its own frame (Bi, Yuan and
    Fu, Phys. Rev. B 100, 035448 (2019)).
    """
    half = jnp.deg2rad(jnp.asarray(theta_deg, float)) / 2
    axis = _rotation(jnp.deg2rad(jnp.asarray(strain_angle_deg, float)))
    stretch = axis @ (jnp.asarray(strain, float) * jnp.diag(jnp.asarray([1.0, -POISSON_RATIO]))) @ axis.T
    strains = (stretch / 2, -stretch / 2)
    turns = (_rotation(half), _rotation(-half))
    corner = 4 * math.pi / (3 * lattice_constant)
    corners = jnp.stack([_rotation(2 * math.pi * j / 3) @ jnp.asarray([corner, 0.0]) for j in range(3)])
    up, down = (corners @ jnp.linalg.inv(turn @ (jnp.eye(2) + e)) for turn, e in zip(turns, strains, strict=True))
    q = up - down
    reciprocal = jnp.stack([q[1] - q[0], q[2] - q[0]])
    inverse = jnp.linalg.inv(reciprocal)
    gauge = [
        turn @ (jnp.sqrt(3.0) * GRUENEISEN / (2 * lattice_constant) * jnp.stack([e[0, 0] - e[1, 1], -2 * e[0, 1]]))
        for turn, e in zip(turns, strains, strict=True)
    ]
    vectors = 2 * jnp.pi * inverse.T
    if is_concrete(vectors) and lattice.cell_area(vectors) <= 0:
        raise fail("strain", "small against the twist angle", strain, "So much strain turns the moiré cell over.")
    return Twist(vectors, (-q[2] - gauge[0]) @ inverse, (q[1] - gauge[1]) @ inverse, strains[0], strains[1])


def bistritzer_macdonald(
    theta_deg: Number = 1.05,
    w1_mev: Number = 110.0,
    w0_over_w1: Number = 0.8,
    fermi_velocity_mev_angstrom: Number = 5944.0,
    rotated_paulis: bool = False,
    valley: int = 1,
    sublattice_mev: Number = 0.0,
    layer_mev: Number = 0.0,
    strain: Number = 0.0,
    strain_angle_deg: Number = 0.0,
) -> Continuum:
    """Twisted bilayer graphene, components (A up, B up, A down, B down).

    Without rotated Paulis and potentials the spectrum is symmetric about neutrality, and the two flat bands touch there
    at every flux.

    Args:
        theta_deg: Twist angle in degrees.
        w1_mev: Tunnelling between unlike sublattices, in meV.
        w0_over_w1: Ratio of tunnelling between like sublattices to that; 0 is the chiral limit.
        fermi_velocity_mev_angstrom: ħ v_F in meV Å.
        rotated_paulis: Whether σ turns with each layer, by ±θ/2. This breaks the particle-hole symmetry.
        valley: +1, or −1 for the time-reversed partner.
        sublattice_mev: σ_z potential on both layers.
        layer_mev: Energy of the up layer minus that of the down layer.
        strain: Uniaxial heterostrain, +strain/2 on the up and −strain/2 on the down layer.
        strain_angle_deg: Its direction from the x axis.
    """
    geometry = twist(theta_deg, LATTICE_CONSTANT, strain, strain_angle_deg)
    up, down = _turns(theta_deg, rotated_paulis)
    v = fermi_velocity_mev_angstrom
    kinetic = [
        *_dirac(v, 0, 1, up, geometry.strain_up, strain),
        *_dirac(v, 2, 3, down, geometry.strain_down, strain),
    ]
    onsite = [sublattice_mev + layer_mev / 2, layer_mev / 2 - sublattice_mev]
    onsite += [sublattice_mev - layer_mev / 2, -layer_mev / 2 - sublattice_mev]
    model = continuum(
        geometry.vectors,
        kinetic,
        _tunnelling(w1_mev, w0_over_w1, (0, 1), (2, 3)) + _constants(onsite),
        offsets=jnp.stack([geometry.up, geometry.up, geometry.down, geometry.down]),
        reference="neutrality",
        bands_per_cell=4,
        name="twisted bilayer graphene",
        energy_unit="meV",
        length_unit="Å",
    )
    return in_valley(model, valley)


def twisted_trilayer(
    theta_deg: Number = 1.54,
    w1_mev: Number = 110.0,
    w0_over_w1: Number = 0.8,
    fermi_velocity_mev_angstrom: Number = 5944.0,
    displacement_mev: Number = 0.0,
    rotated_paulis: bool = False,
    valley: int = 1,
) -> Continuum:
    """Mirror-symmetric twisted trilayer graphene: outer layers up, middle layer down.

    At zero displacement field it is a twisted bilayer with √2 times the tunnelling next to one Dirac cone (Khalaf et
    al., Phys. Rev. B 100, 085109 (2019)). Components (A, B) of the first outer, the middle and the second outer layer.

    Args:
        theta_deg: Twist angle of the middle layer against the outer ones, in degrees.
        w1_mev: Tunnelling between unlike sublattices of neighboring layers, in meV.
        w0_over_w1: Ratio of tunnelling between like sublattices to that.
        fermi_velocity_mev_angstrom: ħ v_F in meV Å.
        displacement_mev: Energy of the first outer layer minus that of the second one.
        rotated_paulis: Whether σ turns with each layer.
        valley: +1, or −1 for the time-reversed partner.
    """
    geometry = twist(theta_deg)
    up, down = _turns(theta_deg, rotated_paulis)
    v = fermi_velocity_mev_angstrom
    kinetic = [*_dirac(v, 0, 1, up), *_dirac(v, 2, 3, down), *_dirac(v, 4, 5, up)]
    half = displacement_mev / 2
    model = continuum(
        geometry.vectors,
        kinetic,
        _tunnelling(w1_mev, w0_over_w1, (0, 1), (2, 3))
        + _tunnelling(w1_mev, w0_over_w1, (4, 5), (2, 3))
        + _constants([half, half, 0.0, 0.0, -half, -half]),
        offsets=jnp.stack([geometry.up] * 2 + [geometry.down] * 2 + [geometry.up] * 2),
        reference="neutrality",
        bands_per_cell=5,
        name="twisted trilayer graphene",
        energy_unit="meV",
        length_unit="Å",
    )
    return in_valley(model, valley)


def twisted_double_bilayer(
    theta_deg: Number = 1.33,
    stacking: Literal["AB-AB", "AB-BA"] = "AB-AB",
    w0_mev: Number = 79.7,
    w1_mev: Number = 97.5,
    fermi_velocity_mev_angstrom: Number = 5253.0,
    gamma1_mev: Number = 400.0,
    v3_over_v: Number = 0.15,
    v4_over_v: Number = 0.02,
    dimer_mev: Number = 50.0,
    displacement_mev: Number = 0.0,
    valley: int = 1,
) -> Continuum:
    """Twisted double bilayer graphene: a Bernal bilayer turned by +θ/2 on one turned by −θ/2.

    Parameters and signs (H = −v σ·π within layers) after Koshino, Phys. Rev. B 99, 235406 (2019), quoted from memory
    rounded to two digits for v3 and v4. Components (A, B) of layers 1 to 4, tunnelling between layers 2 and 3.

    Args:
        theta_deg: Twist angle in degrees.
        stacking: "AB-AB", or "AB-BA" with the second bilayer turned by 180°.
        w0_mev: Tunnelling between like sublattices of the two inner layers, in meV.
        w1_mev: Tunnelling between unlike sublattices of the two inner layers, in meV.
        fermi_velocity_mev_angstrom: ħ v in meV Å.
        gamma1_mev: Coupling of the dimers within each bilayer.
        v3_over_v: Trigonal warping, as a velocity over v.
        v4_over_v: Electron-hole asymmetry, as a velocity over v.
        dimer_mev: Energy of dimer sites.
        displacement_mev: Energy of layer 1 minus that of layer 4, shared evenly by the layers between.
        valley: +1, or −1 for the time-reversed partner.
    """
    if stacking not in ("AB-AB", "AB-BA"):
        raise ValueError(f'Argument `stacking` must be "AB-AB" or "AB-BA", but is {stacking!r}.')
    geometry = twist(theta_deg)
    v = fermi_velocity_mev_angstrom
    first = _bernal(0, 1, 2, 3, v, gamma1_mev, v3_over_v, v4_over_v)
    # BA stacking exchanges the layers' roles: A of the lower layer sits on B of the upper one.
    lower = (4, 5, 6, 7) if stacking == "AB-AB" else (6, 7, 4, 5)
    second = _bernal(*lower, v, gamma1_mev, v3_over_v, v4_over_v)
    dimers = {1, 2, lower[1], lower[2]}
    layers = [displacement_mev * (1.5 - layer) / 3 for layer in range(4)]
    onsite = [layers[c // 2] + (dimer_mev if c in dimers else 0.0) for c in range(8)]
    model = continuum(
        geometry.vectors,
        first[0] + second[0],
        first[1] + second[1] + _tunnelling(w1_mev, w0_mev / w1_mev, (2, 3), (4, 5)) + _constants(onsite),
        offsets=jnp.stack([geometry.up] * 4 + [geometry.down] * 4),
        reference="neutrality",
        bands_per_cell=4,
        name=f"twisted double bilayer graphene, {stacking}",
        energy_unit="meV",
        length_unit="Å",
    )
    return in_valley(model, valley)


def _rotation(angle: Number) -> Float[Array, "2 2"]:
    c, s = jnp.cos(jnp.asarray(angle, float)), jnp.sin(jnp.asarray(angle, float))
    return jnp.stack([jnp.stack([c, -s]), jnp.stack([s, c])])


def _turns(theta_deg: Number, rotated: bool) -> tuple[Array | float, Array | float]:
    """Angles by which σ turns in the up and down layers."""
    half = jnp.deg2rad(jnp.asarray(theta_deg, float)) / 2
    return (half, -half) if rotated else (0.0, 0.0)


def _dirac(
    velocity: Number, a: int, b: int, angle: Array | float, deformation: Array | None = None, strain: Number = 0.0
) -> list:
    """Terms of v σ·(1 + ε) R(−angle) π on the sublattices (a, b)."""
    if deformation is None or (isinstance(strain, int | float) and strain == 0):
        phase = jax.lax.complex(jnp.cos(angle), jnp.sin(angle)) if isinstance(angle, jax.Array) else 1.0
        return [(velocity * phase, a, b, (0, 1))]
    matrix = (jnp.eye(2) + deformation) @ _rotation(-angle)
    x, y = jax.lax.complex(matrix[0], -matrix[1])
    return [(velocity * (x + 1j * y) / 2, a, b, (0, 1)), (velocity * (x - 1j * y) / 2, a, b, (1, 0))]


def _bernal(a1: int, b1: int, a2: int, b2: int, v: Number, gamma1: Number, v3: Number, v4: Number) -> tuple[list, list]:
    """Kinetic terms and couplings of a Bernal bilayer whose dimers are B1 and A2."""
    kinetic = [(-v, a1, b1, (0, 1)), (-v, a2, b2, (0, 1)), (v3 * v, b2, a1, (0, 1))]
    kinetic += [(v4 * v, a2, a1, (1, 0)), (v4 * v, b2, b1, (1, 0))]
    return kinetic, [(gamma1, a2, b1, (0, 0))]


def _tunnelling(w1: Number, ratio: Number, up: tuple[int, int], down: tuple[int, int]) -> list:
    """Harmonics of T(r) from a down layer to an up layer, each given by its sublattices (A, B)."""
    entries = []
    for j, g in enumerate([(0, 0), (-1, 0), (0, -1)]):
        phase = np.exp(2j * np.pi * j / 3)
        matrix = [[ratio * w1, w1 * complex(phase.conj())], [w1 * complex(phase), ratio * w1]]
        entries += [(matrix[a][b], up[a], down[b], g) for a in range(2) for b in range(2)]
    return entries


def _constants(energies: list) -> list:
    """On-site energies, left out where they are the plain number 0."""
    return [(e, c, c, (0, 0)) for c, e in enumerate(energies) if not (isinstance(e, int | float) and e == 0)]
