"""Topology and geometry of continuum models: Landau levels in closed form, and stored Chern numbers."""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.hamiltonian import plane_waves
from tests import continua

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_continuum.json").read_text())
models = hof.models

ORIGIN = (0.2, -0.1)
VECTORS = [[1.1, 0.2], [-0.3, 0.9]]
LENGTH2 = 1.05 / (2 * np.pi)


def landau_levels(route):
    """Free electrons at one flux quantum per oblique cell, momentum measured from somewhere."""
    model = models.continuum(VECTORS, [(1.0, 0, 0, (1, 1))], [], offsets=[ORIGIN])
    return continua.assemble(route, model, (1, 1), 12, 16, 16, (0, 4))


@pytest.mark.parametrize(
    ("route", "direction"),
    [
        ("landau", 2),
        pytest.param("theta", 1, marks=pytest.mark.slow),
    ],
)
def test_wilson_loops_of_a_landau_level(route, direction):
    """W along b1 is exp(2πi (k2 − K2)) and W along b2 is exp(−2πi (k1 − K1)), for any number of steps: C = 1."""
    loop = hof.wilson_loop(landau_levels(route), (0, 1), direction=direction, steps=6, loops=8)
    across, origin = np.asarray(loop.transverse), ORIGIN[2 - direction]
    turns = -(across - origin) if direction == 1 else across - origin
    np.testing.assert_allclose(loop.matrix[:, 0, 0], np.exp(-2j * np.pi * turns), rtol=0, atol=1e-13)
    assert not np.any(loop.status)


@pytest.mark.parametrize(
    ("route", "level"),
    [
        ("landau", 0),
        ("landau", 2),
        pytest.param("theta", 1, marks=pytest.mark.slow),
    ],
)
def test_geometry_of_a_landau_level(route, level):
    """g = (n + 1/2) ℓ² and Ω = ℓ² everywhere: the lowest level saturates tr g ≥ |Ω|. At the zero of theta too."""
    k = jnp.asarray([[0.1, 0.2], [0.7, 0.4], [0.47, 0.93]])
    tensor = hof.quantum_geometric_tensor(landau_levels(route), (level, level + 1), k)
    expected = LENGTH2 * ((level + 0.5) * np.eye(2) - 0.5j * np.array([[0, 1], [-1, 0]]))
    np.testing.assert_allclose(tensor, np.broadcast_to(expected, (3, 2, 2)), rtol=0, atol=1e-14)


def assert_gaps(problem, gaps, at_the_top=False):
    """Chern number of the bands below (or above) each gap, and the Diophantine equation r = s q + t p."""
    groups = [(problem.returned_bands - r, problem.returned_bands) if at_the_top else (0, r) for r in gaps]
    found = {r: int(c) for r, c in zip(gaps, hof.chern_numbers(problem, groups), strict=True)}
    assert found == gaps
    assert all((r - t * int(problem.p)) % int(problem.q) == 0 for r, t in gaps.items())


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 1, 2])
def test_gaps_of_the_electron_gas(number):
    """Among them that of the lowest Landau level, (0, 1)."""
    table = REFERENCE["twodeg"]["gap_table"][number]
    model = models.electron_gas(table["V"], table["lattice"])
    problem = continua.assemble("landau", model, (table["p"], table["q"]), 45, 96, 48, (0, 9))
    assert_gaps(problem, {gap["r"]: gap["C"] for gap in table["gaps"]})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("material", "theta", "expected"),
    [("WSe2", 2.0, [1, 1, 1]), ("MoTe2", 1.2, [-1, 1, 0]), ("MoTe2 (Reddy 2023)", 3.0, [-1, -1, 2])],
)
def test_twisted_tmd_at_zero_field(material, theta, expected):
    problem = plane_waves._assemble(models.twisted_tmd(theta, material), 37, (4, 0))
    found = [int(c) for c in hof.chern_numbers(problem, [(3, 4), (2, 3), (1, 2)])]
    assert found == expected


@pytest.mark.slow
def test_gaps_of_twisted_tmd():
    gaps = REFERENCE["tmd"]["WSe2_Devakul2021"]["flux"]["1/2"]["gaps_from_top"]
    problem = continua.assemble("landau", models.twisted_tmd(), (1, 2), 90, 96, 96, (6, 0))
    assert_gaps(problem, {gap["r_hole"]: gap["C_above"] for gap in gaps}, at_the_top=True)


@pytest.mark.slow
def test_narrow_bands_of_twisted_bilayer_graphene():
    """2q bands with C = 0 together at flux 1/2; of the groups within them the file counts from neutrality."""
    problem = continua.assemble("landau", models.bistritzer_macdonald(), (1, 2), 62, 64, 64, (3, 3))
    entry = REFERENCE["bm_0.8"]["flux"]["1/2"]["chern"][0]
    assert entry["bands_rel_neutrality"] == [-2, 2]
    assert int(hof.chern(problem, (1, 5))) == entry["C"]


@pytest.mark.slow
def test_flat_bands_of_the_rotated_bilayer():
    """Split by the rotation of the Pauli matrices: C = +1 below and −1 above (the file has σ = +1, with opposite C)."""
    model = models.bistritzer_macdonald(rotated_paulis=True)
    problem = continua.assemble("landau", model, (1, 1), 31, 32, 32, (2, 2))
    found = [int(c) for c in hof.chern_numbers(problem, [(1, 2), (2, 3), (1, 3)])]
    assert found == [1, -1, 0]


def test_chern_numbers_of_the_wrong_sign_would_show():
    table = REFERENCE["twodeg"]["gap_table"][0]
    model = models.electron_gas(table["V"], table["lattice"])
    problem = continua.assemble("landau", model, (table["p"], table["q"]), 45, 96, 48, (0, 9))
    with pytest.raises(AssertionError):
        assert_gaps(problem, {gap["r"]: -gap["C"] for gap in table["gaps"]})
