import json
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from hofstadter import lattice
from hofstadter.magnetic import siegel_theta as theta
from hofstadter.magnetic.reduced_cell import reduced_cell
from tests.oracles import theta_mpmath as oracle

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "reference_flux_2pi.json").read_text())["theta"]

CELLS = {
    "square": [[1, 0], [0, 1]],
    "hexagonal_60": [[1, 0], [0.5, 3**0.5 / 2]],
    "hexagonal_120": [[0, 2.5], [-2.5 * 3**0.5 / 2, -1.25]],
    "generic": [[1.3, 0.2], [-0.6, 0.9]],
    "long": [[1, 0.1], [0.3, 5]],
    "oblique": [[1, 0], [7.3, 0.21]],
}
SOUND = ("square", "hexagonal_60", "hexagonal_120", "generic")
every_cell = pytest.mark.parametrize("name", CELLS)

# All tests use batches of 16 momenta, so that each function is compiled once.
BATCH = 16
norm = jax.jit(theta.theta_norm)
norm_gradient = jax.jit(theta.theta_norm_gradient)
log_gradient = jax.jit(theta.log_theta_norm_gradient)
siegel = jax.jit(theta.siegel_sum)
section = jax.jit(theta.section)
gauge_phase = jax.jit(theta.gauge_phase)
overlap = jax.jit(theta.overlap_theta)
smooth = jax.jit(theta.smooth_gauge_phase)
seam = jax.jit(theta.smooth_seam)


def vectors_of(name):
    return jnp.asarray(CELLS[name], float)


def rows(points):
    """As one batch, the first point repeated."""
    points = np.asarray(points, float)
    return jnp.asarray(np.concatenate([points, np.repeat(points[:1], BATCH - len(points), axis=0)]))


def draw(rng, reach=1.5):
    return jnp.asarray(rng.uniform(-reach, reach, (BATCH, 2)))


def close(actual, expected, atol):
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), rtol=0, atol=atol)


def relative(actual, expected):
    """Largest error, relative to the size of each row of numbers in 50 digits."""
    pairs = zip(np.asarray(actual).reshape(len(expected), -1), expected, strict=True)
    return max(float(mp.norm(mp.matrix([*map(float, a)]) - mp.matrix(e)) / mp.norm(mp.matrix(e))) for a, e in pairs)


AROUND_THE_ZERO = [
    [0.5 + distance * np.cos(angle), 0.5 + distance * np.sin(angle)]
    for distance, angle in [(1e-2, 0.3), (1e-3, 2.0), (1e-4, 4.0), (1e-6, 5.0), (1e-7, 1.0), (1e-8, 3.0), (1e-9, 0.5)]
]
ELSEWHERE = np.random.default_rng(5).uniform(-1.5, 1.5, (BATCH, 2))


@every_cell
@pytest.mark.parametrize("points", [AROUND_THE_ZERO, ELSEWHERE[:6]], ids=["around_the_zero", "elsewhere"])
def test_norm_and_gradients_relative_to_50_digits(name, points):
    k, vectors = rows(points), vectors_of(name)
    exact = [oracle.norm(point, CELLS[name]) for point in points]
    count, eps = len(points), np.finfo(float).eps
    assert relative(norm(k, vectors)[:count], [e[:1] for e in exact]) < (32 if name == "oblique" else 8) * eps
    # An oblique cell amplifies the rounding of its vectors. Away from the zero gradients may be small by cancellation.
    bound = (200 if name == "oblique" else 32) * eps
    slopes, logs = [e[1:] for e in exact], [(e[1] / e[0], e[2] / e[0]) for e in exact]
    for actual, expected in ((norm_gradient(k, vectors), slopes), (log_gradient(k, vectors), logs)):
        if points is AROUND_THE_ZERO:
            assert relative(actual[:count], expected) < bound
        else:
            close(actual[:count], np.array(expected, float), bound * abs(np.array(expected, float)).max())


@every_cell
def test_zero_is_exact_and_alone(name):
    zeros = rows([(0.5, 0.5), (-1.5, 2.5), (40.5, -3.5)])
    assert np.all(norm(zeros, vectors_of(name)) == 0)
    assert np.all(norm_gradient(zeros, vectors_of(name)) == 0)
    mesh = lattice.mesh(40, 40).reshape(-1, 2)
    values = np.asarray(norm(mesh, vectors_of(name)))
    assert np.flatnonzero(values == 0) == [40 * 20 + 20]
    # BZ mean: the mesh sum keeps the harmonics R that are multiples of 40.
    close(values.mean(), 1, 1e-14 if name != "oblique" else 2e-14)


