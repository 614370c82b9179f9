"""Peierls phases along straight bonds, measured against the magnetic translation that connects the two cells."""

from jaxtyping import Array, Float, Int


def peierls_area(
    target: Float[Array, "hop 2"], source: Float[Array, "hop 2"], translation: Int[Array, "hop 2"]
) -> Float[Array, " hop"]:
    """Area, in units of the primitive cell, whose flux a hop picks up on top of the magnetic translation.

    A hop from orbital j of cell R to orbital i of cell 0 along the straight bond carries
    exp(−(ie/ħ) ∫ A · dl) = exp[2πi (p/q) (x1 − x1')(x2 + x2')/2] in the gauge of `magnetic.translations`. Written as
    exp(2πi (p/q) area) D_k(R), with the site basis made by translating the orbitals of the home cell,

        area = R2 τ1_j + (τ1_i − R1 − τ1_j)(τ2_i + τ2_j + R2)/2.

    No orbital-dependent phase is left for the seam of the magnetic cell: the translations carry all of it.

    Args:
        target: Position τ_i of the orbital that is hopped to, in units of a1, a2.
        source: Position τ_j of the orbital that is hopped from, in its own cell.
        translation: R of the source's cell.

    Returns:
        The area; times 2π p/q it is the phase.
    """
    r1, r2 = translation[:, 0].astype(source.dtype), translation[:, 1].astype(source.dtype)
    along = target[:, 0] - r1 - source[:, 0]
    return r2 * source[:, 0] + along * (target[:, 1] + source[:, 1] + r2) / 2
