"""Low-level kernels of `hofstadter`; each operation has a plain `jax.numpy` definition."""
