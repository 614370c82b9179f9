"""Landau fans: known sequences, laws, laboratory units, and requests that cannot be met."""

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.units import BOHR_MAGNETON_MEV_PER_TESLA

models = hof.models

# Graphene with a lattice constant eight times as large and the same Fermi velocity, in meV and nm.
SCALE = 8
GRAPHENE = models.honeycomb(t=2700.0 / SCALE)
UNITS = {"length_unit_nm": 0.246 * SCALE, "energy_unit_mev": 1.0}
VELOCITY_MEV_NM = np.sqrt(3) / 2 * 2700.0 * 0.246


@pytest.fixture(scope="module")
def graphene():
    return hof.landau_fan(
        GRAPHENE,
        field_tesla=np.array([10.0, 14.0]),
        carrier_density=np.linspace(-4, 4, 161),
        neutral_filling=2.0,
        temperature_kelvin=4.2,
        broadening_mev=1.0,
        flavors=hof.spin_flavors(),
        **UNITS,
    )


def gaps_at(fan, number):
    row = fan.isel(flux=number)
    known = np.isfinite(row["density"].values)
    return {name: row[name].values[known] for name in ("lower", "upper", "size", "density", "s", "t", "status")}


def test_graphene_has_the_sequence_of_four_fold_levels(graphene):
    for i in range(2):
        gaps = gaps_at(graphene, i)
        assert np.all(gaps["status"] == 0)
        np.testing.assert_array_equal(gaps["s"], 0)
        large = gaps["size"] > 15
        t = gaps["t"][large]
        assert set(t) >= {-6, -2, 2, 6}
        assert np.all(t % 4 == 2)
        np.testing.assert_allclose(gaps["density"], gaps["t"] * float(graphene.flux[i]), atol=1e-12)
        # Between them Zeeman gaps of 2 μ_B B, where the level is half full: t = 0, ±4.
        small = gaps["size"] < 15
        assert {-4, 0, 4} <= set(gaps["t"][small])
        zeeman = 2 * BOHR_MAGNETON_MEV_PER_TESLA * float(graphene.field_tesla[i])
        np.testing.assert_allclose(gaps["size"][small & (np.abs(gaps["t"]) <= 4)], zeeman, atol=0.03)


def test_graphene_levels_follow_the_root_of_the_field(graphene):
    # E_n = sgn(n) v √(2 e ħ B |n|) = v √(2 |n|) / l_B; the correction of the lattice is linear in the flux.
    for n, t in ((1, 2), (2, 6)):
        ratios = []
        for i in range(2):
            gaps, field = gaps_at(graphene, i), float(graphene.field_tesla[i])
            upper = dict(zip(gaps["t"], gaps["upper"], strict=True))[t]
            level = upper + BOHR_MAGNETON_MEV_PER_TESLA * field
            ratios.append(level / (VELOCITY_MEV_NM * np.sqrt(2 * n * field) / 25.6556))
        slope, at_zero = np.polyfit(graphene.flux, ratios, 1)
        assert at_zero == pytest.approx(1, abs=1e-3)
        assert -0.05 * n < np.min(ratios) - 1 < 0
        assert slope < 0


def test_electrons_and_holes_mirror_each_other(graphene):
    compressibility = graphene["inverse_compressibility"].values
    np.testing.assert_allclose(compressibility, compressibility[:, ::-1], rtol=0.1)
    hall = graphene["hall_conductivity"].values
    np.testing.assert_allclose(hall, -hall[:, ::-1], atol=0.05)


def test_hall_conductivity_is_the_chern_number_in_gaps_and_follows_the_density(graphene):
    for i in range(2):
        flux = float(graphene.flux[i])
        at_two = np.interp(2 * flux, graphene.filling, graphene["hall_conductivity"].values[i])
        assert at_two == pytest.approx(2, abs=0.05)
        # Drude: a full level per quantum on average.
        slope = np.polyfit(graphene.filling / flux, graphene["hall_conductivity"].values[i], 1)[0]
        assert slope == pytest.approx(1, abs=0.05)


def test_sum_of_compressibility_is_the_change_of_the_chemical_potential(graphene):
    step = float(graphene.filling[1] - graphene.filling[0])
    total = graphene["inverse_compressibility"].values[:, 1:-1].sum(axis=1) * step
    potential = graphene["chemical_potential"].values
    np.testing.assert_allclose(total, potential[:, -1] - potential[:, 0], rtol=0.1)


def test_capacitance(graphene):
    expected = 16021.766 * graphene["density_of_states"] / graphene.attrs["cell_nm2"]
    np.testing.assert_allclose(graphene["quantum_capacitance"], expected, rtol=1e-6)
    assert graphene.attrs["tesla_per_quantum"] == pytest.approx(78912.3 / SCALE**2, rel=1e-5)


