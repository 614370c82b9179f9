import jax.numpy as jnp
import numpy as np
import pytest

from hofstadter.eigensolver.pieces import in_pieces


@pytest.mark.parametrize("size", [1, 3, 4, 7, 20])
def test_work_in_pieces_is_the_same_work(size):
    values = jnp.arange(14.0).reshape(7, 2)
    np.testing.assert_array_equal(in_pieces(lambda x: x[0] * x[1], values, size), values[:, 0] * values[:, 1])
