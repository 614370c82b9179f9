"""Which implementation of an operation a call uses."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jax.core import Tracer
from jaxtyping import Array


def on_demand(module: str, name: str) -> Callable[..., Any]:
    """A function whose module is imported when it is called: not every JAX comes with every kind of Pallas."""

    def call(*arguments):
        try:
            backend = getattr(importlib.import_module(module), name)
        except ImportError as error:
            raise NotImplementedError(f"`{module}` cannot be imported here: {error}") from error
        return backend(*arguments)

    return call


def run(
    backends: Mapping[str, Callable[..., Any]],
    default: Sequence[str],
    implementation: str | None,
    *arguments: Array,
) -> Any:
    """Call the named implementation, or the first one of `default` that can do it.

    Args:
        backends: All implementations of the operation, by name.
        default: The names to try, fast to slow, where none is named; the last one is the reference.
        implementation: A name in `backends`, or None. What is named never falls back to another.
        arguments: Of the operation.

    Raises:
        ValueError: If there is no implementation of that name.
        NotImplementedError: If the implementation cannot do it, with the reason.
    """
    if implementation is not None:
        if implementation not in backends:
            known = ", ".join(f'"{name}"' for name in backends)
            raise ValueError(f'Argument `implementation` must be one of {known}, but is "{implementation}".')
        return backends[implementation](*arguments)
    for name in default[:-1]:
        try:
            return backends[name](*arguments)
        except NotImplementedError:
            continue
    return backends[default[-1]](*arguments)


def require(condition: bool, backend: str, reason: str) -> None:
    """Raise what a backend raises that cannot do something."""
    if not condition:
        raise NotImplementedError(f'Implementation "{backend}" {reason}.')


def require_platform(backend: str, platform: str, array: Array) -> None:
    """Refuse arrays on other devices. Under `jit` the device is not known; there JAX's own lowering refuses."""
    if not isinstance(array, Tracer):
        found = {device.platform for device in array.devices()}
        require(found == {platform}, backend, f'runs on devices of the platform "{platform}", not on {sorted(found)}')