def test_square_lattice_counts_up_from_either_edge():
    fan = hof.landau_fan(models.square(), fluxes=["1/40"], temperature=0.003, broadening=0.01)
    gaps = gaps_at(fan, 0)
    np.testing.assert_array_equal(gaps["status"], 0)
    from_bottom, from_top = gaps["s"] == 0, gaps["s"] == 1
    assert np.all(from_bottom | from_top)
    np.testing.assert_array_equal(gaps["t"][from_bottom], 1 + np.arange(from_bottom.sum()))
    np.testing.assert_array_equal(gaps["t"][from_top], -np.arange(from_top.sum(), 0, -1))
    # They meet at the van Hove singularity at half filling.
    assert gaps["lower"][from_top].min() > 0 > gaps["upper"][from_bottom].max()
    assert gaps["density"][from_bottom].max() > 0.4
    hall = fan["hall_conductivity"].values[0]
    assert hall[fan.filling < 0.45].min() > 0 > hall[fan.filling > 0.55].max()


@pytest.mark.slow
def test_lines_are_the_verified_labels():
    model, fluxes = models.triangular(), ["2/7", "1/4", "1/3"]
    fan = hof.landau_fan(model, fluxes=fluxes, temperature=0.02, max_gaps=40)
    exact = hof.butterfly(model, fluxes=fluxes, min_gap=0.02)
    compare_with_verified(fan, exact)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["square", "triangular", "honeycomb", "kagome"])
def test_all_lines_are_the_verified_labels(name):
    model, fluxes = models.PRESETS[name](), hof.farey(13)
    fan = hof.landau_fan(model, fluxes=fluxes, broadening=0.02, max_gaps=40)
    exact = hof.butterfly(model, fluxes=fluxes, min_gap=0.02)
    lines = compare_with_verified(fan, exact)
    assert lines.sizes["line"] > 20


def compare_with_verified(fan, exact):
    """Every gap is there with its label and size, and every line of the fan is made of such gaps."""
    known = {}
    for i in range(exact.sizes["flux"]):
        row = gaps_at(exact, i)
        found = gaps_at(fan, i)
        places = {round(density * int(fan.q[i])): k for k, density in enumerate(found["density"])}
        for k, density in enumerate(row["density"]):
            if row["status"][k] != 0:
                continue
            mine = places[round(density * int(fan.q[i]))]
            assert (found["s"][mine], found["t"][mine]) == (row["s"][k], row["t"][k])
            assert found["size"][mine] == pytest.approx(row["size"][k], abs=1e-3)
            known[i, row["s"][k], row["t"][k]] = True
    lines = hof.gap_lines(fan, min_gap=0.02)
    assert lines.sizes["line"] > 0
    for line in range(lines.sizes["line"]):
        for i in np.flatnonzero(lines["gap"].values[line] > 0.0215):
            assert (i, float(lines.s[line]), float(lines.t[line])) in known
    return lines


def test_rows_do_not_depend_on_the_other_fluxes():
    options = {"temperature": 0.02, "filling": np.linspace(0.1, 0.4, 30)}
    together = hof.landau_fan(models.triangular(), fluxes=["1/7", "1/5", "2/9"], **options)
    alone = hof.landau_fan(models.triangular(), fluxes=["1/5"], **options)
    for name in together.data_vars:
        np.testing.assert_allclose(together[name].values[1], alone[name].values[0], atol=1e-9, err_msg=name)


def test_a_polarized_flavor_shifts_the_sequence():
    # One of two copies is pushed above the other by more than the band width: first one fills, then the other.
    shifted = (hof.Flavor("low"), hof.Flavor("high", shift=20.0))
    fan = hof.landau_fan(models.square(), fluxes=["1/10"], temperature=0.05, flavors=shifted)
    gaps = gaps_at(fan, 0)
    one = gaps_at(hof.landau_fan(models.square(), fluxes=["1/10"], temperature=0.05), 0)
    middle = gaps["size"].argmax()
    assert gaps["density"][middle] == pytest.approx(1.0)
    assert (gaps["s"][middle], gaps["t"][middle]) == (1, 0)
    np.testing.assert_allclose(gaps["t"][:middle], one["t"])
    np.testing.assert_allclose(gaps["s"][middle + 1 :] - 1, one["s"])
    np.testing.assert_allclose(gaps["size"][:middle], one["size"], atol=1e-3)


def test_a_time_reversed_flavor_has_the_opposite_field():
    model = models.haldane(t2=0.2, mass=0.3)
    flavors = (hof.Flavor("K"), hof.Flavor("K'", time_reversed=True))
    options = {"temperature": 0.05, "labels": False, "filling": np.linspace(0.2, 3.8, 40)}
    both = hof.landau_fan(model, fluxes=["1/6"], flavors=flavors, **options)
    mirrored = hof.landau_fan(models.time_reversed(model), fluxes=["-1/6"], flavors=flavors, **options)
    np.testing.assert_allclose(both["chemical_potential"], mirrored["chemical_potential"], atol=1e-9)
    potential = both["chemical_potential"].values[0]
    parts = [hof.density_of_states(model, potential, fluxes=[flux], temperature=0.05) for flux in ("1/6", "-1/6")]
    total = sum(part["integrated_density"].values[0] for part in parts)
    np.testing.assert_allclose(total, both.filling, atol=2e-3)


