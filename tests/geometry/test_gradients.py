"""Derivatives of geometric quantities in every number of the model and in k, against finite differences.

All models are written on one list of hops between three orbitals, at flux 1/3, with the group made of the middle third
of the bands. So JAX compiles each derivative once for all of them.
"""

import functools
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.eigensolver import dense
from hofstadter.geometry.projector import projector
from hofstadter.topology.group_flux import direct_gap

BANDS = (3, 6)
CELLS = [(1, 0), (0, 1), (1, 1), (1, -1)]
# Each pair of orbitals once: both directions of a bond between different orbitals, one between equal ones.
HOPS = tuple((i, i, *cell) for i in range(3) for cell in CELLS) + tuple(
    (i, j, r1, r2) for i, j in ((0, 1), (0, 2), (1, 2)) for r1, r2 in itertools.product((-1, 0, 1), repeat=2)
)


def on_the_list(model):
    """The model on HOPS, filled up to three orbitals by flat bands below all others."""
    extra = 3 - model.orbitals
    onsite = np.concatenate([model.onsite, np.full(extra, -8.0)])
    positions = np.concatenate([model.positions, np.full((extra, 2), 0.4)])
    amplitudes = np.zeros(len(HOPS), complex)
    for t, (i, j, r1, r2) in zip(np.asarray(model.amplitudes), model.hops, strict=True):
        if (i, j, r1, r2) in HOPS:
            amplitudes[HOPS.index((i, j, r1, r2))] += t
        else:
            amplitudes[HOPS.index((j, i, -r1, -r2))] += np.conj(t)
    arrays = (jnp.asarray(x) for x in (model.vectors, positions, onsite, amplitudes))
    return hof.models.TightBinding(*arrays, HOPS, name="three orbitals")


def three_spins():
    """Three decoupled copies of the square lattice in one place: each level is exactly threefold."""
    hops = [(-1.0, spin, spin, cell) for spin in range(3) for cell in ((1, 0), (0, 1))]
    return hof.models.tight_binding([[1, 0], [0, 1]], [[0.1, 0.2]] * 3, hops)


def without_symmetry():
    rng = np.random.default_rng(5)
    amplitudes = 0.2 * (rng.normal(size=len(HOPS)) + 1j * rng.normal(size=len(HOPS)))
    vectors, positions = [[1.0, 0.1], [0.3, 0.9]], rng.uniform(-1, 1, (3, 2))
    return hof.models.TightBinding(
        jnp.array(vectors), jnp.asarray(positions), jnp.array([-3.0, 0.0, 3.0]), jnp.asarray(amplitudes), HOPS
    )


# Whether the levels of the group are apart, so that each one has a derivative of its own.
MODELS = {
    "kagome": (hof.models.kagome, True),
    "haldane": (lambda: hof.models.haldane(mass=0.2), True),
    "checkerboard": (lambda: hof.models.checkerboard(1.0, 0.5, -0.5, phase=0.7), True),
    "no symmetry": (without_symmetry, True),
    "lieb flat band": (hof.models.lieb, False),
    "dice flat band": (hof.models.dice, False),
    "three spins": (three_spins, False),
}
NAMES = list(MODELS)


@functools.cache
def build(name):
    return on_the_list(MODELS[name][0]())


K = jnp.array([0.037, 0.091])
MESH = jnp.array([[0.03, 0.05], [0.11, 0.02], [0.19, 0.07], [0.28, 0.13]])
WEIGHTS = np.random.default_rng(3).normal(size=(2, 9, 9))


def quantities(model, k):
    """Smooth numbers of the group, by name; the last two of levels that must be apart."""
    problem = hof.at_flux(model, (1, 3))
    energies = dense.eigenvalues(problem.matrix(jnp.concatenate([k[None], MESH])))
    here, mesh = energies[0], energies[1:]
    tensor = hof.quantum_geometric_tensor(problem, BANDS, k)
    p = projector(problem, BANDS, k)
    return {
        "energies": jnp.sum(here[slice(*BANDS)]),
        "projector": jnp.sum(WEIGHTS[0] * p.real) + jnp.sum(WEIGHTS[1] * p.imag),
        "tensor": jnp.sum(tensor.real * WEIGHTS[0, :2, :2]) + jnp.sum(tensor.imag * WEIGHTS[1, :2, :2]),
        "metric": jnp.trace(hof.quantum_metric(problem, BANDS, k)),
        "curvature": hof.berry_curvature(problem, BANDS, k),
        "moment": hof.orbital_moment(problem, BANDS, k),
        "gap": direct_gap(here, BANDS),
        "width": jnp.max(mesh[:, BANDS[1] - 1]) - jnp.min(mesh[:, BANDS[0]]),
    }


