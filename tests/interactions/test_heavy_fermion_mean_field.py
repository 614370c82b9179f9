"""The one-shot mean field of heavy fermions: its levels at Γ, its symmetries, and known gaps."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from tests import heavy_fermions

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "heavy_fermions.json").read_text())
POLARIZED = (("filled", "empty"), ("filled", "empty"))


def gamma_point(model):
    """The six (or twelve) levels at Γ without further plane waves."""
    matrix = np.array(model.potential)
    for number, start in enumerate(range(0, len(matrix), 6)):
        assert model.valleys[number] in (1, -1)
        for a, b, value in ((0, 4, model.gamma), (1, 5, model.gamma), (2, 3, model.mass)):
            matrix[start + a, start + b] += float(value)
            matrix[start + b, start + a] += float(value)
    return np.linalg.eigvalsh(matrix)


def flavors(parent, ratio=0.8, **options):
    model = heavy_fermions.model(w0_over_w1=ratio, **options)
    return {own.name: own for own in hof.mean_field_flavors(model, parent, hof.heavy_fermion_repulsion(ratio))}


@pytest.mark.parametrize("ratio", [0.8, 0.7])
def test_levels_at_gamma_of_a_neutral_parent(ratio):
    found = flavors(POLARIZED, ratio)
    assert {name: (own.degeneracy, own.filling) for name, own in found.items()} == {"filled": (2, 1), "empty": (2, -1)}
    expected = np.array(REFERENCE["neutral_parent_gamma_point"][str(ratio)])
    np.testing.assert_allclose(gamma_point(found["empty"].model), expected, atol=1e-6)
    np.testing.assert_allclose(gamma_point(found["filled"].model), -expected[::-1], atol=1e-6)


def test_intervalley_coherence_at_gamma():
    (own,) = flavors(("K-IVC", "K-IVC")).values()
    assert (own.degeneracy, own.filling, own.model.valleys, own.model.bands_per_cell) == (2, 0, (1, -1), 6)
    levels = gamma_point(own.model)
    # U1/2 splits the f levels as in a polarized state; J and M are perpendicular to each other.
    root = np.sqrt(57.95**2 / 16 + 24.75**2)
    inner = [root - 57.95 / 4] * 2 + [np.hypot(16.38 / 2, 3.697)] * 2 + [root + 57.95 / 4] * 2
    np.testing.assert_allclose(levels[6:], np.sort(inner), atol=1e-9)
    np.testing.assert_allclose(levels[:6], -levels[6:][::-1], atol=1e-9)


@pytest.mark.parametrize(
    ("parent", "filling", "names"),
    [
        ((("f1", "empty"), ("filled", "empty")), -1, {"f1 of K or f2 of K′": 1, "empty": 2, "filled": 1}),
        ((("empty", "f2"), ("empty", "filled")), -1, {"f1 of K or f2 of K′": 1, "empty": 2, "filled": 1}),
        ((("empty", "f1"), ("f2", "empty")), -2, {"f2 of K or f1 of K′": 2, "empty": 2}),
        (("K-IVC", ("empty", "empty")), -2, {"K-IVC": 1, "empty": 2}),
        ((("filled", "filled"), ("filled", "filled")), 4, {"filled": 4}),
    ],
)
def test_counting_of_parents(parent, filling, names):
    found = flavors(parent)
    assert {name: own.degeneracy for name, own in found.items()} == names
    assert sum(own.degeneracy * own.filling for own in found.values()) == filling


def test_levels_of_a_half_filled_flavor():
    """On-site energies at filling −1, term by term."""
    potential = np.array(flavors((("f1", "empty"), ("filled", "empty")))["f1 of K or f2 of K′"].model.potential)
    u1, u2, w1, w3, exchange = 57.95, 2.329, 44.03, 50.20, 16.38
    expected = [-w1, -w1, -w3 - exchange / 2, -w3 + exchange / 2]
    expected += [-(u1 + 6 * u2) - u1 / 2, -(u1 + 6 * u2) + u1 / 2]
    np.testing.assert_allclose(potential, np.diag(expected), atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("flux", [(1, 4), (2, 3)])
def test_coherent_and_polarized_parents_agree_without_m(flux):
    """Without M the flat rotation between them is a symmetry, at any field."""
    (coherent,) = flavors(("K-IVC", "K-IVC"), m_mev=0.0).values()
    polarized = flavors(POLARIZED, m_mev=0.0)
    k = np.array([0.13, 0.21])
    one = heavy_fermions.all_energies(heavy_fermions.small(coherent.model, flux), k)
    filled = heavy_fermions.all_energies(heavy_fermions.small(polarized["filled"].model, flux), k)
    # The empty flavor is valley −1, seen at −k in valley +1.
    empty = heavy_fermions.all_energies(heavy_fermions.small(polarized["empty"].model, flux), -k)
    np.testing.assert_allclose(one, np.sort(np.concatenate([filled, empty])), rtol=0, atol=1e-9)
    with_m = heavy_fermions.all_energies(
        heavy_fermions.small(next(iter(flavors(("K-IVC", "K-IVC")).values())).model, flux), k
    )
    assert np.abs(with_m - one).max() > 1e-2


def edges(own, flux):
    """Edges of the bands around a flavor's filling, on a mesh."""
    problem = hof.at_flux(own.model, flux, rtol=1e-6, bands_per_cell=2 * len(own.model.valleys))
    energies = np.asarray(hof.solve(problem, problem.reduced_mesh(4, 4), states=False).energies)
    first = problem.below + own.filling * int(problem.q)
    return energies[..., first - 1].max(), energies[..., first].min()


