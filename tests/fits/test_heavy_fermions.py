"""Heavy fermions from the states of twisted bilayer graphene at Γ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof

# K of graphene as in the literature's parameters, 1.703 / Å instead of 4π/(3 · 2.46 Å): momenta scale, and so does v k.
LITERATURE_K = 1.703 / (4 * np.pi / (3 * 2.46))
# γ, M, |v⋆|, |v⋆'| of a fit that splits the states independently; v⋆'' as published, to its digits.
KNOWN = {0.8: (24.748, 3.697, 4301.9, 1622.7, 33.2), 0.7: (39.108, 3.248, 4482.3, 1624.2, None)}


@pytest.mark.slow
@pytest.mark.parametrize(("ratio", "valley"), [(0.8, 1), (0.8, -1), (0.7, 1)])
def test_parameters_of_the_literature(ratio, valley):
    velocity = 5944.0 * LITERATURE_K
    bilayer = hof.models.bistritzer_macdonald(w0_over_w1=ratio, fermi_velocity_mev_angstrom=velocity, valley=valley)
    model = hof.fit_heavy_fermions(bilayer)
    found = [float(x) for x in (model.gamma, model.mass, model.v_star, model.v_prime, model.v_double_prime)]
    # In the lattice of the model momenta are smaller by the same factor, so velocities are larger.
    found[2:] = [x / LITERATURE_K for x in found[2:]]
    gamma, mass, v_star, v_prime, v_double_prime = KNOWN[ratio]
    np.testing.assert_allclose(found[:2], [-gamma, mass], atol=2e-3)
    np.testing.assert_allclose(found[2:4], [-v_star, v_prime], atol=0.3)
    if v_double_prime is not None:
        np.testing.assert_allclose(found[4], -v_double_prime, atol=0.05)
    assert model.valleys == (valley,)
    published = hof.models.heavy_fermions(ratio)
    np.testing.assert_allclose([model.gamma, model.mass], [published.gamma, published.mass], atol=0.01)


@pytest.mark.slow
def test_energies_near_gamma_agree():
    """To second order of the momentum, where the levels of the six states decide."""
    bilayer = hof.models.bistritzer_macdonald()
    model = hof.fit_heavy_fermions(bilayer)
    differences = []
    for k in (0.01, 0.02):
        at = jnp.asarray([k, -0.3 * k])
        ours = np.asarray(hof.solve(hof.at_flux(model, 0, plane_waves=1, bands_per_cell=3), at, states=False).energies)
        theirs = np.asarray(hof.solve(hof.at_flux(bilayer, 0, bands_per_cell=3), at, states=False).energies)
        differences.append(np.abs(ours - theirs).max())
    assert differences[0] < 0.06
    assert differences[0] < 0.35 * differences[1]


def test_models_that_do_not_fit():
    gas = hof.models.electron_gas()
    with pytest.raises(ValueError, match="`model` must be a `bistritzer_macdonald` model"):
        hof.fit_heavy_fermions(gas)
    with pytest.raises(ValueError, match="made of numbers"):
        jax.jit(hof.fit_heavy_fermions)(gas)


@pytest.mark.slow
@pytest.mark.parametrize("broken", [{"rotated_paulis": True}, {"sublattice_mev": 1.0}, {"strain": 0.001}])
def test_broken_symmetries_are_noticed(broken):
    with pytest.raises(ValueError, match="symmetric under C3 and particle-hole exchange"):
        hof.fit_heavy_fermions(hof.models.bistritzer_macdonald(**broken))
