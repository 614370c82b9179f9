"""Argument checks with one wording: "Argument `name` must be ..., but is ..."."""

import operator
import warnings
from typing import Any

import jax
import jax.core
import numpy as np

from hofstadter.errors import PrecisionWarning


def fail(name: str, must: str, value: Any, hint: str = "") -> ValueError:
    """Build the `ValueError` for a wrong argument; the caller raises it."""
    return ValueError(f"Argument `{name}` must be {must}, but is {value}." + (f" {hint}" if hint else ""))


def as_integer(name: str, value: Any, *, minimum: int | None = None) -> int:
    """Return `value` as an `int`, refusing floats, booleans and numbers below `minimum`."""
    try:
        result = operator.index(value)
    except TypeError:
        raise TypeError(f"Argument `{name}` must be an integer, but is {value!r}.") from None
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"Argument `{name}` must be an integer, but is {value!r}.")
    if minimum is not None and result < minimum:
        raise fail(name, f"at least {minimum}", result)
    return result


def is_concrete(*values: Any) -> bool:
    """Whether no value (or leaf of a value) is a JAX tracer, so that its numbers can be looked at."""
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def check_finite(name: str, value: Any) -> None:
    """Refuse NaN and infinity in numbers that are known before tracing."""
    if is_concrete(value) and not np.all(np.isfinite(np.asarray(value))):
        raise fail(name, "finite", value)


_warned_precision = False


def warn_if_single_precision() -> None:
    """Say once per process that JAX's 64-bit mode is off."""
    global _warned_precision
    if not jax.config.read("jax_enable_x64") and not _warned_precision:
        _warned_precision = True
        warnings.warn(
            "JAX's 64-bit mode is off, so hofstadter works in single precision (errors near 1e-6). "
            'Call jax.config.update("jax_enable_x64", True) before building models to work in double.',
            PrecisionWarning,
            stacklevel=3,
        )
