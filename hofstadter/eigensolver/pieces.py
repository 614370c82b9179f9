"""Mapping over many momenta piece by piece, to bound memory."""

from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array


def in_pieces(function: Callable, values: Array, size: int):
    """`jax.vmap(function)(values)`, at most `size` at a time.

    All pieces are equally long, the last one filled up: `jax.lax.map` does what is left over in a second loop, and two
    loops that call LAPACK side by side can deadlock XLA's CPU threads.
    """
    count = values.shape[0]
    if count <= size:
        return jax.vmap(function)(values)
    pieces = -(-count // size)
    size = -(-count // pieces)
    padded = values[np.arange(pieces * size) % count].reshape(pieces, size, *values.shape[1:])
    results = jax.lax.map(jax.vmap(function), padded)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:count], results)
