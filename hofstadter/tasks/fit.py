"""A fit as a labelled dataset."""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hofstadter._checks import fail
from hofstadter.fits.fit import Fit
from hofstadter.fits.observations import GapSize, Observation
from hofstadter.flux import Flux
from hofstadter.tasks._basis import model_attributes


def fit_dataset(result: Fit, observations: Sequence[Observation]) -> xr.Dataset:
    """Parameters, observations and residuals of a fit.

    Args:
        result: From `hofstadter.fit`.
        observations: The observations that were fitted.

    Returns:
        Dataset with dims (observation, parameter, with_parameter). Of each free parameter `x` the scalars `fitted_x`
        and `error_x` (its standard error); `covariance` (parameter, with_parameter), in the order of the attribute
        `parameters`. Of each observation `observed_p`, `observed_q`, `is_level` (1 for a level energy, 0 for a gap
        size), `s` and `t` (gaps), `band` and `side` (levels; +1 for the upper edge of the band, −1 for the lower),
        `measured`, `error`, `predicted`, `residual` = (measured − predicted)/error and `observation_status`. Scalars
        `chi_squared`, `degrees_of_freedom`, `steps` and `status`.

    Raises:
        ValueError: If there are not as many observations as were fitted.
    """
    if len(observations) != len(result.predicted):
        raise fail("observations", f"the {len(result.predicted)} that were fitted", len(observations))
    fluxes = [Flux.of(entry.flux) for entry in observations]
    columns = {
        "observed_p": [flux.p for flux in fluxes],
        "observed_q": [flux.q for flux in fluxes],
        "is_level": [int(not isinstance(entry, GapSize)) for entry in observations],
        "s": [entry.s if isinstance(entry, GapSize) else np.nan for entry in observations],
        "t": [entry.t if isinstance(entry, GapSize) else np.nan for entry in observations],
        "band": [-1 if isinstance(entry, GapSize) else entry.band for entry in observations],
        "side": [0 if isinstance(entry, GapSize) else 1 if entry.side == "upper" else -1 for entry in observations],
        "measured": [float(entry.size if isinstance(entry, GapSize) else entry.energy) for entry in observations],
        "error": [float(entry.error) for entry in observations],
        "predicted": result.predicted,
        "residual": result.residuals,
        "observation_status": result.observation_status,
    }
    return xr.Dataset(
        {
            **{f"fitted_{name}": value for name, value in result.values.items()},
            **{f"error_{name}": error for name, error in result.standard_errors.items()},
            "covariance": (("parameter", "with_parameter"), result.covariance),
            **{name: ("observation", np.asarray(values)) for name, values in columns.items()},
            "chi_squared": result.chi_squared,
            "degrees_of_freedom": result.degrees_of_freedom,
            "steps": result.steps,
            "status": int(result.status),
        },
        attrs={**model_attributes(result.model), "parameters": list(result.values)},
    )
