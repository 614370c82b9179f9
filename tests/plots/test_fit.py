import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from hofstadter.plots import fit


@pytest.fixture
def fitted():
    columns = {
        "observed_p": [1, 0, 1],
        "observed_q": [20, 1, 3],
        "is_level": [0, 0, 1],
        "s": [0.0, 1.0, np.nan],
        "t": [-2.0, 0.0, np.nan],
        "band": [-1, -1, 2],
        "side": [0, 0, 1],
        "measured": [0.3, 0.5, 1.2],
        "error": [0.01, 0.02, 0.03],
        "predicted": [0.31, 0.48, 1.2],
        "residual": [-1.0, 1.0, 0.0],
    }
    return xr.Dataset(
        {
            **{name: ("observation", values) for name, values in columns.items()},
            "covariance": (("parameter", "with_parameter"), np.eye(2)),
            "fitted_t2": 0.12345,
            "error_t2": 0.0031,
            "fitted_mass": 0.3,
            "error_mass": np.inf,
            "chi_squared": 2.0,
            "degrees_of_freedom": 1,
        },
        attrs={"parameters": ["t2", "mass"], "energy_unit": "meV"},
    )


def test_values_error_bars_and_residuals(fitted):
    ax = fit(fitted)
    (bars,) = ax.containers
    np.testing.assert_array_equal(bars.lines[0].get_ydata(), fitted["measured"])
    ends = np.array([segment[:, 1] for segment in bars.lines[2][0].get_segments()])
    np.testing.assert_allclose(ends[:, 1] - ends[:, 0], 2 * fitted["error"])
    np.testing.assert_array_equal(ax.lines[-1].get_ydata(), fitted["predicted"])
    (below,) = ax.child_axes
    np.testing.assert_array_equal(below.lines[-1].get_ydata(), fitted["residual"])
    labels = [label.get_text() for label in below.get_xticklabels()]
    assert labels == ["1/20  (0, −2)", "0  (1, 0)", "1/3  band 2 top"]
    assert ax.get_ylabel() == "energy (meV)"
    assert ax.get_title() == "t2 = 0.1235 ± 0.0031,  mass = 0.3000 ± ∞\nχ² = 2 with 1 degrees of freedom"


def test_many_observations_are_numbered(fitted):
    many = xr.concat([fitted] * 20, "observation", data_vars="minimal")
    _, ax = plt.subplots()
    assert fit(many, ax) is ax
    assert ax.child_axes[0].get_xlabel() == "observation"


def test_what_is_no_fit(fitted):
    with pytest.raises(ValueError, match="`dataset` must be a fit, but is without measured"):
        fit(fitted.drop_vars("measured"))
    with pytest.raises(ValueError, match="a single fit, but is one for each t3"):
        fit(xr.concat([fitted, fitted], "t3"))
