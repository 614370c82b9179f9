"""Where results came from: versions, device and date, enough to repeat them."""

import datetime
import importlib.metadata
import platform

import jax
import jax.numpy as jnp
import numpy as np


def package_version() -> str:
    """The version of hofstadter that is installed."""
    return importlib.metadata.version("hofstadter")


def provenance() -> dict[str, str]:
    """The versions that compute here, the device that JAX computes on by default, and the date."""
    (device,) = jnp.zeros(()).devices()
    return {
        "hofstadter": package_version(),
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": device.device_kind,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
