"""Covariances, and combinations that are not determined."""

import numpy as np

from hofstadter.fits.uncertainty import covariance


def test_the_covariance_is_the_inverse(rng):
    jacobian = rng.normal(size=(9, 3)) * np.array([0.1, 1.0, 100.0])
    found, undetermined = covariance(jacobian.T @ jacobian)
    np.testing.assert_allclose(found @ (jacobian.T @ jacobian), np.eye(3), atol=1e-9)
    assert undetermined.shape == (0, 3)


def test_a_combination_that_the_data_leave_open(rng):
    # Only x + 200 y and z matter, so −200 x + y is open.
    jacobian = rng.normal(size=(9, 2)) @ np.array([[1.0, 200.0, 0.0], [0.0, 0.0, 3.0]])
    found, undetermined = covariance(jacobian.T @ jacobian)
    np.testing.assert_allclose(undetermined / undetermined[0, 0], [[1, -1 / 200, 0]], atol=1e-6)
    np.testing.assert_array_equal(np.isinf(np.diag(found)), [True, True, False])
    expected = 1 / np.sum(jacobian[:, 2] ** 2)
    correlated = np.linalg.inv(jacobian[:, 1:].T @ jacobian[:, 1:])[1, 1]
    assert expected < found[2, 2]
    np.testing.assert_allclose(found[2, 2], correlated, rtol=1e-9)
    assert np.isnan(found[0, 1:]).all()


def test_a_parameter_without_influence():
    found, undetermined = covariance(np.diag([4.0, 0.0]))
    np.testing.assert_array_equal(found, [[0.25, np.nan], [np.nan, np.inf]])
    np.testing.assert_array_equal(undetermined, [[0, 1]])
    # At a saddle of chi² nothing is known about the direction in which it falls.
    assert np.isinf(covariance(np.diag([4.0, -1.0])).covariance[1, 1])
    found, undetermined = covariance(np.full((2, 2), np.nan))
    assert np.isnan(found).all()
    assert not undetermined.size
