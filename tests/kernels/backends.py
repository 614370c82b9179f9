"""What the tests of all kernels share: matrices of named sizes, Pallas' interpreters, lowering without the device."""

import importlib

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from hofstadter_kernels.sturm_count.arg_specs import ARG_SPECS, draw

# The custom call that a kernel becomes in the lowered program, and a device to lower for.
CALLS = {"cuda": "mosaic_gpu_v2", "tpu": "tpu_custom_call"}
TPU = AbstractDevice("TPU v5e", 1, "tpu")


def matrices(spec: str, dtype) -> tuple[jax.Array, jax.Array, jax.Array, np.ndarray]:
    """Arguments of `sturm_count`, and the eigenvalues of the dense matrices in double precision, by NumPy."""
    diagonal, bonds, energies = draw(ARG_SPECS[spec], dtype)
    dense = np.zeros((*diagonal.shape, diagonal.shape[1]))
    row = np.arange(diagonal.shape[1])
    dense[:, row, row] = diagonal
    dense[:, row[1:], row[:-1]] = dense[:, row[:-1], row[1:]] = bonds[:, 1:]
    return jnp.asarray(diagonal), jnp.asarray(bonds**2), jnp.asarray(energies), np.linalg.eigvalsh(dense)


def interpreted(operation: str, backend: str, *arguments: jax.Array) -> jax.Array:
    """Run a Pallas backend on the CPU: the kernel's arithmetic, but nothing of layouts, registers and precisions."""
    function = getattr(importlib.import_module(f"hofstadter_kernels.{operation}.{backend}"), operation)
    if backend == "pallas_tpu":
        return function(*arguments, interpret=True)
    params = pytest.importorskip(
        "jax._src.pallas.mosaic_gpu.interpret.params",
        reason="JAX keeps the parameters of its GPU interpreter in a private module, which this version lacks",
    )
    return function(*arguments, interpret=params.InterpretGPUParams())


def lowered(function, platform: str, *specs: jax.ShapeDtypeStruct) -> str:
    """The program for a platform that need not be there. What the device's own compiler makes of it stays open."""
    checks = [jax.export.DisabledSafetyCheck.custom_call(name) for name in CALLS.values()]
    export = jax.export.export(jax.jit(function), platforms=[platform], disabled_checks=checks)
    if platform == "cuda":
        return export(*specs).mlir_module()
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=TPU)):
        return export(*specs).mlir_module()
