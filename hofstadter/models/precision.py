"""The precision of a model's numbers, which everything computed from it follows."""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp

from hofstadter._checks import fail

AnyModel = TypeVar("AnyModel", bound=eqx.Module)


def cast(model: AnyModel, precision: str) -> AnyModel:
    """The same model with numbers in "single" or "double" precision; everything computed from it follows."""
    kinds = {"single": (jnp.float32, jnp.complex64), "double": (jnp.float64, jnp.complex128)}
    if precision not in kinds:
        raise fail("precision", '"single" or "double"', repr(precision))
    real, complex_ = kinds[precision]
    return jax.tree.map(lambda x: x.astype(complex_ if jnp.iscomplexobj(x) else real), model)