@every_cell
def test_siegel_sum_is_a_second_evaluation(name):
    close(siegel(jnp.asarray(ELSEWHERE), vectors_of(name)), norm(jnp.asarray(ELSEWHERE), vectors_of(name)), 3e-14)


@pytest.mark.parametrize("name", ["hexagonal_60", "generic"])
def test_siegel_sum_at_complex_momenta(name, rng):
    k = draw(rng, 1.0) + 0.6j * draw(rng, 1.0)
    value = np.asarray(siegel(k, vectors_of(name)))
    exact = np.array([complex(oracle.siegel(point, CELLS[name])) for point in np.asarray(k)[:5]])
    close(value[:5], exact, 1e-13 * abs(exact).max())
    tau = np.array(oracle.tau_siegel(CELLS[name]), dtype=complex)
    for m in [(1, 0), (0, 1), (-1, 2)]:
        factor = np.exp(-1j * np.pi * np.dot(m, tau @ m) + 2j * np.pi * np.asarray(k) @ m)
        shifted = np.asarray(siegel(k - jnp.asarray(tau @ m), vectors_of(name)))
        np.testing.assert_allclose(shifted, factor * value, rtol=0, atol=1e-12 * abs(shifted).max())


def test_siegel_sum_refuses_cells_beyond_its_window(rng):
    long = jnp.array([[1.0, 0], [0.3, 9.0]])
    assert np.all(np.isnan(siegel(draw(rng), long)))
    wider = jax.jit(theta.siegel_sum, static_argnames="max_aspect")
    close(wider(jnp.asarray(ELSEWHERE), long, max_aspect=9.0), norm(jnp.asarray(ELSEWHERE), long), 1e-14)
    assert np.all(np.isnan(norm(draw(rng), long[::-1])))  # left-handed


def radians(entry):
    return [float(mp.mpf(x) / (2 * mp.pi)) for x in entry]


@pytest.mark.parametrize("entry", REFERENCE["N"], ids=lambda e: e["lattice"])
def test_reference_norms(entry):
    vectors = jnp.asarray(REFERENCE["lattices"][entry["lattice"]])
    if "k" in entry:
        k = rows([radians(entry["k"])])
        derivative = [2 * np.pi * float(entry["dN_dk1"]), 2 * np.pi * float(entry["dN_dk2"])]
        np.testing.assert_allclose(norm(k, vectors)[0], float(entry["N"]), rtol=1e-13)
        np.testing.assert_allclose(norm_gradient(k, vectors)[0], derivative, rtol=1e-13, atol=1e-14)
    else:
        # k = 1/2 + 1e-4/2π is rounded to 1e-16, that is its distance from the zero to 7e-12.
        x, y = (np.prod([float(x) for x in text.split("*")]) for text in entry["k_minus_pi"])
        k = rows([(0.5 + x / (2 * np.pi), 0.5 + y / (2 * np.pi))])
        np.testing.assert_allclose(norm(k, vectors)[0], float(entry["N"]), rtol=1e-11)


@pytest.mark.parametrize("entry", REFERENCE["g"], ids=lambda e: f"{e['lattice']}_{e['k'][0]}_{e['sigma']}")
def test_reference_gauge_phases(entry):
    vectors = jnp.asarray(REFERENCE["lattices"][entry["lattice"]])
    q = np.asarray(vectors) @ [float(x) for x in entry["q_cart"]] / (2 * np.pi)
    # The package has σ = −1, and σ = +1 is its complex conjugate.
    expected = float(entry["g_re"]) - 1j * entry["sigma"] * float(entry["g_im"])
    k, q = rows([radians(entry["k"])]), rows([q])
    close(gauge_phase(k, q, vectors)[0], expected, 1e-14)
    close(overlap(k, q, vectors)[0], expected, 1e-13)


@every_cell
def test_three_forms_of_the_gauge_phase(name, rng):
    k, q, vectors = draw(rng), draw(rng, 2.5), vectors_of(name)
    stable = np.asarray(gauge_phase(k, q, vectors))
    start, end = np.asarray(section(k, vectors)), np.asarray(section(k + q, vectors))
    plain = np.asarray(smooth(k, q)) * np.exp(1j * (np.angle(start) - np.angle(end)))
    pairs = zip(np.asarray(k)[:5], np.asarray(q)[:5], strict=True)
    exact = [complex(oracle.gauge_phase(*pair, CELLS[name])) for pair in pairs]
    atol = 1e-13 if name in SOUND else 5e-13  # long and oblique cells amplify the rounding of k
    close(stable[:5], exact, atol)
    close(plain, stable, atol)
    close(overlap(k, q, vectors), stable, atol)
    close(abs(stable), 1, 2e-15)
    close(abs(start) ** 2, norm(k, vectors), 2e-15)


