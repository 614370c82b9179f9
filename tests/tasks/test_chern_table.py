"""Tables of Chern numbers."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status

models = hof.models


def test_every_band_at_several_fluxes():
    table = hof.chern_table(models.square(), ["1/3", "1/4"])
    assert table.sizes == {"flux": 2, "group": 4}
    np.testing.assert_array_equal(table.chern[0], [1, -2, 1, np.nan])
    # At 1/4 the middle bands touch: their numbers do not exist, and are not guessed.
    np.testing.assert_array_equal(table.chern[1], [1, np.nan, np.nan, 1])
    closed, absent = int(Status.GAP_CLOSED), int(Status.ABSENT)
    np.testing.assert_array_equal(table.status, [[0, 0, 0, absent], [0, closed, closed, 0]])
    np.testing.assert_array_equal(table["first"], [[0, 1, 2, -1], [0, 1, 2, 3]])
    # The touching points are at q k = (0, 0) up to a translation: where the table saw the smallest gap.
    place = 4 * table[["min_gap_k1", "min_gap_k2"]].isel(flux=1, group=1).to_array().values
    np.testing.assert_allclose(place, np.round(place), atol=0.01)


def test_gaps_given_groups_and_progress():
    done = []
    table = hof.chern_table(models.square(), ["1/3", "2/3"], groups="gaps", progress=done.append)
    assert done == [1, 1]
    np.testing.assert_array_equal(table["last"], [[1, 2], [1, 2]])
    np.testing.assert_array_equal(table.chern, [[1, -1], [-1, 1]])
    given = hof.chern_table(models.square(), ["1/3"], groups=[(0, 2), (0, 1)])
    np.testing.assert_array_equal(given.chern, [[-1, 1]])


@pytest.mark.parametrize("groups", ["band", [], [(0, 0)], [(0, 4)]])
def test_groups_that_do_not_exist(groups, unchecked_types):
    with pytest.raises(ValueError, match=r"Argument `groups(\[0\])?` must be"):
        hof.chern_table(models.square(), ["1/3"], groups=groups)