@pytest.mark.slow
@pytest.mark.parametrize("flux", ["1/4", "1/8", "1/12"])
def test_charge_gap_of_a_polarized_parent(flux):
    found = [edges(own, flux) for own in flavors(POLARIZED).values()]
    gap = min(upper for _, upper in found) - max(lower for lower, _ in found)
    np.testing.assert_allclose(gap, REFERENCE["charge_gap_valley_polarized"][flux], atol=0.01)


@pytest.mark.slow
def test_charge_gap_falls_towards_that_without_a_field():
    """J − 2M = 8.986 is the limit of 12.2 at 1/100 and 10.98 at 1/200: it is reached slowly."""
    gaps = []
    for q in (100, 200):
        levels = []
        for own in flavors(POLARIZED).values():
            problem = hof.at_flux(own.model, (1, q), levels=q + 4, bands_per_cell=2)
            levels.append(np.linalg.eigvalsh(problem.matrix(jnp.array([0.13, 0.02]) / q)))
        energies = np.concatenate(levels)
        gaps.append(energies[energies > 0].min() - energies[energies < 0].max())
    np.testing.assert_allclose(gaps, [12.2, 10.98], atol=0.005)


@pytest.mark.slow
def test_coherent_parent_in_a_field():
    (own,) = flavors(("K-IVC", "K-IVC")).values()
    np.testing.assert_allclose(edges(own, "1/8")[1], REFERENCE["electron_edge_kivc"]["1/8"], atol=0.001)


def test_wrong_parents_and_unknown_interactions():
    model, repulsion = heavy_fermions.model(), hof.heavy_fermion_repulsion()
    with pytest.raises(ValueError, match="each of the two spins"):
        hof.mean_field_flavors(model, POLARIZED[:1], repulsion)
    with pytest.raises(ValueError, match="of valley"):
        hof.mean_field_flavors(heavy_fermions.model(valley=-1), POLARIZED, repulsion)
    with pytest.raises(ValueError, match="one without u2"):
        hof.mean_field_flavors(model, (("f1", "empty"), ("filled", "empty")), hof.heavy_fermion_repulsion(0.7))
    with pytest.raises(ValueError, match="`w0_over_w1` must be 0"):
        hof.heavy_fermion_repulsion(0.6)
    shifted = hof.mean_field_flavors(model, POLARIZED, repulsion)[0].model
    with pytest.raises(ValueError, match="without a potential"):
        hof.mean_field_flavors(shifted, POLARIZED, repulsion)
