"""What commands that compute do first."""

import os

import jax
import platformdirs


def start_jax() -> None:
    """Turn on double precision, and keep compiled programs between runs in the user's cache folder."""
    jax.config.update("jax_enable_x64", True)
    if jax.config.values["jax_compilation_cache_dir"] is not None:
        return  # the user has chosen a folder
    folder = os.path.join(platformdirs.user_cache_dir("hofstadter", appauthor=False), "jax")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return  # without the cache, programs are compiled again
    jax.config.update("jax_compilation_cache_dir", folder)
    # The default keeps only what takes a second to compile; a sweep has many programs that take less.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
