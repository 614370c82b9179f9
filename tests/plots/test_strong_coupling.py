"""Pictures of insulators of filled flavors: every line where the data say, and verdicts in words."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from hofstadter.errors import Status
from hofstadter.interactions.charge_edges import ChargeEdge, ChargeGap
from hofstadter.interactions.reentrant_fan import fan_lines
from hofstadter.plots import charge_excitations, neutral_modes, reentrant_fan


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    status = [Status.UNSTABLE, Status.OK]
    gaps = [
        ChargeGap(filling, filling / 2, ChargeEdge(1, 1.0, (), g), ChargeEdge(-1, 1.0, (), h), 2.0, code)
        for filling, g, h, code in zip((-2.0, 0.0), (3, 2), (1, 2), status, strict=True)
    ]
    lines = fan_lines(gaps, steps=2)
    energy = rng.uniform(1, 2, (2, 2, 2, 5, 2))
    energy[0, 1, 1] = np.nan
    return xr.Dataset(
        {
            "status": ("filling", [int(code) for code in status]),
            "charge_energy": (("filling", "charge", "valley", "point", "band"), energy),
            "distance": ("point", np.linspace(0, 1, 5)),
            "neutral_energy": (("filling", "pair", "momentum", "mode"), rng.uniform(0, 1, (2, 2, 9, 3))),
            "transfer_length": ("momentum", np.linspace(0, 1, 9)),
            **{
                f"line_{name}": ("line", np.array([float(getattr(line, name)) for line in lines]))
                for name in lines[0]._fields
            },
        },
        coords={"filling": [-2.0, 0.0], "charge": [1, -1]},
        attrs={
            "flux": "1",
            "energy_unit": "meV",
            "length_unit": "Å",
            "tesla_per_quantum": 26.5,
            "corners": [0, 4],
            "corner_labels": ["K", "Γ"],
        },
    )


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def test_excitations_of_the_neutral_state_are_drawn_by_default(data):
    ax = charge_excitations(data)
    assert "ν = 0" in ax.get_title()
    curves = [line for line in ax.lines if len(line.get_xdata()) == 5]
    assert len(curves) == 8
    np.testing.assert_allclose(curves[0].get_ydata(), data["charge_energy"].values[1, 0, 0, :, 0])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["K", "Γ"]
    assert ax.get_ylabel() == "energy (meV)"


def test_an_unstable_state_says_so(data):
    assert "ν = −2, not stable" in charge_excitations(data, filling=-2).get_title()
    assert "not stable" in neutral_modes(data, filling=-2.0).get_title()
    with pytest.raises(ValueError, match=r"one of \[-2.0, 0.0\], but is 2"):
        neutral_modes(data, filling=2)


def test_neutral_modes_of_both_pairs(data):
    ax = neutral_modes(data)
    points = [line for line in ax.lines if len(line.get_xdata()) == 9]
    assert len(points) == 6
    np.testing.assert_allclose(points[3].get_ydata(), data["neutral_energy"].values[1, 1, :, 0])
    assert ax.get_xlabel() == "|Q| (1/Å)"


def test_fan_opens_from_the_flux_of_the_insulators(data):
    ax = reentrant_fan(data, reach=0.2)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_label().startswith("_child")]
    fan = lines[: data.sizes["line"]]
    for line, filling, side, s, t in zip(
        fan, *(data[f"line_{name}"].values for name in ("filling", "side", "s", "t")), strict=True
    ):
        x, y = line.get_data()
        np.testing.assert_allclose(y, [1, 1 + 0.2 * side])
        np.testing.assert_allclose(x, [filling, s + t * y[1]], atol=1e-12)
        assert line.is_dashed() == (filling == -2.0)
    assert ax.get_ylim() == (0.8, 1.2)
    # Slopes of the stable lines are written above them.
    assert {text.get_text() for text in ax.texts} == {"(0, 0)", "(−2, 2)", "(2, −2)", "(−4, 4)", "(4, −4)"}


@pytest.mark.parametrize("draw", [charge_excitations, neutral_modes, reentrant_fan])
def test_other_datasets_are_refused(draw):
    with pytest.raises(ValueError, match="strong_coupling"):
        draw(xr.Dataset())