def test_density_of_states_holds_all_states():
    energies = np.linspace(-5, 5, 801)
    data = hof.density_of_states(models.kagome(), energies, fluxes=["1/5", "0"], temperature=0.02, broadening=0.05)
    np.testing.assert_allclose(np.trapezoid(data["density_of_states"], energies, axis=1), 3, atol=1e-3)
    np.testing.assert_allclose(data["integrated_density"].values[:, -1], 3, atol=1e-6)
    inside = hof.density_of_states(
        models.kagome(), energies[300:400], fluxes=["1/5"], temperature=0.02, broadening=0.05
    )
    np.testing.assert_allclose(inside["integrated_density"][0], data["integrated_density"][0, 300:400], atol=1e-6)
    assert np.all(data["dos_status"] == 0)


@pytest.mark.slow
def test_density_of_states_of_a_continuum_model_counts_from_its_reference():
    model = models.electron_gas(potential=0.0)
    # Landau levels at φ (n + 1/2) ħω: half way up the third, 2.5 levels of φ states each are filled.
    levels = np.sort(
        np.unique(np.round(np.asarray(hof.solve(hof.at_flux(model, "1/2"), jnp.zeros((1, 2))).energies), 9))
    )
    energies = np.linspace(0.0, float(levels[2]) + 0.3, 60)
    data = hof.density_of_states(model, energies, fluxes=["1/2"], temperature=0.02 * float(levels[1] - levels[0]))
    middle = (levels[0] + levels[1]) / 2
    assert np.interp(middle, energies, data["integrated_density"].values[0]) == pytest.approx(0.5, abs=1e-3)
    assert np.interp(levels[2], energies, data["integrated_density"].values[0]) == pytest.approx(1.25, abs=0.05)


@pytest.mark.slow
def test_out_of_reach_is_nan_with_a_status():
    model = models.dirac_superlattice()
    fan = hof.landau_fan(
        model, fluxes=["1"], filling=np.linspace(-6.0, 6.0, 13), temperature=0.05, labels=False, bands_per_cell=6
    )
    status = fan["fan_status"].values
    known = np.isfinite(fan["chemical_potential"].values)
    np.testing.assert_array_equal(status == hof.Status.OK, known)
    assert np.all(status[~known] == hof.Status.OUT_OF_RANGE)
    assert known[:, 6].all()


SQUARE = models.square()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fluxes": ["1/5"]}, "Temperature and broadening are both zero"),
        ({"fluxes": ["1/5"], "temperature": -0.1}, "`temperature` must be at least 0"),
        ({"fluxes": ["1/5"], "temperature": np.nan}, "`temperature` must be finite"),
        ({"temperature": 0.1}, "Give either `field_tesla` or `fluxes`"),
        ({"fluxes": ["1/5"], "temperature": 0.1, "temperature_kelvin": 1.0}, "units of a"),
        ({"fluxes": ["1/5"], "temperature": 0.1, "temperature_kelvin": 1.0, **UNITS}, "and not both"),
        ({"field_tesla": np.array([1.0]), "temperature": 0.1}, "`length_unit_nm` must be given"),
        ({"field_tesla": np.array([1e6]), "temperature": 0.1, **UNITS}, "`field_tesla` must be at most"),
        ({"field_tesla": np.array([-1.0]), "temperature": 0.1, **UNITS}, "`field_tesla` must be at least 0"),
        ({"field_tesla": np.array([2.0, 1.0]), "temperature": 0.1, **UNITS}, "ascending"),
        ({"fluxes": ["1/5"], "temperature": 0.1, "filling": np.array([0.5, 1.5])}, "between 0 and 1"),
        ({"fluxes": ["1/5"], "temperature": 0.1, "filling": np.array([0.5, 0.4])}, "ascending"),
        (
            {"fluxes": ["1/5"], "temperature": 0.1, "neutral_filling": 0.5, "filling": np.array([0.0, 0.7])},
            "-0.5 and 0.5",
        ),
        ({"fluxes": ["1/5", "1/5"], "temperature": 0.1}, "different from each other"),
        ({"fluxes": ["1/5"], "temperature": 1e-7}, "Resolving the lines takes"),
        ({"fluxes": ["1/5"], "temperature": 0.1, "bands_per_cell": 2}, "lattice model"),
        ({"fluxes": ["1/5"], "temperature": 0.1, "flavors": ()}, "`flavors` must be at least one"),
        ({"fluxes": ["1/5"], "temperature": 0.1, "flavors": hof.spin_flavors()}, "units of a"),
    ],
)
def test_impossible_requests(options, message):
    with pytest.raises(ValueError, match=message):
        hof.landau_fan(SQUARE, **options)
