"""Hall conductivity: Chern numbers in gaps, an independent sum over bands, degeneracies, and honest statuses."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.thermodynamics.hall_conductivity import hall_conductivity
from tests import systems
from tests.thermodynamics import kubo

models = hof.models


def middle_of_gap(model, flux, filled):
    energies = systems.energies(model, flux, systems.reduced_mesh(flux[1], 12))
    return float(energies[:, filled - 1].max() + energies[:, filled].min()) / 2


@pytest.mark.parametrize(
    ("name", "flux", "chern"),
    [
        ("square", (1, 3), {1: 1, 2: -1}),
        pytest.param("square", (2, 5), {1: -2, 2: 1, 3: -1, 4: 2}, marks=pytest.mark.slow),
        pytest.param("honeycomb", (1, 3), {1: 1, 5: -1}, marks=pytest.mark.slow),
        pytest.param("kagome", (1, 3), {1: 1, 2: -1, 6: 0, 7: 1}, marks=pytest.mark.slow),
        ("haldane", (0, 1), {1: -1}),
        pytest.param("dice", (1, 3), {1: 1, 2: 2, 3: 0, 7: -2}, marks=pytest.mark.slow),
        pytest.param("triangular", (1, 4), {1: 1}, marks=pytest.mark.slow),
    ],
)
def test_chern_numbers_in_gaps(name, flux, chern):
    model = systems.build(name)
    potentials = [middle_of_gap(model, flux, filled) for filled in chern]
    # A temperature far below the gap changes nothing.
    for temperature in (0.0, 1e-3):
        found = hall_conductivity(hof.at_flux(model, flux), potentials, temperature)
        np.testing.assert_array_equal(found.status, hof.Status.OK)
        np.testing.assert_allclose(found.conductivity, list(chern.values()), atol=1e-8)


@pytest.mark.parametrize(("structure", "flux"), [(0, (-1, 3)), pytest.param(1, (2, 3), marks=pytest.mark.slow)])
def test_is_the_sum_over_bands_of_the_oracle(structure, flux):
    model = systems.random_model(structure, 11)
    problem = hof.at_flux(model, flux, cells=4)
    potentials, temperatures = np.array([[-0.7], [0.4]]), np.array([0.1, 0.5])
    found = hall_conductivity(problem, potentials, temperatures, points=3)
    assert found.conductivity.shape == found.status.shape == (2, 2)
    for place in np.ndindex(2, 2):
        arguments = (potentials[place[0], 0], temperatures[place[1]], 3)
        expected = kubo.hall_and_magnetization(systems.plain(model), *flux, *arguments)[0]
        np.testing.assert_allclose(found.conductivity[place], expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_empty_and_full_bands_carry_no_current():
    found = hall_conductivity(hof.at_flux(systems.random_model(1, 11), (1, 2)), [-50.0, 50.0], 0.3)
    np.testing.assert_allclose(found.conductivity, 0, atol=1e-12)


def test_two_spins_have_twice_the_conductivity():
    spinful, square = models.rashba(1.0, jnp.array(0.0)), models.square()
    potentials, temperatures = [-1.3, 0.4], [0.0, 0.3]
    options = {"points": 8}
    both = hall_conductivity(hof.at_flux(spinful, (1, 3)), potentials, temperatures, **options)
    one = hall_conductivity(hof.at_flux(square, (1, 3)), potentials, temperatures, **options)
    np.testing.assert_allclose(both.conductivity, 2 * one.conductivity, atol=1e-10)


def test_a_metal_settles_at_finite_temperature_only():
    problem = hof.at_flux(models.haldane(), (0, 1))
    found = hall_conductivity(problem, -2.0, [0.0, 0.2], max_points=64)
    np.testing.assert_array_equal(found.status, [hof.Status.MESH_TOO_COARSE, hof.Status.OK])
    assert found.change[0] > 1e-9 >= found.change[1]
    assert found.points == 64
    with pytest.raises(hof.CalculationError, match=r"At chemical potential -2, temperature 0: "):
        hall_conductivity(problem, -2.0, max_points=16, throw=True)


def test_a_pocket_between_momenta_is_suspected():
    # The top of the lower band sits at K = (1/3, 2/3), which no mesh holds; the potential is just below it.
    problem = hof.at_flux(models.haldane(1.0, 0.15, np.pi / 2, 0.7), (0, 1))
    top = -(3 * np.sqrt(3) * 0.15 - 0.7)
    potential = top - 1e-4
    coarse = hall_conductivity(problem, potential, max_points=16, rtol=1.0)
    assert coarse.status == hof.Status.MESH_TOO_COARSE


@pytest.mark.slow
def test_derivatives_of_a_metal():
    model = systems.random_model(1, 11)

    def conductivity(shift):
        moved = eqx.tree_at(lambda m: m.onsite, model, model.onsite + shift * jnp.array([0.6, -0.3]))
        problem = hof.at_flux(moved, (1, 2))
        return hall_conductivity(problem, 0.2 + 0.5 * shift, 0.3 + 0.2 * shift, points=2).conductivity

    value, slope = jax.jit(conductivity), jax.jit(jax.grad(conductivity))
    a, b, c, d = (float(value(n * 1e-3)) for n in (-2, -1, 1, 2))
    np.testing.assert_allclose(slope(0.0), (a - 8 * b + 8 * c - d) / 12e-3, rtol=1e-7)


@pytest.mark.slow
def test_maps_over_models_and_converts_nothing_silently(strict_jax):
    strengths, potentials = jnp.array([1.0, 1.3]), jnp.array([-1.3, 0.2])

    def conductivity(strength, potential):
        problem = hof.at_flux(models.square(strength), (1, 3))
        return hall_conductivity(problem, potential, 0.1, points=2).conductivity

    with strict_jax():
        together = jax.jit(jax.vmap(jax.value_and_grad(conductivity)))(strengths, potentials)[0]
    alone = [conductivity(*both) for both in zip(strengths, potentials, strict=True)]
    np.testing.assert_allclose(together, alone, rtol=1e-10)


@pytest.mark.slow
def test_single_precision():
    problem = hof.at_flux(models.cast(models.square(), "single"), (1, 3))
    found = hall_conductivity(problem, [-1.3, 0.2], [0.0, 0.3], rtol=1e-5)
    assert found.conductivity.dtype == np.float32
    exact = hall_conductivity(hof.at_flux(models.square(), (1, 3)), [-1.3, 0.2], [0.0, 0.3])
    np.testing.assert_allclose(found.conductivity, exact.conductivity, atol=1e-4)


def test_wrong_arguments(unchecked_types):
    problem = hof.at_flux(models.square(), (1, 3))
    with pytest.raises(ValueError, match="Argument `temperature` must be at least 0"):
        hall_conductivity(problem, 0.0, -0.1)
    with pytest.raises(ValueError, match="Argument `chemical_potential` must be finite"):
        hall_conductivity(problem, np.nan)
    with pytest.raises(ValueError, match="Argument `points` must be at least 1"):
        hall_conductivity(problem, 0.0, points=0)
    with pytest.raises(ValueError, match="Argument `max_points` must be at least 8"):
        hall_conductivity(problem, 0.0, max_points=4)
    with pytest.raises(ValueError, match="Argument `memory_gb` must be positive"):
        hall_conductivity(problem, 0.0, memory_gb=0.0)
    with pytest.raises(ValueError, match="Argument `points` must be given while the problem is traced"):
        jax.jit(lambda t: hall_conductivity(hof.at_flux(models.square(t), (1, 3)), 0.0).conductivity)(1.0)
