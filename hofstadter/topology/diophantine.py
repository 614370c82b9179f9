"""Gap labels: r = s q + t p ties the number of bands below a gap to its Chern number t."""

import numpy as np
from jaxtyping import Integer

from hofstadter.flux import Flux


def chern_modulo_q(bands_below: Integer[np.ndarray, "*batch"], flux: Flux) -> Integer[np.ndarray, "*batch"]:
    """The residue t mod q that the Diophantine equation r = s q + t p allows; it never fixes t itself."""
    inverse = pow(flux.p, -1, flux.q) if flux.q > 1 else 0
    return np.asarray(np.mod(np.asarray(bands_below) * inverse, flux.q))


def gap_label_s(
    bands_below: Integer[np.ndarray, "*batch"], chern: Integer[np.ndarray, "*batch"], flux: Flux
) -> tuple[Integer[np.ndarray, "*batch"], np.ndarray]:
    """Solve r = s q + t p for s.

    Args:
        bands_below: Number r of magnetic bands below the gap.
        chern: Chern number t of the gap.
        flux: p/q.

    Returns:
        s, and whether it is an integer: if not, t is wrong.
    """
    remainder = np.asarray(bands_below) - np.asarray(chern) * flux.p
    return remainder // flux.q, remainder % flux.q == 0
