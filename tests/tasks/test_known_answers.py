"""Published and derived answers for whole butterflies: Chern numbers of gaps and bands, by both computed routes."""

import numpy as np
import pytest

import hofstadter as hof

LATTICES = ["square", "triangular", "honeycomb", "kagome", "lieb", "haldane"]

# (lattice, flux, Chern numbers of the isolated groups of bands, bottom to top, as band ranges)
BAND_CHERN_NUMBERS = [
    ("square", "1/3", {(0, 1): 1, (1, 2): -2, (2, 3): 1}),
    ("square", "2/5", {(0, 1): -2, (1, 2): 3, (2, 3): -2, (3, 4): 3, (4, 5): -2}),
    ("honeycomb", "1/3", {(0, 1): 1, (1, 2): -2, (2, 4): 2, (4, 5): -2, (5, 6): 1}),
    ("kagome", "1/3", dict(zip([(i, i + 1) for i in range(9)], [1, -2, 4, -2, -2, 1, 1, -2, 1], strict=True))),
    ("haldane", "0", {(0, 1): -1, (1, 2): 1}),
]


@pytest.mark.parametrize(("lattice", "flux", "expected"), BAND_CHERN_NUMBERS)
def test_chern_numbers_of_bands(lattice, flux, expected):
    problem = hof.at_flux(getattr(hof.models, lattice)(), flux)
    numbers = hof.chern_numbers(problem, list(expected))
    assert [int(number) for number in numbers] == list(expected.values())
    assert sum(expected.values()) == 0


def test_second_gap_of_the_triangular_lattice_is_outside_the_window_rule():
    gaps = hof.gaps(hof.models.triangular(), "1/3")
    np.testing.assert_array_equal(gaps.t, [1, 2])
    np.testing.assert_allclose(gaps.lower, [-3, 1.184792530904096], atol=1e-12)


@pytest.mark.slow
def test_rival_gap_with_the_same_density_is_not_mistaken_for_the_open_one():
    # At 4/5 the lines (1, 0) and (-3, 5) of the kagome lattice cross; (1, 0) opens beside 4/5, (-3, 5) is open at 4/5.
    gaps = hof.gaps(hof.models.kagome(), "4/5")
    gap = gaps.isel(gap=int(np.flatnonzero(gaps.bands_below == 5)[0]))
    assert (gap.s.item(), gap.t.item(), gap.route.item()) == (-3, 5, 3)


def test_landau_fan_of_the_honeycomb_lattice_at_one_thirty_first():
    """Below the van Hove singularity (3/8 filling) every gap has t = r, far outside |t| <= q/2."""
    gaps = hof.gaps(hof.models.honeycomb(), "1/31", min_gap=1e-3)
    below = gaps.bands_below.values <= 22
    np.testing.assert_array_equal(gaps.t.values[below], gaps.bands_below.values[below])
    assert (gaps.status == hof.Status.OK).all()


@pytest.mark.slow
@pytest.mark.parametrize("lattice", LATTICES)
def test_every_gap_up_to_q_12_has_a_label_from_both_routes(lattice):
    data = hof.butterfly(getattr(hof.models, lattice)(), max_denominator=12, min_gap=1e-3)
    present = data.status.values != hof.Status.ABSENT
    assert present.sum() > 250
    assert (data.status.values[present] == hof.Status.OK).all()
    both = data.route.values[present] == 3
    # Of the narrowest gaps a few are out of reach for one of the two routes.
    assert both.mean() > 0.99
    np.testing.assert_allclose(
        (data.s + data.t * data.flux).values[present], data.density.values[present], rtol=0, atol=1e-12
    )


@pytest.mark.slow
@pytest.mark.parametrize("lattice", ["square", "honeycomb", "kagome"])
def test_every_gap_at_q_97_has_a_label(lattice):
    fluxes = [(p, 97) for p in (1, 13, 48)]
    data = hof.butterfly(getattr(hof.models, lattice)(), fluxes=fluxes, min_gap=1e-3)
    present = data.status.values != hof.Status.ABSENT
    assert (data.status.values[present] == hof.Status.OK).all()
