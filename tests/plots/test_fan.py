"""Pictures of fans: axes in the right units, lines where the gaps are, maps of the right values."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection, QuadMesh
from matplotlib.figure import Figure

import hofstadter as hof

models = hof.models


@pytest.fixture(scope="module")
def fan():
    return hof.landau_fan(
        models.square(t=10.0),
        field_tesla=np.linspace(1.0, 2.5, 4),
        filling=np.linspace(0.01, 0.5, 50),
        temperature_kelvin=2.0,
        broadening_mev=0.2,
        length_unit_nm=10.0,
        energy_unit_mev=1.0,
    )


def axes():
    return Figure().subplots()


def mesh_of(ax):
    return next(artist for artist in ax.collections if isinstance(artist, QuadMesh))


def test_landau_fan(fan):
    ax = hof.plots.landau_fan(fan, axes(), overlay=[(0.0, 7.0)])
    assert ax.get_xlabel() == "density (10¹² cm⁻²)"
    assert ax.get_ylabel() == "magnetic field (T)"
    np.testing.assert_allclose(ax.get_xlim(), fan["filling"].values[[0, -1]] * 1.0)  # one cell is 100 nm²
    shown = mesh_of(ax).get_array()
    np.testing.assert_allclose(shown.reshape(4, 50), fan["inverse_compressibility"].values)
    labels = {text.get_text() for text in ax.texts}
    assert {"(0, 1)", "(0, 2)"} <= labels
    flux, field = fan["flux"].values, fan["field_tesla"].values
    drawn = [np.asarray(line.get_xydata()) for line in ax.lines]
    for t in (1, 2):
        assert any(
            np.allclose(line[np.isfinite(line[:, 0])], np.stack([t * flux, field], axis=1)[np.isfinite(line[:, 0])])
            for line in drawn
            if np.isfinite(line[:, 0]).any()
        )
    dashed = drawn[-1]
    np.testing.assert_allclose(dashed, np.stack([7 * flux, field], axis=1))
    assert not hof.plots.landau_fan(fan, axes(), lines=False).texts


def test_gap_map(fan):
    ax = hof.plots.gap_map(fan, axes())
    lines = next(artist for artist in ax.collections if isinstance(artist, LineCollection))
    found = hof.gap_lines(fan, min_gap=0.02 * float(fan["size"].max()))
    both = np.isfinite(found["gap"].values)
    assert len(lines.get_segments()) == int((both[:, 1:] & both[:, :-1]).sum()) > 5
    widths = lines.get_linewidths()
    assert max(widths) <= 5.0
    assert min(widths) > 0


def test_maps_over_energy(fan):
    dos = hof.density_of_states(
        models.square(), np.linspace(-4.5, 4.5, 80), fluxes=["1/9", "1/7", "1/8"], broadening=0.1
    )
    ax = hof.plots.density_of_states(dos, axes())
    assert ax.get_xlabel() == "flux per cell Φ/Φ₀"
    np.testing.assert_allclose(mesh_of(ax).get_array().reshape(80, 3), dos.sortby("flux")["density_of_states"].values.T)
    m = hof.magnetization(models.square(), np.linspace(-4.5, 0, 40), fluxes=["1/9", "1/7"], broadening=0.1)
    ax = hof.plots.magnetization(m, axes())
    assert ax.get_ylabel() == "chemical potential (t)"
    assert hof.plots.hall_fan(fan, axes()).get_xlabel() == "density (10¹² cm⁻²)"


def test_other_datasets_are_refused(fan):
    butterfly = hof.butterfly(models.square(), fluxes=["1/3"])
    for plot in (hof.plots.landau_fan, hof.plots.gap_map, hof.plots.hall_fan, hof.plots.density_of_states):
        with pytest.raises(ValueError, match="`dataset` must be one of"):
            plot(butterfly)
    with pytest.raises(ValueError, match="`dataset` must be one of"):
        hof.plots.magnetization(fan)
