"""What commands that compute do first."""

import os

import jax
import platformdirs

# JAX keeps only what takes a second to compile; a sweep has many programs that take less.
CACHE_SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0.0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


def start_jax(*, computes_here: bool = True) -> None:
    """Turn on double precision, and keep compiled programs between runs in the user's cache folder.

    Without `computes_here` JAX works on the CPU, so that GPUs stay free for other processes.

    JAX's own environment variables have the last word, among them JAX_COMPILATION_CACHE_DIR (another folder) and
    JAX_ENABLE_COMPILATION_CACHE=0 (no cache).
    """
    jax.config.update("jax_enable_x64", True)
    if not computes_here:
        jax.config.update("jax_platforms", "cpu")
    for name, value in CACHE_SETTINGS.items():
        if name.upper() not in os.environ:
            jax.config.update(name, value)
    if "JAX_COMPILATION_CACHE_DIR" in os.environ or not jax.config.values["jax_enable_compilation_cache"]:
        return
    folder = os.path.join(platformdirs.user_cache_dir("hofstadter", appauthor=False), "jax")
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return  # without the cache, programs are compiled again
    jax.config.update("jax_compilation_cache_dir", folder)
