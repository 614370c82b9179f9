"""Hartree–Fock tables: labels and numbers of the states, and input that is refused."""

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status
from hofstadter.interactions.coulomb import double_gate_coulomb


@pytest.fixture(scope="module")
def graphene():
    """Twisted bilayer graphene and its repulsion."""
    model = hof.models.bistritzer_macdonald()
    return model, double_gate_coulomb(model, separation_nm=10.0, dielectric=6.0)


def test_wrong_input(graphene):
    """Messages at the entry, before anything is computed."""
    model, repulsion = graphene
    with pytest.raises(ValueError, match="positive"):
        hof.mean_fields(model, [0], [(0, 0)], repulsion)
    with pytest.raises(ValueError, match="at least one pair"):
        hof.mean_fields(model, [1], [], repulsion)
    gas = hof.models.electron_gas()
    with pytest.raises(ValueError, match="neutrality"):
        hof.mean_fields(gas, [1], [(0, 0)], repulsion)


@pytest.mark.slow
def test_states_along_lines(graphene):
    """Full flavors of flat bands have no energy; flavors hold all electrons; a line beyond the bands is absent."""
    model, repulsion = graphene
    lines = [(0, 0), (2, 0), (6, 0)]
    options = {"points": 3, "random_starts": 1, "momentum_rtol": 1e-4, "levels": 40}
    data = hof.mean_fields(model, [1], lines, repulsion, kinetic=False, **options)
    assert data.sizes == {"flux": 1, "line": 3, "start": 3, "valley": 2, "spin": 2}
    assert np.all(data.status.values[0, 2] == Status.ABSENT)
    assert np.all(data.status.values[0, :2] == Status.OK)
    np.testing.assert_allclose(data.energy.values[0, 0], 0, atol=1e-4)
    np.testing.assert_allclose(data.filled.values[0, :2].sum(axis=(-1, -2)), [[4] * 3, [6] * 3], atol=1e-8)
    np.testing.assert_allclose(np.sort(data.filled.values[0, 0, 0].ravel()), [0, 0, 2, 2], atol=1e-8)
    assert float(data.coherence[0, 0, 0]) == pytest.approx(0, abs=1e-12)
