"""Least squares by Levenberg and Marquardt's damped Gauss-Newton (optimistix) or by gradients (optax's L-BFGS)."""

import dataclasses
import importlib
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.fits.residuals import Residuals

Method = Literal["gauss_newton", "gradient"]
METHODS: tuple[Method, ...] = ("gauss_newton", "gradient")

# Steps end when neither the variables nor half of chi² still change by more than this.
TOLERANCE = 1e-6
# Pairs of steps and gradients from which L-BFGS knows the curvature: more than there are parameters.
MEMORY = 20


def load_packages() -> tuple[Any, Any]:
    """Import optimistix and optax, which only fits need.

    Raises:
        ImportError: If one of them is not installed.
    """
    try:
        return importlib.import_module("optimistix"), importlib.import_module("optax")
    except ImportError as error:
        raise ImportError(
            f'Fits need the package {error.name}. Install it by `pip install "hofstadter[fit]"`.', name=error.name
        ) from error


def scaled_least_squares(
    residuals: Residuals, jacobian: Float[np.ndarray, "observation parameter"], method: Method, max_steps: int
) -> tuple[Float[np.ndarray, " parameter"], bool, int]:
    """The step to where the sum of squares of the residuals is least.

    Each parameter is measured in its own standard error, so that both methods see variables of like curvature.

    Args:
        residuals: The residuals around the present values.
        jacobian: Their derivatives there.
        method: "gauss_newton" or "gradient".
        max_steps: Most steps of the optimizer.

    Returns:
        The change of the values, whether the optimizer settled, and its number of steps.
    """
    norm = np.linalg.norm(jacobian, axis=0)
    # A parameter without influence here may have some elsewhere.
    unit = np.where(norm > 0, 1 / np.where(norm > 0, norm, 1), np.maximum(1, np.abs(residuals.center)))
    scaled = dataclasses.replace(residuals, unit=jnp.asarray(unit))
    with single_threaded_blas():
        variables, settled, steps = jax.block_until_ready(_least_squares(scaled, method, max_steps))
    return unit * np.asarray(variables), bool(settled), int(steps)


@eqx.filter_jit
def _least_squares(
    residuals: Residuals, method: Method, max_steps: int
) -> tuple[Float[Array, " parameter"], Bool[Array, ""], Int[Array, ""]]:
    optimistix, optax = load_packages()
    start = jnp.zeros_like(residuals.center)
    if method == "gauss_newton":
        solver = optimistix.LevenbergMarquardt(rtol=TOLERANCE, atol=TOLERANCE)
        solution = optimistix.least_squares(residuals, solver, start, max_steps=max_steps, throw=False)
    else:
        solver = optimistix.OptaxMinimiser(optax.lbfgs(memory_size=MEMORY), rtol=TOLERANCE, atol=TOLERANCE)

        def half_chi_squared(variables, _):
            return jnp.sum(residuals(variables) ** 2) / 2

        solution = optimistix.minimise(half_chi_squared, solver, start, max_steps=max_steps, throw=False)
    return solution.value, solution.result == optimistix.RESULTS.successful, solution.stats["num_steps"]
