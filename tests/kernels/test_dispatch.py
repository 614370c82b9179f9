"""Which implementation is called."""

import jax.numpy as jnp
import pytest

from hofstadter_kernels import _dispatch
from hofstadter_kernels.det_small import api as determinant
from hofstadter_kernels.ring_inertia import api as ring
from hofstadter_kernels.sturm_bisect import api as bisect
from hofstadter_kernels.sturm_count import api as count


def unable(_):
    raise NotImplementedError("not this dtype")


BACKENDS = {"reference": lambda x: x, "fast": lambda x: x + 1, "unable": unable}


def test_the_first_that_is_able():
    assert _dispatch.run(BACKENDS, ("unable", "fast", "reference"), None, jnp.zeros(())) == 1
    assert _dispatch.run(BACKENDS, ("unable", "reference"), None, jnp.zeros(())) == 0


def test_what_is_named_never_falls_back():
    assert _dispatch.run(BACKENDS, ("reference",), "fast", jnp.zeros(())) == 1
    with pytest.raises(NotImplementedError, match="not this dtype"):
        _dispatch.run(BACKENDS, ("unable", "reference"), "unable", jnp.zeros(()))
    with pytest.raises(ValueError, match='must be one of "reference", "fast", "unable", but is "none"'):
        _dispatch.run(BACKENDS, ("reference",), "none", jnp.zeros(()))


def test_a_module_that_cannot_be_imported():
    missing = _dispatch.on_demand("hofstadter_kernels.missing", "nothing")
    assert (
        _dispatch.run({"reference": lambda x: x, "missing": missing}, ("missing", "reference"), None, jnp.ones(())) == 1
    )
    with pytest.raises(NotImplementedError, match=r"`hofstadter_kernels.missing` cannot be imported here"):
        missing(jnp.zeros(()))


@pytest.mark.parametrize("api", [count, bisect, ring, determinant])
def test_experimental_backends_must_be_named(api):
    assert set(api.BACKENDS) > set(api.DEFAULT)
    assert api.DEFAULT == ("reference",)
