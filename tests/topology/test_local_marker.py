"""Local Chern markers of finite patches."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.topology.local_marker import patch_matrix
from tests import systems
from tests.oracles import peierls

SIZE = (14, 14)


def square(flux=(1, 4), energy=-2.0, cells=SIZE):
    return hof.local_chern_marker(hof.models.square(), flux, cells=cells, fermi_energy=energy)


def test_landau_level_has_plus_one_and_the_whole_patch_nothing():
    result = square()
    assert result.status == hof.Status.OK
    np.testing.assert_allclose(result.bulk, 1, atol=0.04)
    np.testing.assert_allclose(result.marker.sum(), 0, atol=1e-10)
    assert result.marker.shape == (*SIZE, 1)


def test_larger_patches_come_closer():
    errors = [abs(float(square(cells=(n, n)).bulk) - 1) for n in (10, 16, 20)]
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.01


def test_the_opposite_field_reverses_every_marker_and_holes_do_too():
    model = hof.models.triangular(1.0, 0.1)
    up, down = (hof.local_chern_marker(model, flux, cells=(9, 8), fermi_energy=-1.0) for flux in [(1, 5), (-1, 5)])
    np.testing.assert_allclose(up.marker, -down.marker, atol=1e-10)
    # E → −E exchanges filled and empty states.
    negative = eqx.tree_at(lambda m: (m.amplitudes, m.onsite), model, (-model.amplitudes, -model.onsite))
    holes = hof.local_chern_marker(negative, (1, 5), cells=(9, 8), fermi_energy=1.0)
    np.testing.assert_allclose(up.marker, -holes.marker, atol=1e-10)


def test_position_of_the_orbitals_and_gauge_change_nothing_that_is_summed_over_cells():
    model = hof.models.square()
    moved = eqx.tree_at(lambda m: m.positions, model, model.positions + jnp.array([0.3, -0.7]))
    here = square()
    there = hof.local_chern_marker(moved, (1, 4), cells=SIZE, fermi_energy=-2.0)
    np.testing.assert_allclose(there.marker, here.marker, atol=1e-10)


@pytest.mark.parametrize("flux", [(2, 5), (0, 1)])
def test_matrix_of_the_patch_is_a_loop_over_bonds(flux):
    model, cells = systems.random_model(2, 4), (4, 5)
    found, positions = patch_matrix(model, jnp.asarray(flux[0] / flux[1]), cells)
    plain = systems.plain(model)
    site = {(a, b, i): (a * cells[1] + b) * 3 + i for a in range(cells[0]) for b in range(cells[1]) for i in range(3)}
    expected = np.zeros(found.shape, complex)
    for (a, b, i), row in site.items():
        np.testing.assert_allclose(positions[row], plain.positions[i] + [a, b], atol=1e-12)
        expected[row, row] += plain.onsite[i]
        for amplitude, to, source, r1, r2 in peierls.both_directions(plain):
            column = site.get((a + r1, b + r2, source))
            if to == i and column is not None:
                x, y = plain.positions[i] + [a, b], plain.positions[source] + [a + r1, b + r2]
                phase = np.pi * flux[0] / flux[1] * (x[0] - y[0]) * (x[1] + y[1])
                expected[row, column] += amplitude * np.exp(1j * phase)
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_any_field_strength_and_filling_instead_of_an_energy():
    by_energy = square(flux=0.2371)
    by_filling = hof.local_chern_marker(
        hof.models.square(), 0.2371, cells=SIZE, filling=float(by_energy.filled) / (SIZE[0] * SIZE[1])
    )
    np.testing.assert_allclose(by_filling.marker, by_energy.marker, atol=1e-12)
    np.testing.assert_allclose(by_energy.bulk, 1, atol=0.05)


@pytest.mark.parametrize(("flux", "energy"), [((0, 1), -2.0), ((1, 4), -2.75)])
def test_metals_are_not_called_insulators(flux, energy):
    assert square(flux, energy).status == hof.Status.PATCH_TOO_SMALL
    with pytest.raises(hof.CalculationError, match="Bulk average"):
        hof.local_chern_marker(hof.models.square(), flux, cells=SIZE, fermi_energy=energy, throw=True)


def test_nan_gives_nan_and_a_status():
    model = hof.models.square()
    broken = eqx.tree_at(lambda m: m.amplitudes, model, model.amplitudes * jnp.nan)
    result = hof.local_chern_marker(broken, (1, 4), cells=SIZE, fermi_energy=-2.0)
    assert (result.status, bool(np.isnan(result.bulk))) == (hof.Status.NOT_FINITE, True)


def test_works_inside_jit_vmap_and_grad():
    def bulk(energy):
        return hof.local_chern_marker(hof.models.square(), (1, 4), cells=(8, 8), fermi_energy=energy).bulk

    energies = jnp.array([-2.2, -1.9])
    expected = [bulk(float(energy)) for energy in energies]
    np.testing.assert_allclose(jax.jit(jax.vmap(bulk))(energies), expected, atol=1e-12)

    def of_hopping(t2):
        return hof.local_chern_marker(hof.models.square(1.0, t2), (1, 4), cells=(6, 6), filling=0.25).bulk

    step = 1e-4
    finite_difference = (of_hopping(0.1 + step) - of_hopping(0.1 - step)) / (2 * step)
    np.testing.assert_allclose(jax.grad(of_hopping)(0.1), finite_difference, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"fermi_energy": 0.0, "filling": 0.5}])
def test_one_way_to_say_what_is_filled(options):
    with pytest.raises(ValueError, match="Exactly one"):
        hof.local_chern_marker(hof.models.square(), (1, 4), **options)


@pytest.mark.parametrize("options", [{"cells": (3, 9)}, {"cells": 12}, {"filling": 1.5}])
def test_patches_and_fillings_that_make_no_sense_are_refused(options, unchecked_types):
    with pytest.raises(ValueError, match="Argument"):
        hof.local_chern_marker(hof.models.square(), (1, 4), **({"filling": 0.5} | options))
