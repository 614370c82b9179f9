"""The dataset of insulators of filled flavors, its fan and verdicts, and requests that cannot be met."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status
from hofstadter.interactions import DoubleGateCoulomb, double_gate_coulomb
from hofstadter.tasks.registry import TASKS

MODEL = hof.models.bistritzer_macdonald(w0_over_w1=0.8)
REPULSION = double_gate_coulomb(MODEL, separation_nm=10.0, dielectric=6.0)
OPTIONS = {
    "fillings": [-2.0, 0.0, 4.0],
    "points": 4,
    "levels": 31,
    "rtol": 1e-3,
    "momentum_rtol": 1e-3,
    "corners": ["K", "Γ", "M"],
    "path_points": 9,
    "steps": 2,
}


@pytest.fixture(scope="module")
def data():
    return hof.strong_coupling(MODEL, REPULSION, **OPTIONS)


@pytest.mark.slow
def test_gaps_masses_and_verdicts(data):
    assert data["status"].values.tolist() == [Status.UNSTABLE, Status.OK, Status.OK]
    gap = data["charge_gap"].values
    np.testing.assert_allclose(gap[:2], [-1.32, 30.27], atol=0.1)
    assert np.isnan(gap[2])
    assert data["degeneracy"].values.tolist() == [[3, 1], [2, 2], [0, 4]]
    np.testing.assert_allclose(data["mass"].sel(filling=0), 0.162, atol=5e-3)
    np.testing.assert_allclose(data["edge_k"].sel(filling=0), 0.5, atol=1e-6)
    assert data["state_energy"].sel(filling=0) == pytest.approx(0, abs=1e-10)
    assert data["group_chern"] == 0
    assert (data["min_gap"] > 30).all()
    assert data["cutoff_error"] < 0.05


@pytest.mark.slow
def test_excitations_along_the_path_meet_the_edges(data):
    corners = data.attrs["corners"]
    assert data.attrs["corner_labels"] == ["K", "Γ", "M"]
    at_gamma = data["charge_energy"].isel(point=corners[1])
    np.testing.assert_allclose(
        at_gamma.isel(band=0).min("valley").sel(filling=[-2, 0]),
        data["edge_energy"].sel(filling=[-2, 0]),
        atol=1e-8,
    )
    # A group that is full has no room for electrons.
    assert np.isnan(data["charge_energy"].sel(filling=4, charge=1)).all()


@pytest.mark.slow
def test_neutral_modes_hold_goldstone_modes(data):
    modes = data["neutral_energy"].sel(filling=0)
    assert data["transfer_length"][0] == 0
    np.testing.assert_allclose(modes.isel(momentum=0, mode=0), 0, atol=1e-9)
    np.testing.assert_allclose(modes.isel(pair=0), modes.isel(pair=1), atol=1e-8)
    assert data["neutral_gap"].sel(filling=-2) < -1
    assert np.isnan(data["neutral_gap"].sel(filling=4))


@pytest.mark.slow
def test_fan_and_announced_sizes(data):
    def slopes(filling, charge):
        chosen = (data["line_filling"] == filling) & (data["line_charge"] == charge) & (data["line_side"] > 0)
        return data["line_t"].values[chosen.values].tolist()

    assert (slopes(0, 1), slopes(0, -1), slopes(0, 0)) == ([2, 4], [-2, -4], [0])
    assert (slopes(-2, 1), slopes(-2, -1)) == ([3, 6], [-1, -2])
    assert (slopes(4, 1), slopes(4, -1)) == ([], [-4, -8])
    unstable = data["line_filling"].values == -2
    assert ((data["line_status"].values == Status.UNSTABLE) == unstable).all()
    assert "not verified" in data.attrs["fan"]
    task = TASKS["strong_coupling"]
    parameters = task.parameters(**OPTIONS)
    assert dict(data.sizes) == task.sizes(MODEL, parameters, task.points(MODEL, parameters))
    assert set(data.variables) <= task.names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fillings": [1.0]}, "among -4, -2, 0, 2, 4, but is 1"),
        ({"fillings": [0.0, 0.0]}, "without repetitions"),
        ({"flux": -1}, "positive"),
        ({"model": hof.models.haldane()}, "a continuum model of one valley"),
    ],
)
@pytest.mark.usefixtures("unchecked_types")
def test_requests_that_cannot_be_met(change, message):
    given = {"model": MODEL, **change}
    with pytest.raises(ValueError, match=message):
        hof.strong_coupling(interaction=DoubleGateCoulomb(1.0, 1.0), **given)


def test_run_files_say_what_is_wrong():
    task = TASKS["strong_coupling"]
    parameters = task.parameters(fillings=[0.0, 1.0])
    with pytest.raises(ValueError, match="Only complete flavors"):
        task.sizes(MODEL, parameters, task.points(MODEL, parameters))
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        task.parameters(points=1)
