"""Charged excitations of heavy fermions as a dataset: labels of parents, gaps of all flavors, and run files."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting.continuum import FluxSpectrum
from hofstadter.counting.edges import BandEdges
from hofstadter.counting.gaps import Gaps
from hofstadter.errors import Status
from hofstadter.flux import Flux
from hofstadter.io.config import parse_run_file
from hofstadter.tasks.heavy_fermion_excitations import FlavorSpectrum, union_gaps
from tests import heavy_fermions


def flavor(gaps, reference=2.0):
    """A flavor with gaps (lower, upper, bands below, s, t)."""
    lower, upper, below, s, t = (np.array(column, float) for column in zip(*gaps, strict=True))
    edges = BandEdges(np.array([-10.0]), np.array([10.0]), Status.OK)
    status = np.zeros(len(gaps), int)
    own = Gaps(below.astype(int), lower, upper, s, t, status, status)
    return FlavorSpectrum(FluxSpectrum(None, edges, np.zeros((1, 1))), own, reference)


def test_gaps_of_all_flavors_together():
    first = flavor([(-5.0, -1.0, 1, -1, 1), (0.0, 4.0, 3, 1, -1)])
    second = flavor([(-6.0, -4.9, 1, 0, -1), (-3.0, 2.0, 2, 0, 0)])
    found = union_gaps(Flux(1, 2), [first, second], [1, 3], 0.05)
    assert [(gap.lower, gap.upper) for gap in found] == [(-5.0, -4.9), (-3.0, -1.0), (0.0, 2.0)]
    assert [(gap.s, gap.t) for gap in found] == [(-1, -2), (-1, 1), (1, -1)]
    assert [gap.density for gap in found] == [-0.5 - 1.5, -0.5, 0.5]
    assert not union_gaps(Flux(1, 2), [first, second], [1, 3], 2.5)


TEXT = """
model: {name: heavy_fermions, MODEL}
task: {name: heavy_fermion_excitations, parent: PARENT, fluxes: [1/4, 1/3], bands_per_cell: 2}
output: {store: STORE}
"""


@pytest.mark.parametrize(
    ("parent", "flavors", "bands"),
    [("[[f1, empty], [filled, empty]]", 3, 16), ("[K-IVC, K-IVC]", 1, 32), ("[K-IVC, [empty, empty]]", 2, 32)],
)
def test_run_file(tmp_path, parent, flavors, bands):
    text = TEXT.replace("STORE", str(tmp_path / "a.zarr")).replace("MODEL", "w0_over_w1: 0.8").replace("PARENT", parent)
    run_file = parse_run_file(text, "f.yaml")
    model, parameters = run_file.at()
    sizes = run_file.task.sizes(model, parameters, run_file.task.points(model, parameters))
    assert (sizes["flavor"], sizes["band"]) == (flavors, bands)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "t"), [(("f1", "empty"), -1), (("f2", "empty"), 1), (("empty", "f1"), 1), (("empty", "f2"), -1)]
)
def test_half_filled_flavors(state, t):
    """The neutral half-filled flavor of each kind: s = 0 and t = ∓1, opposite in the valleys."""
    repulsion = hof.heavy_fermion_repulsion(u2_mev=0.0)
    found = hof.mean_field_flavors(heavy_fermions.model(), (state, ("filled", "empty")), repulsion)
    (own,) = [entry for entry in found if entry.filling == 0]
    gaps = hof.butterfly(own.model, fluxes=["1/4"], bands_per_cell=1, rtol=1e-4).isel(flux=0)
    neutral = (gaps["s"] == 0) & (gaps["status"] == Status.OK)
    widest = gaps.isel(gap=int(np.argmax(gaps["size"].where(neutral).fillna(-1).values)))
    assert int(widest["t"]) == t
    assert float(widest["size"]) > 5


@pytest.mark.slow
def test_dataset_of_a_parent_with_a_half_filled_flavor():
    data = hof.heavy_fermion_excitations(
        heavy_fermions.model(),
        [0, "1/4"],
        (("f1", "empty"), ("filled", "empty")),
        repulsion=hof.heavy_fermion_repulsion(u2_mev=0.0),
        bands_per_cell=2,
        rtol=1e-4,
    )
    assert data.attrs["flavors"] == ["f1 of K or f2 of K′", "empty", "filled"]
    assert (data.attrs["degeneracies"], data.attrs["filling"]) == ([1, 2, 1], -1)
    quarter = data.sel(flux=0.25)
    np.testing.assert_array_equal(quarter["flavor_t"], [-1, 0, 0])
    assert float(quarter["parent_t"]) == -1
    gaps = quarter.isel(gap=np.flatnonzero((quarter["s"] == -1) & (quarter["t"] == -1)))
    # The gap of the parent among those of all flavors, at filling −1 − φ, as wide as the charge gap.
    assert float(quarter["charge_gap"]) == pytest.approx(float(gaps["size"].max()), abs=1e-9)
    np.testing.assert_allclose(gaps["density"], -1.25)
    assert 5 < float(quarter["charge_gap"]) < 17
    assert float(data.sel(flux=0)["charge_gap"]) > 5
    assert (quarter["hole_edge"] < quarter["electron_edge"]).all()
    assert hof.plots.heavy_fermion_excitations(data).get_legend() is not None
