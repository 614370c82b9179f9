"""Flavors that are filled from one reservoir."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting.staircase import SampledStates, count_staircases
from hofstadter.thermodynamics.flavors import combine

STEP = 0.01


@pytest.fixture(scope="module")
def part():
    states = SampledStates(hof.models.square(), [hof.Flux(1, 5)])
    return count_staircases(states, np.array([[-5.0, 5.0]]), STEP)[0]


def test_equal_copies_multiply_densities_and_labels(part):
    one, three = (combine([part], [copies], np.zeros(1), STEP) for copies in (1, 3))
    for name in ("density", "hall", "gap_density", "s", "t"):
        np.testing.assert_allclose(getattr(three, name), 3 * getattr(one, name), atol=1e-12)
    np.testing.assert_array_equal(three.lower, one.lower)
    together = combine([part] * 3, [1, 1, 1], np.zeros(3), STEP)
    np.testing.assert_allclose(together.density, three.density)
    np.testing.assert_allclose(together.t, three.t)


def test_a_split_pair_has_gaps_where_both_have_one(part):
    split = 0.3
    total = combine([part, part], [1, 1], np.array([split, -split]), STEP)
    energies = np.linspace(-4.4, 4.4, 2000)

    def in_gap(lower, upper, x):
        return ((x > lower[:, None] + 1e-9) & (x < upper[:, None] - 1e-9)).any(axis=0)

    ends = np.array([-np.inf, part.top]), np.array([part.bottom, np.inf])
    lower, upper = (
        np.concatenate([own, end]) for own, end in zip((part.gaps.lower, part.gaps.upper), ends, strict=True)
    )
    both = in_gap(lower, upper, energies - split) & in_gap(lower, upper, energies + split)
    outside = (energies < part.bottom - split) | (energies > part.top + split)
    np.testing.assert_array_equal(in_gap(total.lower, total.upper, energies), both & ~outside)
    # Labels: density = s + t φ, and the density that the staircase has there.
    np.testing.assert_allclose(total.gap_density, total.s + total.t / 5)
    middle = (total.lower + total.upper) / 2
    wide = total.upper - total.lower > 3 * STEP
    np.testing.assert_allclose(np.interp(middle, total.energies, total.density)[wide], total.gap_density[wide])
    np.testing.assert_allclose(np.interp(middle, total.energies, total.hall)[wide], total.t[wide], atol=1e-9)


def test_levels_keep_their_mean_energy(part):
    # ∫ E dN over all states is their sum, which shifts by shift × states.
    def mean(shift):
        total = combine([part], [1], np.array([shift]), STEP)
        centers = (total.energies[1:] + total.energies[:-1]) / 2
        return np.sum(centers * np.diff(total.density))

    # Where several bands share a step, their places in it are not known: a twentieth of a step on average.
    assert mean(0.0) == pytest.approx(0, abs=STEP / 20)
    assert mean(0.1234) - mean(0.0) == pytest.approx(0.1234, abs=STEP / 20)


def test_spin_and_valley():
    assert [flavor.moment for flavor in hof.spin_flavors(g_factor=4.0)] == [2.0, -2.0]
    four = hof.spin_flavors(valleys=True)
    assert [(flavor.time_reversed, flavor.moment) for flavor in four] == [
        (False, 1.0),
        (False, -1.0),
        (True, 1.0),
        (True, -1.0),
    ]
    with pytest.raises(ValueError, match="`degeneracy` must be at least 1"):
        hof.Flavor(degeneracy=0)
    with pytest.raises(ValueError, match="`shift` must be finite"):
        hof.Flavor(shift=float("nan"))
