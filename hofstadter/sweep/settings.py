"""JAX's settings of a process, taken along to the processes that compute for it."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

# What changes results, or how long they take. Devices are each process's own.
NAMES = (
    "jax_enable_x64",
    "jax_enable_compilation_cache",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


def read_settings() -> dict[str, Any]:
    """The settings of this process."""
    values = jax.config.values
    return {name: values[name] for name in NAMES}


def call_with(settings: Mapping[str, Any], function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function under the settings of another process, which stay."""
    values = jax.config.values
    for name, value in settings.items():
        if values[name] != value:
            jax.config.update(name, value)
    return function(*arguments)
