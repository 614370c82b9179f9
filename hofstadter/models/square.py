"""Models with the square, rectangular or oblique Bravais lattice: square, Lieb, checkerboard, Kapit-Mueller, Rashba."""

import math

import jax.numpy as jnp

from hofstadter._checks import as_integer, fail
from hofstadter.models.tight_binding import Number, TightBinding, tight_binding

SQUARE = ((1.0, 0.0), (0.0, 1.0))


def square(t: Number = 1.0, t2: Number = 0.0, t3: Number = 0.0) -> TightBinding:
    """Square lattice, H = −t Σ_nn − t2 Σ_nnn − t3 Σ_3rd, lattice constant 1 (Hofstadter 1976 for t2 = t3 = 0).

    Args:
        t: Nearest neighbors (1, 0), (0, 1).
        t2: Second neighbors (1, 1), (1, −1).
        t3: Third neighbors (2, 0), (0, 2).
    """
    cells = [(t, 1, 0), (t, 0, 1), (t2, 1, 1), (t2, 1, -1), (t3, 2, 0), (t3, 0, 2)]
    return tight_binding(SQUARE, [[0, 0]], [(-a, 0, 0, (r1, r2)) for a, r1, r2 in cells], name="square")


def rectangular(t1: Number = 1.0, t2: Number = 1.0, *, length1: float = 1.0, length2: float = 1.0) -> TightBinding:
    """Rectangular lattice with sides `length1`, `length2` and hoppings −t1 along a1, −t2 along a2."""
    vectors = ((length1, 0.0), (0.0, length2))
    return tight_binding(vectors, [[0, 0]], [(-t1, 0, 0, (1, 0)), (-t2, 0, 0, (0, 1))], name="rectangular")


def oblique(
    t1: Number = 1.0, t2: Number = 1.0, t3: Number = 0.0, *, length2: float = 1.0, angle_deg: float = 75.0
) -> TightBinding:
    """Oblique lattice, |a1| = 1, |a2| = `length2`, hoppings −t1 along a1, −t2 along a2, −t3 along a1 − a2.

    Args:
        t1: Hopping along a1.
        t2: Hopping along a2.
        t3: Hopping along a1 − a2.
        length2: Length of a2 in units of |a1|.
        angle_deg: Angle from a1 to a2, in degrees, between 0 and 180.
    """
    if not 0 < angle_deg < 180:
        raise fail("angle_deg", "between 0 and 180", angle_deg)
    angle = math.radians(angle_deg)
    vectors = ((1.0, 0.0), (length2 * math.cos(angle), length2 * math.sin(angle)))
    hoppings = [(-t1, 0, 0, (1, 0)), (-t2, 0, 0, (0, 1)), (-t3, 0, 0, (1, -1))]
    return tight_binding(vectors, [[0, 0]], hoppings, name="oblique")


def lieb(t: Number = 1.0, dimerization: Number = 0.0, mass: Number = 0.0) -> TightBinding:
    """Lieb lattice: corner (0, 0), edges (1/2, 0) and (0, 1/2), H = −t Σ_nn, lattice constant 1.

    Args:
        t: Nearest-neighbor hopping.
        dimerization: Bonds towards +x and +y are t (1 + dimerization), the others t (1 − dimerization).
        mass: Energy of the corner site.
    """
    strong, weak = t * (1 + dimerization), t * (1 - dimerization)
    hoppings = [
        (mass, 0, 0, (0, 0)),
        (-1 * strong, 1, 0, (0, 0)),
        (-1 * weak, 1, 0, (1, 0)),
        (-1 * strong, 2, 0, (0, 0)),
        (-1 * weak, 2, 0, (0, 1)),
    ]
    return tight_binding(SQUARE, [[0, 0], [0.5, 0], [0, 0.5]], hoppings, name="lieb")


