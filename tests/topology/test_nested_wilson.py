"""Nested Wilson loops: the quadrupole insulator of Benalcazar, Bernevig and Hughes, Science 357, 61 (2017)."""

import equinox as eqx
import jax
import numpy as np
import pytest

import hofstadter as hof


def quadrupole(inside, *, delta=0.0):
    """Square of four orbitals with π flux, hopping `inside` in the cell and 1 between cells."""
    hops = [
        (inside, 0, 1, (0, 0)),
        (1.0, 0, 1, (-1, 0)),
        (-inside, 2, 3, (0, 0)),
        (-1.0, 2, 3, (-1, 0)),
        (inside, 0, 2, (0, 0)),
        (1.0, 0, 2, (0, -1)),
        (inside, 1, 3, (0, 0)),
        (1.0, 1, 3, (0, -1)),
    ]
    staggered = [(sign * delta, i, i, (0, 0)) for i, sign in enumerate([1, -1, -1, 1])]
    return hof.models.tight_binding(np.eye(2), np.zeros((4, 2)), staggered + hops, name="quadrupole")


def nested(model, **options):
    return hof.nested_wilson_loop(hof.at_flux(model, (0, 1)), (0, 2), steps=12, loops=12, **options)


@pytest.mark.parametrize(("inside", "polarization"), [(0.5, 0.5), (1.5, 0.0)])
@pytest.mark.parametrize("direction", [1, 2])
def test_polarization_of_each_wannier_sector(inside, polarization, direction):
    for sector in [(0, 1), (1, 2)]:
        result = nested(quadrupole(inside), sector=sector, direction=direction)
        assert result.status == hof.Status.OK
        np.testing.assert_allclose(np.abs(result.phases) / (2 * np.pi), polarization, atol=1e-9)
        np.testing.assert_allclose(np.abs(result.matrix), 1, atol=1e-12)
        assert result.wannier_gap > 0.1


def test_both_sectors_together_polarize_like_the_bands():
    model = quadrupole(0.5, delta=0.3)
    whole = nested(model, sector=(0, 2))
    problem = hof.at_flux(model, (0, 1))
    loops = hof.wilson_loop(problem, (0, 2), direction=2, steps=12, loops=12)
    difference = (whole.phases.sum(axis=1) - loops.phases.sum(axis=1)) / (2 * np.pi)
    np.testing.assert_allclose(difference, np.round(difference), atol=1e-9)
    np.testing.assert_allclose(whole.start, loops.transverse, atol=1e-12)


def test_sectors_add_up_without_symmetry():
    model = quadrupole(0.5, delta=0.3)
    parts = [nested(model, sector=sector).phases.sum(axis=1).mean() for sector in [(0, 1), (1, 2)]]
    whole = nested(model, sector=(0, 2)).phases.sum(axis=1).mean()
    # Polarizations of sectors add up to that of the bands only on average over the starts of the loops, and modulo one.
    difference = (parts[0] + parts[1] - whole) / (2 * np.pi)
    np.testing.assert_allclose(difference, np.round(difference), atol=0.02)


def test_closed_gaps_of_bands_and_of_wannier_bands_are_refused():
    touching = nested(quadrupole(1.0), sector=(0, 1))
    assert touching.status == hof.Status.GAP_CLOSED
    np.testing.assert_allclose(touching.worst_k, 0.5, atol=1e-12)
    # In a Chern insulator the Wannier band winds through every cut.
    haldane = hof.at_flux(hof.models.haldane(), (0, 1))
    winding = hof.nested_wilson_loop(haldane, (0, 1), (0, 1), loops=400, steps=24)
    assert winding.status == hof.Status.GAP_CLOSED
    assert winding.wannier_gap < 1e-2
    assert np.isnan(winding.phases).all()
    with pytest.raises(hof.CalculationError, match="k = "):
        nested(quadrupole(1.0), sector=(0, 1), throw=True)


def test_nan_gives_nan_and_a_status():
    problem = hof.at_flux(quadrupole(0.5), (0, 1))
    broken = eqx.tree_at(lambda p: p.model.amplitudes, problem, problem.model.amplitudes * np.nan)
    result = hof.nested_wilson_loop(broken, (0, 2), (0, 1), steps=12, loops=12)
    assert result.status == hof.Status.NOT_FINITE
    assert np.isnan(result.phases).all()


def test_works_inside_jit():
    phase = jax.jit(lambda inside: nested(quadrupole(inside), sector=(0, 1)).phases)
    np.testing.assert_allclose(np.abs(phase(0.5)), np.pi, atol=1e-9)


@pytest.mark.parametrize("sector", [(0, 0), (0, 3), (-1, 1)])
def test_sectors_that_do_not_exist_are_refused(sector):
    with pytest.raises(ValueError, match="sector"):
        nested(quadrupole(0.5), sector=sector)
