"""The picture of mean fields: which state is the best one, which did not converge."""

import numpy as np
import pytest
import xarray as xr

import hofstadter as hof
from hofstadter.errors import Status


@pytest.fixture
def dataset():
    """Two fillings and three starts at one flux; the lowest energy of the second filling did not converge."""
    dims = ("flux", "line", "start")
    failed = int(Status.HARTREE_FOCK_NOT_CONVERGED)
    return xr.Dataset(
        {
            "energy": (dims, [[[1.0, 0.5, 2.0], [3.0, 1.0, np.nan]]]),
            "gap": (dims, [[[10.0, 20.0, 5.0], [7.0, 8.0, np.nan]]]),
            "coherence": (dims, [[[0.0, 0.3, 0.0], [0.0, 0.0, np.nan]]]),
            "t": (dims, [[[0.0, -1.0, 0.0], [0.0, np.nan, np.nan]]]),
            "status": (dims, [[[0, 0, 0], [0, failed, int(Status.ABSENT)]]]),
            "filling": (("flux", "line"), [[0.0, 2.0]]),
        },
        coords={"flux": [0.5], "p": ("flux", [1]), "q": ("flux", [2])},
        attrs={"energy_unit": "meV"},
    )


def test_the_best_converged_state_is_filled(dataset):
    """Of the states at a filling the lowest converged one is filled; diamonds are coherent, crosses failed."""
    axes = hof.plots.mean_fields(dataset)
    drawn = {(line.get_xdata()[0], line.get_ydata()[0]): line for line in axes.lines if len(line.get_xdata()) == 1}
    assert set(drawn) == {(0.0, 10.0), (0.0, 20.0), (0.0, 5.0), (2.0, 7.0), (2.0, 8.0)}
    filled = {place for place, line in drawn.items() if not np.array_equal(line.get_markerfacecolor(), "none")}
    assert filled == {(0.0, 20.0), (2.0, 7.0), (2.0, 8.0)}
    assert [drawn[place].get_marker() for place in [(0.0, 20.0), (0.0, 10.0), (2.0, 8.0)]] == ["D", "o", "x"]
    assert [text.get_text() for text in axes.texts] == ["t = −1", "t = 0"]
    assert axes.get_ylabel() == "charge gap (meV)"


def test_other_datasets_are_refused(dataset):
    """The message names what is missing."""
    with pytest.raises(ValueError, match="coherence"):
        hof.plots.mean_fields(dataset.drop_vars("coherence"))
