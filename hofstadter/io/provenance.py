"""Where results came from: versions and device, enough to repeat them."""

import functools
import importlib.metadata
import platform

import jax
import jax.numpy as jnp
import numpy as np


@functools.cache
def package_version() -> str:
    """The version of hofstadter that is installed."""
    return importlib.metadata.version("hofstadter")


def provenance() -> dict[str, str]:
    """The versions that compute here, the machine, and the device that JAX computes on by default."""
    (device,) = jnp.zeros(()).devices()
    return {**versions(), "device": device.device_kind}


@functools.cache
def versions() -> dict[str, str]:
    """The versions and the machine of this process."""
    return {
        "hofstadter": package_version(),
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": platform.node(),
    }