def without_derivative(name):
    """Quantities that are not smooth at this model, or too noisy for differences.

    Orbitals that a flat band avoids gain weight in second order, and the minimal metric divides by that;
    `test_minimal.py` differentiates it where they stay empty.
    """
    together = set() if MODELS[name][1] else {"gap", "width"}
    return together | ({"minimal metric"} if "flat band" in name else set())


@functools.cache
def compiled(function):
    """Value, forward derivative along a direction, and gradient of a weighted sum (reverse mode)."""

    def forward(point, direction):
        return jax.jvp(lambda point: function(*point), (point,), (direction,))[1]

    def reverse(point, cotangents):
        values, pullback = jax.vjp(lambda point: function(*point), point)
        return pullback(jax.tree.map(lambda x, c: c.astype(x.dtype), values, cotangents))[0]

    return jax.jit(lambda point: function(*point)), jax.jit(forward), jax.jit(reverse)


def direction_in(point, leaf, rng):
    """A random tangent of (model, k), in one leaf only."""
    model, _ = point
    zero = jax.tree.map(jnp.zeros_like, point)
    if leaf == "k":
        return (zero[0], jnp.asarray(rng.normal(size=2)))
    here = getattr(model, leaf)
    change = rng.normal(size=here.shape)
    if leaf == "amplitudes":
        change = change + 1j * rng.normal(size=here.shape)
    return (eqx.tree_at(lambda m: getattr(m, leaf), zero[0], jnp.asarray(change).astype(here.dtype)), zero[1])


def central_difference(function, point, direction, step):
    """Eighth order in the step."""
    total = None
    for n, weight in enumerate((4 / 5, -1 / 5, 4 / 105, -1 / 280), start=1):
        ends = []
        for sign in (1, -1):
            moved = jax.tree.map(lambda x, d, s=sign * n * step: x + s * d, point, direction)
            ends.append(function(moved))
        part = jax.tree.map(lambda a, b, w=weight: w * (np.asarray(a) - np.asarray(b)) / step, *ends)
        total = part if total is None else jax.tree.map(np.add, total, part)
    return total


def assert_close(found, expected, scale, where):
    for name, value in expected.items():
        tolerance = 1e-7 * max(np.abs(value).max(), 1e-2 * scale[name], 1e-3)
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance, err_msg=f"{name} in {where}")


LEAVES = ["onsite", "amplitudes", "positions", "vectors", "k"]


def check_leaves(function, name, rng, step=1e-3):
    """Forward mode against finite differences in every leaf, and reverse mode against forward mode."""
    point = (build(name), K)
    value, forward, reverse = compiled(function)
    values = value(point)
    cotangents = {key: jnp.asarray(rng.normal(size=np.shape(x))) for key, x in values.items()}
    gradient = reverse(point, cotangents)
    scale = {key: float(np.abs(x).max()) for key, x in values.items()}
    for leaf in LEAVES:
        direction = direction_in(point, leaf, rng)
        found = forward(point, direction)
        expected = central_difference(value, point, direction, step)
        expected = {key: x for key, x in expected.items() if key not in without_derivative(name)}
        assert_close(found, expected, scale, leaf)
        # JAX's gradient of a real function of z is ∂x − i∂y.
        terms = jax.tree.map(lambda g, d: float(np.sum(np.asarray(g) * np.asarray(d)).real), gradient, direction)
        along = sum(jax.tree.leaves(terms))
        total = sum(float(np.sum(cotangents[key] * found[key])) for key in found)
        size = sum(float(np.sum(np.abs(cotangents[key] * found[key]))) for key in found)
        np.testing.assert_allclose(along, total, rtol=0, atol=1e-11 * max(size, 1.0), err_msg=leaf)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_first_derivatives(name, rng):
    check_leaves(quantities, name, rng)


def averages(model, k):
    """The metric averaged over a small mesh, at the true positions and at the best ones."""
    problem = hof.at_flux(model, (1, 3))
    minimal = hof.minimal_metric(problem, BANDS, points=1)
    return {
        "minimal metric": jnp.sum(minimal.metric * WEIGHTS[0, :2, :2]),
        "metric": jnp.sum(hof.zone_average(problem, BANDS, points=2).metric * WEIGHTS[1, :2, :2]),
    }


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) for n in NAMES])
def test_first_derivatives_of_averages(name, rng):
    check_leaves(averages, name, rng)


