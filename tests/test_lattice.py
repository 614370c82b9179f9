import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter import lattice


def test_reciprocal_vectors_and_area(rng):
    for _ in range(5):
        vectors = rng.normal(size=(2, 2))
        b = np.asarray(lattice.reciprocal_vectors(jnp.asarray(vectors)))
        np.testing.assert_allclose(vectors @ b.T, 2 * np.pi * np.eye(2), atol=1e-12)
        np.testing.assert_allclose(lattice.cell_area(jnp.asarray(vectors)), np.linalg.det(vectors), atol=1e-14)
        np.testing.assert_allclose(lattice.cell_area(jnp.asarray(vectors[::-1])), -np.linalg.det(vectors), atol=1e-14)


def test_area_gradient():
    gradient = jax.grad(lattice.cell_area)(jnp.array([[1.0, 0.2], [-0.3, 1.5]]))
    np.testing.assert_allclose(gradient, [[1.5, 0.3], [-0.2, 1.0]], atol=1e-15)


def test_mesh_covers_the_unit_square_once():
    k = lattice.mesh(3, 4)
    assert k.shape == (3, 4, 2)
    assert k.dtype == jnp.float64
    for i in range(3):
        for j in range(4):
            np.testing.assert_array_equal(k[i, j], [i / 3, j / 4])


def test_path_visits_its_corners():
    corners = [(0.0, 0.0), (0.5, 0.0), (1 / 3, -1 / 3)]
    k, index, lengths = lattice.path(corners, 21)
    assert k.shape == (21, 2)
    assert (index[0], index[-1]) == (0, 20)
    np.testing.assert_allclose(k[jnp.array(index)], corners, atol=1e-15)
    steps = np.diff(k, axis=0)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=1), np.diff(lengths), atol=1e-15)
    np.testing.assert_allclose(lengths[-1], 0.5 + np.hypot(1 / 6, 1 / 3), atol=1e-15)


def test_path_of_one_interval_per_segment():
    k, index, lengths = lattice.path([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)], 3)
    assert index == [0, 1, 2]
    np.testing.assert_array_equal(k, [(0, 0), (1, 0), (1, 1)])
    np.testing.assert_array_equal(lengths, [0, 1, 2])


def test_path_with_very_uneven_segments_keeps_every_corner():
    corners = [(0.0, 0.0), (1e-9, 0.0), (1.0, 0.0), (1.0, 1e-9), (1.0, 2e-9)]
    k, index, _ = lattice.path(corners, 5)
    assert index == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(k, corners, atol=1e-15)


def test_path_measures_length_with_the_reciprocal_vectors():
    _, _, lengths = lattice.path([(0.0, 0.0), (0.0, 1.0)], 2, np.array([[1.0, 0.0], [3.0, 4.0]]))
    np.testing.assert_allclose(lengths, [0, 5])


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("corners", [[(0, 0)], [0, 1], [(0, 0, 0), (1, 1, 1)]])
def test_path_refuses_corners_that_are_no_pairs(corners):
    with pytest.raises(ValueError, match=r"Argument `corners` must be at least two pairs \(k1, k2\), but is "):
        lattice.path(corners)


@pytest.mark.usefixtures("unchecked_types")
def test_bad_counts():
    with pytest.raises(ValueError, match=r"Argument `n1` must be at least 1, but is 0\."):
        lattice.mesh(0, 4)
    with pytest.raises(ValueError, match=r"Argument `n2` must be at least 1, but is -1\."):
        lattice.mesh(3, -1)
    with pytest.raises(ValueError, match=r"Argument `points` must be at least 2, but is 0\."):
        lattice.path([(0, 0), (1, 0)], 0)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("bad", [2.0, True, "3", None])
def test_counts_that_are_no_integers(bad):
    with pytest.raises(TypeError, match=r"Argument `n1` must be an integer, but is "):
        lattice.mesh(bad, 3)