@every_cell
def test_section_is_theta_1_of_the_given_cell(name):
    k = jnp.asarray(ELSEWHERE)
    f = np.asarray(section(k, vectors_of(name)))
    exact = [complex(oracle.section_ratio(point, ELSEWHERE[0], CELLS[name])) for point in ELSEWHERE[1:6]]
    np.testing.assert_allclose(f[1:6] / f[0], exact, rtol=2e-14)


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("matrix", [[[0, -1], [1, 0]], [[3, 2], [4, 3]], [[1, 0], [-5, 1]], [[-1, 0], [0, -1]]])
def test_all_cells_of_a_lattice_agree(name, matrix, rng):
    x, q, matrix = draw(rng) - 0.5, draw(rng), jnp.asarray(matrix, float)
    other = matrix @ vectors_of(name)
    for function in (norm, section):
        here, there = function(x + 0.5, vectors_of(name)), function(x @ matrix.T + 0.5, other)
        close(here, there, 2e-14)
    here, there = gauge_phase(x + 0.5, q, vectors_of(name)), gauge_phase(x @ matrix.T + 0.5, q @ matrix.T, other)
    close(here, there, 2e-13)


def test_section_next_to_the_zero_is_the_conjugate_vortex(rng):
    """f ∝ κx − iκy with a positive factor, so the choice arg f = 0 at the zero does not depend on the cell."""
    for name in CELLS:
        x = 1e-6 * draw(rng)
        kappa = np.asarray(x) @ np.asarray(lattice.reciprocal_vectors(vectors_of(name)))
        f = np.asarray(section(x + 0.5, vectors_of(name)))
        bound = 1e-3 if name == "oblique" else 1e-8
        close(f / abs(f), (kappa[:, 0] - 1j * kappa[:, 1]) / np.hypot(*kappa.T), bound)


def closed_form(k, reciprocal):
    k, g = np.asarray(k), np.asarray(reciprocal)
    sign = np.where(g[:, 0] * g[:, 1] % 2 == 0, 1, -1)
    return sign * np.exp(-2j * np.pi * (g[:, 1] * k[:, 0] - g[:, 0] * k[:, 1]))


@every_cell
def test_reciprocal_vectors_need_no_theta_function(name, rng):
    reciprocal = jnp.asarray(rng.integers(-4, 5, (BATCH, 2)), float)
    zeros = rows([(0.5, 0.5), (-0.5, 1.5), (0.5, 0.5 + 1e-16), (0.5 + 1e-12, 0.5), (2.5, 0.5 - 4e-16)])
    for k in (draw(rng), zeros):
        close(gauge_phase(k, reciprocal, vectors_of(name)), closed_form(k, reciprocal), 3e-14)


@every_cell
def test_momenta_that_differ_by_reciprocal_vectors_are_one(name, rng):
    zeros = rows([(0.5, 0.5), (0.5, 0.5 + 3e-16), (0.1 + 0.4, 0.3 + 0.2), (0.7 - 0.2, 1.2 - 0.7)])
    shift = jnp.asarray(rng.integers(-3, 4, (BATCH, 2)), float)
    # On the edge of the folding, k may fall on either side.
    edge = rows([(0.0, 0.3), (1e-17, 0.3), (-1e-17, 0.3), (1.0, 0.3), (0.3, 1 - 1e-16), (0, 0)])
    for k in (draw(rng), zeros, edge):
        q, vectors = draw(rng), vectors_of(name)
        here = gauge_phase(k, q, vectors)
        close(gauge_phase(k + shift, q, vectors), here, 2e-13)
        close(norm(k + shift, vectors), norm(k, vectors), 2e-14)
        # Arriving there gives the phase of leaving from there, at the zero too.
        close(gauge_phase(k + q, -q, vectors), np.conj(here), 2e-13)
        close(gauge_phase(k - q, q, vectors), np.conj(gauge_phase(k, -q, vectors)), 2e-13)


@every_cell
def test_cocycle(name, rng):
    """g(k, q) g(k+q, q') / g(k, q+q') = exp(−iℓ² q × q' / 2) in both gauges: e^{−iq·r} are translations too."""
    k, vectors = draw(rng), vectors_of(name)
    q, other = draw(rng, 2.0), draw(rng, 2.0)
    area = np.exp(-1j * np.pi * np.asarray(q[:, 0] * other[:, 1] - q[:, 1] * other[:, 0]))
    product = gauge_phase(k, q, vectors) * gauge_phase(k + q, other, vectors)
    close(product, area * gauge_phase(k, q + other, vectors), 4e-13)
    close(smooth(k, q) * smooth(k + q, other), area * smooth(k, q + other), 1e-13)


