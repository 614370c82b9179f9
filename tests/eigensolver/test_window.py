"""`solve_window`: the nearest levels are those of the dense matrix, and a status where that is not proven."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.eigensolver import shift_invert, window
from hofstadter.hamiltonian.bloch import tight_binding_problem
from hofstadter.models.precision import cast

models = hof.models


def graphene():
    """Twisted graphene at 9/4, with hardly enough Landau levels; 16 bands are wanted on either side of neutrality."""
    return hof.at_flux(models.bistritzer_macdonald(), (9, 4), levels=16, bands_per_cell=4)


# Problem, energy, number of levels, and expected status of a ring.
RINGS = {
    "honeycomb at neutrality": (lambda: hof.at_flux(models.honeycomb(), (23, 100)), 0.0, 6),
    "honeycomb": (lambda: hof.at_flux(models.honeycomb(1.0, 0.1, mass=0.2), (23, 100)), 0.97, 7),
    "square": (lambda: hof.at_flux(models.square(), (33, 250)), 3.9, 9),
    "padded": (lambda: tight_binding_problem(models.kagome(), hof.Flux(3, 80), cells=96), -0.3, 5),
    "at the top": (lambda: hof.at_flux(models.square(), (33, 250)), 4.0, 5),
}
# Others take longer to compile, too.
QUICK = ("at the top",)


def nearest(problem, k, energy, count):
    """Nearest levels, and number of the first one, of a dense matrix."""
    levels = np.linalg.eigvalsh(np.asarray(problem.matrix(k)))
    order = np.argsort(np.abs(levels - energy))[:count]
    return np.sort(levels[order]), order.min() - problem.first_band, np.abs(levels).max()


def momenta(problem, number=2):
    return problem.reduced_mesh(number, 1)[:, 0] + jnp.array([0.0137, 0.0291]) / problem.q


def check(problem, energy, count, status=hof.Status.OK, atol=1e-13):
    k = momenta(problem)
    found = hof.solve_window(problem, k, energy, count)
    assert found.status.tolist() == [status] * len(k)
    assert found.states.shape == (len(k), problem.basis_size, count)
    for number, point in enumerate(k):
        expected, first, scale = nearest(problem, point, energy, count)
        np.testing.assert_allclose(found.energies[number], expected, rtol=0, atol=atol * scale)
        assert int(found.first[number]) == first
        states, matrix = np.asarray(found.states[number]), np.asarray(problem.matrix(point))
        np.testing.assert_allclose(states.conj().T @ states, np.eye(count), atol=1e-12)
        error = np.linalg.norm(matrix @ states - states * np.asarray(found.energies[number]), axis=0)
        assert error.max() <= 2 * float(found.residual[number]) * scale + 1e-12 * scale
    return found


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RINGS]
)
def test_levels_of_rings(name):
    make, energy, count = RINGS[name]
    problem = make()
    assert window.useful_layout(problem, count) is not None
    check(problem, energy, count)


def test_levels_of_dense_matrices():
    problem = hof.at_flux(models.haldane(), (2, 9))
    assert window.useful_layout(problem, 3) is None
    found = check(problem, 0.4, 3)
    alone = hof.solve_window(problem, momenta(problem), 0.4, 3, states=False)
    np.testing.assert_allclose(alone.energies, found.energies, atol=1e-13)
    assert alone.states is None


@pytest.mark.slow
@pytest.mark.parametrize(("energy", "count"), [(0.0, 20), (0.0, 15), (-81.0, 12)])
def test_levels_of_twisted_graphene(energy, count):
    problem = graphene()
    assert window.useful_layout(problem, count) is not None
    # So few Landau levels leave errors, which is said.
    check(problem, energy, count, hof.Status.CUTOFF_TOO_LOW)


@pytest.mark.slow
def test_wanted_bands_alone_have_a_known_error():
    problem = hof.at_flux(models.bistritzer_macdonald(), (9, 4), bands_per_cell=1, rtol=1e-5)
    k = momenta(problem, 1)
    assert problem.basis_status == hof.Status.OK
    assert hof.solve_window(problem, k, 0.0, 8).status.tolist() == [hof.Status.OK]
    highest = hof.solve(problem, k, states=False).energies[0, -1]
    assert hof.solve_window(problem, k, highest, 8).status.tolist() == [hof.Status.CUTOFF_TOO_LOW]


@pytest.mark.slow
def test_a_flat_band_at_the_energy():
    problem = hof.at_flux(models.lieb(), (13, 80))
    found = hof.solve_window(problem, momenta(problem), 0.0, 6)
    # All 80 copies are equally near, so any will do.
    assert found.status.tolist() == [hof.Status.OK] * 2
    np.testing.assert_allclose(found.energies, 0, atol=1e-12)
    states = np.asarray(found.states[0])
    np.testing.assert_allclose(states.conj().T @ states, np.eye(6), atol=1e-12)


@pytest.mark.slow
def test_missing_copies_are_noticed():
    """Ten uncoupled chains have every level ten times, of which four are found at a time."""
    chain = models.square()
    hops = [(-1.0, i, i, tuple(r)) for i in range(10) for r in ((1, 0), (0, 1))]
    copies = models.tight_binding(chain.vectors, np.zeros((10, 2)), hops)
    problem = hof.at_flux(copies, (3, 40))
    k = momenta(problem, 1)
    found = hof.solve_window(problem, k, 0.3, 20)
    expected, _, _ = nearest(problem, k[0], 0.3, 20)
    right = np.abs(np.asarray(found.energies[0]) - expected).max() < 1e-10
    assert right or int(found.status[0]) == hof.Status.WINDOW_INCOMPLETE


@pytest.mark.slow
def test_missing_levels_are_noticed(monkeypatch):
    """Without one of the levels that Lanczos iteration found, counts do not agree."""

    def forgetful(*arguments):
        found = shift_invert.nearest_levels(*arguments)
        order = jnp.argsort(jnp.abs(found.energies - arguments[3]))[1:]
        order = order[jnp.argsort(found.energies[order])]
        return shift_invert.Levels(found.energies[order], found.states[:, order], found.errors[order])

    monkeypatch.setattr(window, "nearest_levels", forgetful)
    problem = hof.at_flux(models.square(), (33, 250))
    # A number of levels that no other test asks for, so that it is compiled anew.
    found = hof.solve_window(problem, momenta(problem), 0.3, 6)
    assert found.status.tolist() == [hof.Status.WINDOW_INCOMPLETE] * 2
    with pytest.raises(hof.CalculationError, match="may be missing"):
        hof.solve_window(problem, momenta(problem), 0.3, 6, throw=True)


@pytest.mark.slow
def test_batches_and_transformations():
    problem = hof.at_flux(models.square(), (33, 250))
    k = jnp.asarray(problem.mesh(2, 3))
    energies = jnp.linspace(-1, 1, 6).reshape(2, 3)
    found = hof.solve_window(problem, k, energies, 3)
    assert found.energies.shape == (2, 3, 3)
    assert found.first.shape == found.status.shape == found.residual.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_allclose(found.energies[i, j], nearest(problem, k[i, j], energies[i, j], 3)[0], atol=1e-12)
    pieces = hof.solve_window(problem, k, energies, 3, memory_gb=4e-3)
    np.testing.assert_allclose(pieces.energies, found.energies, atol=1e-13)
    jitted = jax.jit(lambda k: hof.solve_window(problem, k, energies, 3, states=False).energies)(k)
    np.testing.assert_allclose(jitted, found.energies, atol=1e-13)


@pytest.mark.slow
def test_single_precision():
    model = models.honeycomb(1.0, 0.1, mass=0.2)
    problem = hof.at_flux(cast(model, "single"), (23, 100))
    found = hof.solve_window(problem, momenta(problem), 0.97, 7)
    assert found.energies.dtype == jnp.float32
    assert found.states.dtype == jnp.complex64
    assert found.status.tolist() == [0, 0]
    exact = hof.solve_window(hof.at_flux(model, (23, 100)), momenta(problem), 0.97, 7)
    # A hundred rounding errors of |H|, which is about 6.
    np.testing.assert_allclose(found.energies, exact.energies, rtol=0, atol=100 * 6 * 1.2e-7)
    np.testing.assert_array_equal(found.first, exact.first)


def test_not_finite():
    problem = hof.at_flux(models.square(), (33, 250))
    problem = eqx.tree_at(lambda x: x.model.amplitudes, problem, problem.model.amplitudes * float("nan"))
    assert hof.solve_window(problem, momenta(problem), 0.3, 5).status.tolist() == [hof.Status.NOT_FINITE] * 2


@pytest.mark.usefixtures("unchecked_types")
def test_wrong_arguments():
    problem = hof.at_flux(models.square(), (1, 3))
    with pytest.raises(ValueError, match="Argument `k` must be an array of pairs"):
        hof.solve_window(problem, jnp.zeros(3), 0.0, 1)
    with pytest.raises(ValueError, match="Argument `count` must be at most the 3 bands of the problem, but is 4"):
        hof.solve_window(problem, jnp.zeros(2), 0.0, 4)
    with pytest.raises(ValueError, match="Argument `energy` must be finite"):
        hof.solve_window(problem, jnp.zeros(2), float("nan"), 1)
    with pytest.raises(ValueError, match="Argument `memory_gb` must be positive"):
        hof.solve_window(problem, jnp.zeros(2), 0.0, 1, memory_gb=0)
