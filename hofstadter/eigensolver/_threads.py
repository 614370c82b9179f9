"""One BLAS thread per matrix while JAX spreads a batch of matrices over the cores."""

import contextlib
import functools

import jax
import threadpoolctl

from hofstadter.eigensolver.dense import load_lapack


@functools.cache
def _controller() -> threadpoolctl.ThreadpoolController:
    load_lapack()  # so that the controller finds it
    return threadpoolctl.ThreadpoolController()


def single_threaded_blas() -> contextlib.AbstractContextManager:
    """Context in which OpenBLAS does not start threads of its own.

    JAX runs the matrices of a batch on its own threads; with OpenBLAS threads below them, a batch of 9 matrices of size
    194 took 11 s instead of 0.09 s on a busy machine with two cores. Results must be waited for inside the context.
    """
    if jax.default_backend() != "cpu":
        return contextlib.nullcontext()
    return _controller().limit(limits=1, user_api="blas")