def kapit_mueller(flux: float = 0.25, *, t: Number = 1.0, max_range: int = 9) -> TightBinding:
    """Square lattice whose long-range hops make the lowest band exactly flat at energy −t at one flux.

    Amplitude t (−1)^(x+y+xy) exp[−(π/2)(1 − flux)(x² + y²)] for every displacement (x, y) ≠ 0, Eq. (2) of Kapit and
    Mueller, Phys. Rev. Lett. 105, 215303 (2010).

    Args:
        flux: Flux quanta per cell, between 0 and 1, that the band is made flat for; use the model at that flux.
        t: Energy scale.
        max_range: Largest |x| and |y|; 9 is converged to double precision for flux ≤ 1/2.
    """
    max_range = as_integer("max_range", max_range, minimum=1)
    hoppings = []
    for x in range(max_range + 1):
        for y in range(-max_range, max_range + 1):
            if x > 0 or y > 0:
                sign = -1 if (x + y + x * y) % 2 else 1
                decay = jnp.exp(-0.5 * jnp.pi * (1 - flux) * (x * x + y * y))
                hoppings.append((t * sign * decay, 0, 0, (x, y)))
    return tight_binding(SQUARE, [[0, 0]], hoppings, name="kapit_mueller")


def rashba(
    t: Number = 1.0,
    rashba: Number = 0.5,
    zeeman: Number = 0.0,
    zeeman_x: Number = 0.0,
    zeeman_y: Number = 0.0,
) -> TightBinding:
    """Spinful square lattice with Rashba coupling and Zeeman field; orbital 0 is spin up, 1 is spin down.

    H = −t Σ c†c + i λ Σ_bonds c†_i (σ × d_ij)_z c_j + h · σ, where d_ij is the unit vector from j to i and λ =
    `rashba`.

    Args:
        t: Spin-independent hopping.
        rashba: Strength λ of the spin-orbit hopping.
        zeeman: Field h_z times σ_z.
        zeeman_x: Field h_x times σ_x.
        zeeman_y: Field h_y times σ_y.
    """
    hoppings = [
        (zeeman, 0, 0, (0, 0)),
        (-1 * zeeman, 1, 1, (0, 0)),
        (zeeman_x - 1j * zeeman_y, 0, 1, (0, 0)),
    ]
    for cell in ((1, 0), (0, 1)):
        # The source sits at +cell, so d_ij = −cell; (σ × d)_z = σ_x d_y − σ_y d_x.
        up_down = 1j * rashba * (-cell[1] - 1j * cell[0])
        down_up = 1j * rashba * (-cell[1] + 1j * cell[0])
        hoppings += [
            (-1 * t, 0, 0, cell),
            (-1 * t, 1, 1, cell),
            (up_down, 0, 1, cell),
            (down_up, 1, 0, cell),
        ]
    return tight_binding(SQUARE, [[0, 0], [0, 0]], hoppings, name="rashba")


def checkerboard(t: Number = 1.0, t1: Number = 1.0, t2: Number = 0.0, *, phase: Number = 0.0) -> TightBinding:
    """Checkerboard lattice: sites A (0, 0) and B (1/2, 1/2), crossed second-neighbor bonds.

    Nearest neighbors −t exp(±i phase), in the direction of the arrows of Sun, Gu, Katsura and Das Sarma, Phys. Rev.
    Lett. 106, 236803 (2011); second neighbors −t1 along a1 on A and along a2 on B, −t2 along the other axis.
    t = t1 = 1, t2 = 0, phase = 0 is the planar pyrochlore lattice with its flat band.

    Args:
        t: Nearest-neighbor hopping.
        t1: Second neighbors along a1 on A and along a2 on B.
        t2: Second neighbors along a2 on A and along a1 on B.
        phase: Phase of the nearest-neighbor hopping in radians; ±π/4 gives the largest Chern gap.
    """
    forward, backward = jnp.exp(1j * phase), jnp.exp(-1j * phase)
    hoppings = [
        (-t * forward, 0, 1, (0, 0)),
        (-t * backward, 0, 1, (-1, 0)),
        (-t * forward, 0, 1, (-1, -1)),
        (-t * backward, 0, 1, (0, -1)),
        (-t1, 0, 0, (1, 0)),
        (-t1, 1, 1, (0, 1)),
        (-t2, 0, 0, (0, 1)),
        (-t2, 1, 1, (1, 0)),
    ]
    return tight_binding(SQUARE, [[0, 0], [0.5, 0.5]], hoppings, name="checkerboard")
