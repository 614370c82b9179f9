"""Energies at many fluxes: what one flux after the other gives, from few compiled programs within the memory."""

import equinox as eqx
import jax
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.eigensolver import stacks
from hofstadter.eigensolver.spectrum import BYTES_PER_ENTRY
from hofstadter.flux import Flux
from tests import systems

MIXED = [Flux(0), Flux(1, 3), Flux(-2, 5), Flux(7, 3), Flux(1, 3), Flux(5, 7), Flux(-3, 4), Flux(2)]


@pytest.fixture
def momenta(rng):
    return [rng.uniform(-1, 1, (n, 2)) for n in (3, 1, 4, 2, 5, 1, 3, 2)]


@pytest.fixture
def calls(monkeypatch):
    """Batch length and padded cells of every compiled call."""
    record = []
    original = stacks._energies

    def recorded(model, points, cells, size, sides=None):
        record.append((len(points[0]), cells))
        return original(model, points, cells, size, sides)

    monkeypatch.setattr(stacks, "_energies", recorded)
    return record


@pytest.mark.parametrize("name", ["square", "random_1"])
def test_equals_one_flux_after_the_other(name, momenta):
    model = systems.build(name)
    found = stacks.energies_at(model, MIXED, momenta)
    for energies, flux, k in zip(found, MIXED, momenta, strict=True):
        assert energies.shape == (len(k), flux.q * model.orbitals)
        np.testing.assert_allclose(energies, systems.energies(model, (flux.p, flux.q), k), atol=1e-12)


@pytest.mark.parametrize("name", ["lieb", pytest.param("honeycomb", marks=pytest.mark.slow)])
def test_bipartite_models_from_singular_values(name, momenta, monkeypatch):
    model = systems.build(name)
    found = stacks.energies_at(model, MIXED, momenta)
    monkeypatch.setattr(stacks, "orbital_sublattices", lambda model: None)
    expected = stacks.energies_at(model, MIXED, momenta)
    for energies, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(energies, whole, atol=1e-13)
        # Symmetric to the last digit, and flat bands at zero exactly.
        np.testing.assert_array_equal(energies, -energies[:, ::-1])
    # At 5/7, padded to eight cells.
    assert np.sum(found[5][0] == 0) == (7 if name == "lieb" else 0)


def test_progress_counts_every_matrix_once(momenta):
    counts = []
    stacks.energies_at(systems.build("square"), MIXED, momenta, progress=counts.append)
    assert sum(counts) == sum(len(k) for k in momenta)
    assert all(count > 0 for count in counts)


def test_little_memory_gives_the_same_from_smaller_pieces(momenta, calls):
    model = systems.build("random_1")
    whole = stacks.energies_at(model, MIXED, momenta)
    longest = max(size for size, _ in calls)
    calls.clear()
    pieces = stacks.energies_at(model, MIXED, momenta, memory_gb=1e-9)
    assert {size for size, _ in calls} == {1}
    assert longest > 1
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-12)


def test_a_device_with_too_little_memory_gets_smaller_pieces(momenta, monkeypatch):
    original, sizes = stacks._energies, []

    def limited(model, points, cells, size, sides=None):
        sizes.append(size)
        if size > 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 42 bytes.")
        return original(model, points, cells, size, sides)

    model = systems.build("random_1")
    expected = stacks.energies_at(model, MIXED, momenta)
    monkeypatch.setattr(stacks, "_energies", limited)
    found = stacks.energies_at(model, MIXED, momenta)
    assert max(sizes) == 8
    assert sizes.count(8) == sizes.count(4)  # halved twice, once per stack
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


def test_the_order_of_fluxes_does_not_matter(momenta):
    model = systems.build("square")
    forwards = stacks.energies_at(model, MIXED, momenta)
    backwards = stacks.energies_at(model, MIXED[::-1], momenta[::-1])[::-1]
    for a, b in zip(forwards, backwards, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-13)


@pytest.mark.parametrize("basis_size", [1, 8, 96, 700])
@pytest.mark.parametrize("total", [1, 2, 3, 100, 10**6])
@pytest.mark.parametrize("memory_gb", [1e-9, 1e-3, 4.0])
def test_sizes_of_pieces(basis_size, total, memory_gb):
    size = stacks.piece_size(total, basis_size, memory_gb)
    assert 1 <= size <= 2 * total
    assert size == 1 or size * BYTES_PER_ENTRY * basis_size**2 <= memory_gb * 1e9


@pytest.mark.slow
def test_few_programs_for_denominators_up_to_40(calls):
    fluxes = [Flux(p, q) for q in range(1, 41) for p in {1, q - 1} if p]
    k = np.array([[0.1, 0.2], [0.3, 0.7]])
    found = stacks.energies_at(systems.build("square"), fluxes, [k / flux.q for flux in fluxes])
    assert all(np.isfinite(energies).all() for energies in found)
    assert len(set(calls)) <= 10
    for i in (3, 30, len(fluxes) - 2):
        flux = fluxes[i]
        expected = systems.energies(systems.build("square"), (flux.p, flux.q), k / flux.q)
        np.testing.assert_allclose(found[i], expected, atol=1e-12)


def test_a_model_with_other_numbers_compiles_nothing(momenta):
    for seed in (1, 2):
        model = systems.random_model(0, seed)
        stacks.energies_at(model, MIXED, momenta)
        compiled = stacks._energies._cached._cache_size()
        if seed == 1:
            expected = compiled
    assert compiled == expected


@pytest.mark.parametrize("field", ["onsite", "amplitudes"])
def test_numbers_that_are_not_finite_stay_visible(field, momenta):
    model = hof.models.honeycomb()
    model = eqx.tree_at(lambda m: getattr(m, field), model, getattr(model, field).at[0].set(np.nan))
    for energies in stacks.energies_at(model, MIXED, momenta):
        assert not np.isfinite(energies).any()
