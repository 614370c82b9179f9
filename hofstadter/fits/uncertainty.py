"""What a fit knows about its parameters: covariance from the curvature of chi², and what the data leave open."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# A direction counts as undetermined if the curvature along it is less than this part of the largest one, each
# parameter in units of its own standard error: the derivatives of energies are right to some 1e-8, curvature goes with
# their square, and a millionfold larger error than that of the single parameters is no determination.
SMALLEST_CURVATURE = 1e-12
# Parameters with less than this part in an undetermined direction have no part in it.
SMALLEST_PART = 1e-5


class Uncertainty(NamedTuple):
    """Covariance of the parameters.

    Attributes:
        covariance: Inverse of the curvature. For parameters that the data do not determine, infinite on the diagonal
            and NaN beside it.
        undetermined: Combinations of the parameters (direction, parameter) that change no observation, each scaled to
            a largest entry of one.
    """

    covariance: Float[np.ndarray, "parameter parameter"]
    undetermined: Float[np.ndarray, "direction parameter"]


def covariance(curvature: Float[np.ndarray, "parameter parameter"]) -> Uncertainty:
    """Invert half of the second derivatives of chi² as far as they determine the parameters; NaN stays NaN."""
    if not np.all(np.isfinite(curvature)):
        return Uncertainty(np.full_like(curvature, np.nan), np.zeros((0, len(curvature))))
    diagonal = np.diag(curvature)
    own_error = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1))
    values, vectors = np.linalg.eigh(curvature * own_error[:, None] * own_error[None, :])
    flat = values <= SMALLEST_CURVATURE * max(values[-1], 1e-300)
    known = vectors[:, ~flat] * own_error[:, None]
    inverse = (known / values[~flat]) @ known.T
    directions = vectors[:, flat].T
    open_ = np.any(np.abs(directions) > SMALLEST_PART, axis=0)
    inverse[open_, :] = inverse[:, open_] = np.nan
    inverse[open_, open_] = np.inf
    directions = directions * own_error[None, :]
    largest = np.abs(directions).argmax(axis=1)
    return Uncertainty(inverse, directions / directions[np.arange(len(directions)), largest][:, None])
