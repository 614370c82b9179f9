"""The preset of topological heavy fermions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof

heavy_fermions = hof.models.heavy_fermions


def test_published_parameters():
    model = heavy_fermions()
    np.testing.assert_allclose(model.vectors, 134.218 * np.array([[1, 0], [0.5, np.sqrt(3) / 2]]), rtol=1e-14)
    found = [float(x) for x in (model.gamma, model.mass, model.v_star, model.v_prime, model.damping)]
    np.testing.assert_allclose(found, [-24.75, 3.697, -4303, 1622, 0.3375 * 134.218], rtol=1e-14)
    found = heavy_fermions(0.7)
    np.testing.assert_allclose([found.gamma, found.mass, found.damping], [-39.11, 3.248, 0.3792 * 134.218], rtol=1e-14)
    assert (model.valleys, model.scheme, model.reference, model.components, model.dirac_half) == (
        (1,),
        "kernel",
        "neutrality",
        6,
        0,
    )
    assert model.bands_at(hof.Flux(1, 4)) == 24


def test_numbers_can_be_given_and_traced():
    model = heavy_fermions(0.7, valley=-1, gamma_mev=-30.0, damping_angstrom=40.0, lattice_constant_angstrom=100.0)
    assert (float(model.gamma), float(model.damping), float(model.mass), model.valleys) == (-30.0, 40.0, 3.248, (-1,))
    assert jax.jit(lambda x: heavy_fermions(m_mev=x).mass + 1)(jnp.asarray(2.0)) == 3.0


def test_the_time_reversed_model_is_the_other_valley():
    model = heavy_fermions(valley=-1)
    assert jax.tree.structure(hof.models.time_reversed(heavy_fermions())) == jax.tree.structure(model)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"w0_over_w1": 0.75}, "`w0_over_w1` must be 0"),
        ({"valley": 0}, "`valley` must be"),
        ({"damping_angstrom": 0.0}, "`damping_angstrom` must be positive"),
        ({"lattice_constant_angstrom": -1.0}, "`lattice_constant_angstrom` must be positive"),
        ({"gamma_mev": float("nan")}, "`gamma_mev` must be finite"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        heavy_fermions(**options)