@every_cell
def test_seams(name, rng):
    k, vectors = draw(rng), vectors_of(name)
    first, second = (jnp.asarray(rng.integers(-3, 4, (BATCH, 2)), float) for _ in range(2))
    close(section(k + first, vectors), seam(k, first) * section(k, vectors), 1e-13)
    close(seam(k, first) * seam(k + first, second), seam(k, first + second), 1e-13)
    # ⟨k| e^{−iG·r} |k+G⟩~ = c g(k, G): the states at k and k + G are the same up to c.
    close(smooth(k, first), seam(k, first) * closed_form(k, first), 1e-13)


def test_zero_reached_by_a_rounded_sum_is_the_zero():
    vectors = vectors_of("hexagonal_60")
    q = rows([(0.1 * j, 0.3 - 0.1 * j) for j in range(12)])
    k = 0.5 - q  # k + q is 1/2 up to rounding
    zero = rows([(0.5, 0.5)])
    close(gauge_phase(k, q, vectors), np.conj(gauge_phase(zero, -q, vectors)), 2e-14)
    # There |k⟩ is the smooth state: arg f = 0.
    end = np.asarray(section(zero + q, vectors))
    close(gauge_phase(zero, q, vectors), smooth(zero, q) * abs(end) / end, 1e-13)


@every_cell
def test_laplacian_of_the_logarithm(name, rng):
    """∇² log N = −2ℓ² away from the zero, and the curl of the gradient vanishes."""
    vectors = vectors_of(name)
    hessian = np.asarray(_hessian(jnp.asarray(ELSEWHERE), vectors))
    metric = np.asarray(vectors @ vectors.T) / (2 * np.pi) ** 2
    area = float(lattice.cell_area(vectors))
    size = abs(metric).max() * abs(hessian).max()
    close(np.sum(hessian * metric, axis=(1, 2)), -area / np.pi, 1e-14 * size)
    close(hessian, hessian.transpose(0, 2, 1), 1e-13 * abs(hessian).max())


_hessian = jax.jit(jax.vmap(jax.jacfwd(theta.log_theta_norm_gradient), in_axes=(0, None)))
_autodiff = jax.jit(jax.grad(lambda k, vectors: theta.theta_norm(k, vectors).sum()))


@pytest.mark.parametrize("name", ["hexagonal_120", "oblique"])
def test_gradient_by_autodiff_and_by_differences(name):
    # k1 = 1/2 and k2 = 1/2 are where the series is mirrored.
    vectors = vectors_of(name)
    k = rows([*ELSEWHERE[:12], (0.5, 0.2), (0.5, 0.5), (0.3, 0.5), (0.5, 0.5 + 1e-9)])
    gradient = np.asarray(norm_gradient(k, vectors))
    np.testing.assert_allclose(_autodiff(k, vectors), gradient, rtol=0, atol=2e-14 * abs(gradient).max())
    step = 1e-5
    for axis in (0, 1):
        shift = step * jnp.eye(2)[axis][None]
        difference = (norm(k + shift, vectors) - norm(k - shift, vectors)) / (2 * step)
        close(difference, gradient[:, axis], (1e-6 if name == "oblique" else 1e-8) * abs(gradient).max())


def test_differentiable_by_the_lattice_vectors(rng):
    k, q = draw(rng), draw(rng)

    def number(vectors):
        return jnp.sum(theta.gauge_phase(k, q, vectors).real + theta.theta_norm(k, vectors))

    number, gradient = jax.jit(number), jax.jit(jax.grad(number))
    for name in ("hexagonal_60", "generic", "oblique"):  # the first is on the edge of the reduction
        vectors = vectors_of(name)
        exact, direction = gradient(vectors), jnp.asarray(rng.normal(size=(2, 2)))
        step = 1e-6 * direction
        difference = (number(vectors + step) - number(vectors - step)) / 2e-6
        np.testing.assert_allclose(difference, jnp.sum(exact * direction), rtol=1e-5)


def test_gauge_phase_has_finite_derivatives_at_the_zero():
    q = rows([(0.2, 0.1)])
    derivative = jax.jit(jax.grad(lambda k: theta.gauge_phase(k, q, vectors_of("generic")).imag.sum()))
    assert np.all(np.isfinite(derivative(rows([(0.5, 0.5), (0.3, 0.4)]))))


