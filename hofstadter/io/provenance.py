"""Where results came from: versions, device and date, enough to repeat them."""

import datetime
import importlib.metadata
import platform

import jax
import jax.numpy as jnp
import numpy as np


def provenance() -> dict[str, str]:
    """The versions that compute here, the device that JAX computes on by default, and the date."""
    import hofstadter  # at import time, the package is not complete yet

    (device,) = jnp.zeros(()).devices()
    return {
        "hofstadter": hofstadter.__version__,
        "jax": jax.__version__,
        "jaxlib": importlib.metadata.version("jaxlib"),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "device": device.device_kind,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