def wilson_phases(model, k):
    """The sum of the phases is defined up to 2π and does not depend on the choice of states."""
    problem = hof.at_flux(model, (1, 3))
    total = jnp.sum(hof.wilson_loop(problem, BANDS, steps=6, loops=2).phases, axis=-1)
    return {"cosine": jnp.sum(jnp.cos(total + k[0])), "sine": jnp.sum(jnp.sin(total + k[1]))}


@pytest.mark.parametrize("name", NAMES)
def test_first_derivatives_of_wilson_phases(name, rng):
    check_leaves(wilson_phases, name, rng)


def pointwise(model, k):
    """The part of `quantities` that has second derivatives for every model."""
    problem = hof.at_flux(model, (1, 3))
    tensor = hof.quantum_geometric_tensor(problem, BANDS, k)
    energies = dense.eigenvalues(problem.matrix(k))
    return jnp.stack(
        [
            jnp.sum(energies[slice(*BANDS)]),
            jnp.sum(WEIGHTS[0] * projector(problem, BANDS, k).real),
            jnp.trace(tensor).real,
            tensor[0, 1].imag,
            hof.orbital_moment(problem, BANDS, k),
        ]
    )


@jax.jit
def slopes(model, k, directions, s):
    """∂/∂s_i of `pointwise` at the model and k moved by s_1 and s_2 along two directions."""
    return jax.jacfwd(lambda s: pointwise(*moved_by(model, k, directions, s)))(s)


@jax.jit
def hessians(model, k, directions, s):
    return jax.jacfwd(jax.jacrev(lambda s: pointwise(*moved_by(model, k, directions, s))))(s)


def moved_by(model, k, directions, s):
    return jax.tree.map(
        lambda x, a, b: x + s[0].astype(x.dtype) * a + s[1].astype(x.dtype) * b, (model, k), *directions
    )


def random_directions(point, rng):
    """Two tangents of (model, k) in all leaves together."""
    leaves = [[direction_in(point, leaf, rng) for leaf in LEAVES] for _ in range(2)]
    return tuple(jax.tree.map(lambda *parts: sum(parts), *parts) for parts in leaves)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives(name, rng):
    point = (build(name), K)
    directions = random_directions(point, rng)
    found = np.asarray(hessians(*point, directions, jnp.zeros(2)))
    np.testing.assert_allclose(found, np.swapaxes(found, -1, -2), rtol=0, atol=1e-10 * np.abs(found).max())
    for axis in range(2):
        expected = central_difference(lambda s: slopes(*point, directions, s), jnp.zeros(2), jnp.eye(2)[axis], 3e-4)
        for n in range(len(expected)):
            tolerance = 1e-7 * np.abs(found[n]).max()
            np.testing.assert_allclose(found[n, :, axis], expected[n], rtol=0, atol=tolerance, err_msg=f"entry {n}")


@pytest.mark.slow
def test_gradients_map_over_models(rng):
    models = [build(name) for name in NAMES]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *models)
    cotangents = jax.tree.map(lambda x: jnp.ones(x.shape), jax.eval_shape(quantities, models[0], K))
    _, _, reverse = compiled(quantities)
    together = jax.jit(jax.vmap(lambda model: reverse((model, K), cotangents)))(stacked)
    for n, model in enumerate(models):
        alone = reverse((model, K), cotangents)
        for x, y in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
            size = max(1.0, float(np.abs(y).max()))
            # Separate levels of a degenerate group have no derivative, and what comes out may depend on rounding.
            if MODELS[NAMES[n]][1]:
                np.testing.assert_allclose(x[n], y, rtol=0, atol=1e-9 * size)
            assert np.isfinite(x[n]).all()


def test_the_check_notices_a_wrong_derivative(rng):
    @jax.custom_jvp
    def slightly_wrong(x):
        return x

    slightly_wrong.defjvp(lambda primals, tangents: (primals[0], tangents[0] * (1 + 1e-6)))

    def wrong(model, k):
        return {"energies": slightly_wrong(dense.eigenvalues(hof.at_flux(model, (1, 3)).matrix(k))[0])}

    with pytest.raises(AssertionError, match="energies in"):
        check_leaves(wrong, "no symmetry", rng)