def test_batches_and_broadcasts(rng, strict_jax):
    vectors = jnp.stack([vectors_of(name) for name in SOUND])
    k, q = draw(rng).reshape(4, 4, 2), draw(rng)[:1].reshape(1, 1, 2)

    def all_of_them(vectors):
        kk = jnp.broadcast_to(q, k.shape)
        return (
            theta.theta_norm(k, vectors),
            theta.log_theta_norm_gradient(k, vectors)[..., 0],
            theta.theta_norm_gradient(k, vectors)[..., 1],
            theta.siegel_sum(jax.lax.complex(k, kk), vectors),
            theta.section(k, vectors),
            theta.gauge_phase(k, q, vectors),
            theta.overlap_theta(k, q, vectors),
        )

    with strict_jax():
        results = jax.jit(jax.vmap(all_of_them))(vectors)
        phases = theta.smooth_gauge_phase(k, q), theta.smooth_seam(k, jnp.round(q))
    assert all(result.shape == (4, 4, 4) for result in results)
    assert all(phase.shape == (4, 4) for phase in phases)
    for index, name in enumerate(SOUND):
        here = vectors_of(name)
        flat, step = k.reshape(BATCH, 2), jnp.broadcast_to(q, k.shape).reshape(BATCH, 2)
        close(results[0][index].ravel(), norm(flat, here), 1e-14)
        close(results[5][index].ravel(), gauge_phase(flat, step, here), 1e-13)
        close(results[6][index].ravel(), overlap(flat, step, here), 1e-13)


def single_precision(k, q, vectors):
    return (
        theta.theta_norm(k, vectors),
        theta.log_theta_norm_gradient(k, vectors),
        theta.siegel_sum(k, vectors),
        theta.section(k, vectors),
        theta.gauge_phase(k, q, vectors),
        theta.overlap_theta(k, q, vectors),
        theta.smooth_gauge_phase(k, q),
        theta.smooth_seam(k, jnp.round(q)),
    )


def test_single_precision(rng):
    k, q = draw(rng).astype(jnp.float32), draw(rng).astype(jnp.float32)
    near = rows([(0.5 + 1e-5, 0.5), (0.5 - 3e-4, 0.5 + 1e-3)]).astype(jnp.float32)
    for name in CELLS:
        vectors = vectors_of(name).astype(jnp.float32)
        results = jax.jit(single_precision)(k, q, vectors)
        assert {result.dtype for result in results} == {jnp.dtype(jnp.float32), jnp.dtype(jnp.complex64)}
        doubled = jax.jit(single_precision)(k.astype(float), q.astype(float), vectors.astype(float))
        atol = 1e-4 if name in ("oblique", "long") else 1e-5
        for index in (0, 2, 3, 4, 6, 7):
            close(results[index], doubled[index], atol)
        exact = norm(near.astype(float), vectors.astype(float))
        np.testing.assert_allclose(norm(near, vectors), exact, rtol=1e-5)


def test_no_overflow_on_very_long_cells():
    long = jnp.array([[1.0, 0.0], [0.2, 300.0]], jnp.float32)
    k = rows([[0.5, 0.3], [0.01, 0.99], [0.5 + 1e-3, 0.5]]).astype(jnp.float32)
    assert np.all(np.isfinite(norm(k, long)))
    assert np.all(np.isfinite(log_gradient(k, long)))
    close(abs(gauge_phase(k, 2 * k, long)), 1, 1e-6)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
def test_exports_in_single_precision(platform):
    shapes = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((BATCH, 2), (BATCH, 2), (2, 2))]
    exported = jax.export.export(jax.jit(single_precision), platforms=[platform])(*shapes)
    assert "f64" not in exported.mlir_module()


@pytest.mark.parametrize("matrix", [[[1, 0], [0, 1]], [[2, 1], [1, 1]], [[-89, 55], [144, -89]], [[1, 0], [100, 1]]])
def test_reduction_finds_the_shortest_cell(matrix):
    for name in SOUND:
        oblique = np.array(matrix, float) @ np.array(CELLS[name], float)
        cell = jax.jit(reduced_cell)(jnp.asarray(oblique))
        m, (a1, a2) = np.asarray(cell.matrix), np.asarray(cell.vectors)
        assert np.all(m == np.round(m))
        assert m[0, 0] * m[1, 1] - m[0, 1] * m[1, 0] == np.linalg.det(np.array(matrix)).round()
        close(m @ oblique, cell.vectors, 1e-11)
        assert abs(a1 @ a2) <= a1 @ a1 * (0.5 + 1e-9)
        assert a1 @ a1 <= a2 @ a2 * (1 + 1e-9)
