"""Gap labels r = s q + t p."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hofstadter.flux import Flux
from hofstadter.topology.diophantine import chern_modulo_q, gap_label_s
from tests import strategies


@given(strategies.fluxes(max_q=30), st.integers(-50, 50), st.integers(-50, 50))
def test_labels_of_a_given_gap(pair, s, t):
    flux = Flux(*pair)
    below = np.array([s * flux.q + t * flux.p])
    assert chern_modulo_q(below, flux) == t % flux.q
    found, solvable = gap_label_s(below, np.array([t]), flux)
    assert (found, solvable) == (s, True)
    found, solvable = gap_label_s(below, np.array([t + flux.q]), flux)
    assert (found, solvable) == (s - flux.p, True)


@given(strategies.fluxes(max_q=30), st.integers(0, 100), st.integers(-20, 20))
def test_a_wrong_chern_number_is_noticed(pair, below, t):
    flux = Flux(*pair)
    _, solvable = gap_label_s(np.array([below]), np.array([t]), flux)
    assert bool(solvable[0]) == ((t - chern_modulo_q(np.array([below]), flux)[0]) % flux.q == 0)


@pytest.mark.parametrize("flux", [Flux(0), Flux(1), Flux(-3)])
def test_whole_quanta_allow_any_chern_number(flux):
    below, t = np.array([0, 1, 5]), np.array([2, -7, 0])
    np.testing.assert_array_equal(chern_modulo_q(below, flux), 0)
    s, solvable = gap_label_s(below, t, flux)
    np.testing.assert_array_equal(s, below - t * flux.p)
    assert solvable.all()


def test_no_gaps():
    none = np.zeros(0, int)
    assert chern_modulo_q(none, Flux(1, 3)).shape == chern_modulo_q(none, Flux(1)).shape == (0,)
    assert gap_label_s(none, none, Flux(1, 3))[1].shape == (0,)
