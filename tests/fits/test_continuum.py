"""Continuum models, whose bases follow the parameters."""

import dataclasses
import functools

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status

LEVELS = [(-2, "upper"), (-1, "lower"), (0, "upper"), (1, "lower"), (1, "upper")]


@pytest.mark.slow
def test_twisted_bilayer_graphene_from_levels_at_one_flux_quantum(rng):
    """Twist angle and tunnelling from the edges of four bands, in meV from an unknown zero."""
    build = functools.partial(hof.models.bistritzer_macdonald, w0_over_w1=0.6)
    truth = {"theta_deg": 1.4, "w1_mev": 105.0}
    levels = [hof.LevelEnergy(1, band, side, 0.0, 0.1) for band, side in LEVELS]
    energies = hof.predict_observations(build(**truth), levels, rtol=1e-3)
    # The model without valley symmetry breaking is symmetric about neutrality.
    np.testing.assert_allclose(energies[:2], -energies[3:1:-1], atol=1e-3)
    data = [
        dataclasses.replace(level, energy=float(30 + energy + 0.1 * rng.normal()))
        for level, energy in zip(levels, energies, strict=True)
    ]
    result = hof.fit(build, {"theta_deg": 1.3, "w1_mev": 100.0}, data, energy_offset=True, rtol=1e-3)
    assert result.status is Status.OK
    for name, value in {**truth, "energy_offset": 30.0}.items():
        assert abs(result.values[name] - value) < 4 * result.standard_errors[name]
    assert result.standard_errors["theta_deg"] < 0.01
    assert result.chi_squared < 20


@pytest.mark.slow
@pytest.mark.parametrize("flux", [0, "1/2"])
def test_an_electron_gas_in_a_periodic_potential(flux):
    """Plane waves at zero flux, Landau levels else."""
    edges = [(0, "upper"), (1, "lower"), (1, "upper")]
    data = [hof.LevelEnergy(flux, band, side, 0.0, 0.01) for band, side in edges]
    truth = {"potential": 3.0, "hbar2_over_2m": 1.3}
    energies = hof.predict_observations(hof.models.electron_gas(**truth), data, rtol=1e-5)
    data = [dataclasses.replace(level, energy=float(e)) for level, e in zip(data, energies, strict=True)]
    result = hof.fit(hof.models.electron_gas, {"potential": 2.0, "hbar2_over_2m": 1.0}, data, rtol=1e-5)
    assert result.values == pytest.approx(truth, abs=1e-3)
