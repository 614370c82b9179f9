"""What is gauge invariant in the Peierls phases: the flux through closed loops, whatever the geometry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hofstadter.magnetic import gauge, translations
from tests import strategies
from tests.oracles import peierls

CORNERS = 5
CELLS = 7

_area = jax.jit(gauge.peierls_area)
_irrep = jax.jit(translations.irrep, static_argnames="cells")

sites = st.tuples(
    st.floats(-1.5, 1.5, width=32), st.floats(-1.5, 1.5, width=32), st.integers(-3, 3), st.integers(-6, 6)
)
loops = st.lists(sites, min_size=CORNERS, max_size=CORNERS)


def loop_phase(loop, flux, k, row, peierls_area=_area):
    """Product of matrix elements ⟨s0|H|s1⟩⟨s1|H|s2⟩ … ⟨sn|H|s0⟩ of unit hops, starting in a given row."""
    p, q = flux
    here, there = np.array(loop, float), np.array(loop[1:] + loop[:1], float)
    translation = jnp.asarray((there - here)[:, 2:].astype(int))
    area = np.asarray(peierls_area(jnp.asarray(here[:, :2]), jnp.asarray(there[:, :2]), translation))
    column, turns = map(
        np.asarray, _irrep(translation, jnp.asarray(p), jnp.asarray(q), jnp.asarray(k, float), cells=CELLS)
    )
    product, m = 1, row
    for hop in range(len(loop)):
        product *= np.exp(2j * np.pi * (p / q * area[hop] + turns[hop, m]))
        m = column[hop, m]
    assert m == row
    return product


def loop_area(loop):
    """Oriented area of s0 → s1 → … → s0 in units of the cell, counterclockwise positive."""
    return peierls.polygon_area([(x1 + r1, x2 + r2) for x1, x2, r1, r2 in loop])


@given(loops, strategies.fluxes(), strategies.momenta(), st.integers(0, 6))
def test_flux_through_every_closed_loop(loop, flux, k, row):
    # ⟨a|H|b⟩ is the hop b → a and carries −(e/ħ) ∫_b^a A·dl, so the electron runs the loop backwards: −(−φ) =
    # +φ.
    p, q = flux
    expected = np.exp(2j * np.pi * p / q * loop_area(loop))
    np.testing.assert_allclose(loop_phase(loop, flux, k, row % q), expected, atol=1e-11)


@pytest.mark.parametrize("flux", [(1, 3), (-2, 5), (3, 2)])
def test_sign_on_the_unit_square(flux):
    # Counterclockwise 0 → a1 → a1 + a2 → a2 → 0 by an electron (charge −e, B along +z) is exp(−iφ), from
    # the product of matrix elements ⟨0|H|a2⟩⟨a2|H|a1+a2⟩⟨a1+a2|H|a1⟩⟨a1|H|0⟩ (the rightmost hop comes first).
    p, q = flux
    product = loop_phase([(0, 0, 0, 0), (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 1, 0)], flux, (0.3, 0.4), 0)
    np.testing.assert_allclose(product, np.exp(-2j * np.pi * p / q), atol=1e-14)


def test_the_law_notices_a_missing_seam_phase():
    # The term R2 τ1 is what remains of the seam phase exp(2πi p τ1 J) of a magnetic cell. A loop through
    # lattice points alone would not miss it.
    def without_seam(target, source, translation):
        return _area(target, source, translation) - translation[:, 1].astype(float) * source[:, 0]

    on_lattice = [(0, 0, 0, 0), (0, 0, 2, 1), (0, 0, 1, 3), (0, 0, -1, 2), (0, 0, 0, 1)]
    off_lattice = [(0.3, 0.1, 0, 0), (0.7, 0.2, 0, 1), (0.7, 0.2, 1, 1), (0.3, 0.1, 1, 0), (0, 0, 0, 0)]
    for loop, noticed in ((on_lattice, False), (off_lattice, True)):
        expected = np.exp(2j * np.pi / 3 * loop_area(loop))
        np.testing.assert_allclose(loop_phase(loop, (1, 3), (0.1, 0.2), 1), expected, atol=1e-12)
        wrong = loop_phase(loop, (1, 3), (0.1, 0.2), 1, without_seam)
        assert (abs(wrong - expected) > 1e-3) == noticed


def test_a_hop_and_its_partner_are_conjugate():
    loop = [(0.3, -0.4, 0, 0), (-0.7, 0.2, 1, 2)]
    for row in range(3):
        np.testing.assert_allclose(loop_phase(loop, (2, 3), (0.1, 0.2), row), 1, atol=1e-13)


def test_naming_an_orbital_in_another_cell_changes_no_flux(rng):
    loop = [(*rng.uniform(-1, 1, 2), *rng.integers(-2, 3, 2)) for _ in range(CORNERS)]
    moved = [(x1 + 1, x2 - 2, r1 - 1, r2 + 2) for x1, x2, r1, r2 in loop]
    k = (0.1, 0.2)
    np.testing.assert_allclose(loop_phase(loop, (2, 5), k, 1), loop_phase(moved, (2, 5), k, 1), atol=1e-12)
