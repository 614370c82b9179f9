"""Compute functions lower for CPUs, NVIDIA GPUs and TPUs, by `jax.export` on a machine that has a CPU only.

For TPUs the models are in single precision: no TPU has double complex numbers. Lowering is not compiling; what XLA's
compilers for GPUs and TPUs do with these programs is not tested here.

Out of scope are functions that work on the host by design, with compiled programs inside: `chern` and `chern_numbers`
(meshes refined where needed), meshes doubled until converged (`points` not given), strips (`strip_problem` and
`states_below`, with sparse LU), and the tasks (`bands`, `butterfly`, `gaps`, `integrated_density`, `chern_table`, ...).
"""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.counting import inertia, rings, sturm
from hofstadter.counting.elements import Matrices
from hofstadter.eigensolver import stacks
from hofstadter.errors import PrecisionWarning
from hofstadter.models.precision import cast
from hofstadter_kernels import det_small, ring_inertia

# The functions of counting are annotated for NumPy arrays and called with tracers here; and checks take time.
pytestmark = pytest.mark.usefixtures("unchecked_types")

MODELS = {"haldane": hof.models.haldane, "square": hof.models.square, "gas": hof.models.electron_gas}
PROBLEMS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "tight_binding": ("haldane", lambda model: hof.at_flux(model, "1/3")),
    "landau": ("gas", lambda model: hof.at_flux(model, "3/2", levels=5, bands_per_cell=1)),
    "theta": ("gas", lambda model: hof.theta_problem(model, "3/2", levels=5, bands_per_cell=1)),
    "plane_wave": ("gas", lambda model: hof.at_flux(model, 0, plane_waves=9, bands_per_cell=2)),
}
BANDS = (0, 1)

# Functions of a problem and momenta (momentum, 2); together they use the whole interface of a problem.
OF_ANY_PROBLEM: dict[str, Callable[[Any, jax.Array], Any]] = {
    "energies": lambda problem, k: hof.solve(problem, k, states=False),
    "states": lambda problem, k: hof.solve(problem, k),
    "window": lambda problem, k: hof.solve_window(problem, k, 0.1, 1),
    "orbital_moment": lambda problem, k: hof.orbital_moment(problem, BANDS, k),
    "chern_on_mesh": lambda problem, k: hof.chern_on_mesh(problem, [BANDS], points=4),
}
# What needs of a problem no more than the functions above, so that one kind of problem is enough.
OF_TIGHT_BINDING: dict[str, Callable[[Any, jax.Array], Any]] = {
    "gradient_of_energy": lambda problem, k: jax.grad(lambda x: hof.solve(problem, x, states=False).energies[0, 0])(k),
    "berry_curvature": lambda problem, k: hof.berry_curvature(problem, BANDS, k),
    "quantum_metric": lambda problem, k: hof.quantum_metric(problem, BANDS, k),
    "quantum_geometric_tensor": lambda problem, k: hof.quantum_geometric_tensor(problem, BANDS, k),
    "zone_average": lambda problem, k: hof.zone_average(problem, BANDS, points=4),
    "minimal_metric": lambda problem, k: hof.minimal_metric(problem, BANDS, points=4),
    "wilson_line": lambda problem, k: hof.wilson_line(problem, BANDS, k, closing=(0, 0)),
    "wilson_loop": lambda problem, k: hof.wilson_loop(problem, BANDS, steps=4, loops=3),
    "nested_wilson_loop": lambda problem, k: hof.nested_wilson_loop(problem, (0, 2), (0, 1), steps=4, loops=3),
    "differentiated_chern": lambda problem, k: hof.differentiated_chern(problem, BANDS, points=4),
    "hall_conductivity": lambda problem, k: hof.hall_conductivity(problem, 0.1, 0.2, points=4),
    "orbital_magnetization": lambda problem, k: hof.orbital_magnetization(problem, 0.1, 0.2, points=4),
}
# Functions of a model and numbers (matrix, 3); counting is done at these fluxes.
P, Q = np.array([1, 2], np.int32), np.array([3, 5], np.int32)
OF_MODEL: dict[str, tuple[str, Callable[[Any, jax.Array], Any]]] = {
    "stacks": ("haldane", lambda model, x: stacks._energies(model, (P, Q, x[:, :2]), 5, 8)),
    "count_chain": ("square", lambda model, x: sturm.count_chain(rows(x), rows(x), x)),
    "count_ring": (
        "square",
        lambda model, x: sturm.count_ring(sturm.Ring(rows(x), rows(x), rows(x), x[:, 0], x[:, 1]), x, x),
    ),
    "count_rings": ("square", lambda model, x: rings.count_rings(model, Matrices(P, Q, x[:, 0], x[:, :1]), x)),
    "count_blocks": ("haldane", lambda model, x: inertia.count_blocks(model, Matrices(P, Q, x[:, 0], x[:, :1]), x)),
    "ring_inertia": ("square", lambda model, x: ring_inertia(blocks(x), blocks(x), x)),
    "det_small": ("square", lambda model, x: det_small(blocks(x))),
    "window_of_a_ring": ("haldane", lambda model, x: hof.solve_window(hof.at_flux(model, "10/101"), x[:, :2], 0.1, 2)),
    "local_chern_marker": ("haldane", lambda model, x: hof.local_chern_marker(model, "1/3", cells=(8, 8), filling=1.0)),
}


def rows(x):
    """Sixteen sites of each matrix."""
    return jnp.ones((16, len(x)), x.dtype)


def blocks(x):
    """Three cells of two sites for each row of numbers."""
    return (x[:, :, None, None] * jnp.ones((2, 2), x.dtype)).astype(jnp.result_type(x.dtype, jnp.complex64))


def _cases():
    """Name, and a model's name with a jitted function of the model and numbers."""
    for kind, (model, make) in PROBLEMS.items():
        for name, function in (OF_ANY_PROBLEM | (OF_TIGHT_BINDING if kind == "tight_binding" else {})).items():
            yield f"{name}-{kind}", (model, jax.jit(functools.partial(_at_momenta, make, function)))
    for name, (model, function) in OF_MODEL.items():
        yield name, (model, jax.jit(function))


def _at_momenta(make, function, model, numbers):
    return function(make(model), numbers[:, :2])


CASES = dict(_cases())
# What makes its own meshes or traces paths does so in double precision while JAX's 64-bit mode is on; the rest is:
SINGLE_IN_64_BIT_MODE = [
    *(f"{name}-{kind}" for kind in PROBLEMS for name in ("energies", "states", "window", "orbital_moment")),
    *(f"{name}-tight_binding" for name in ("berry_curvature", "quantum_metric", "quantum_geometric_tensor")),
    *("stacks", "count_chain", "count_ring", "count_blocks", "window_of_a_ring", "ring_inertia", "det_small"),
]


def program(name: str, platform: str, precision: str) -> str:
    """The StableHLO text of a case."""
    model, function = CASES[name]
    numbers = jax.ShapeDtypeStruct((2, 3), jnp.float32 if precision == "single" else jnp.float64)
    exported = jax.export.export(function, platforms=[platform])
    return exported(cast_model(model, precision), numbers).mlir_module()


@functools.cache
def cast_model(name: str, precision: str):
    """A model with numbers of a precision."""
    return cast(MODELS[name](), precision)


@pytest.mark.parametrize("platform", ["cpu", "cuda"])
@pytest.mark.parametrize("name", CASES)
def test_lowers_in_double_precision(name, platform):
    assert "f64" in program(name, platform, "double")


@pytest.mark.parametrize("name", CASES)
def test_lowers_for_tpus_without_double_precision(name):
    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        assert "f64" not in program(name, "tpu", "single")


@pytest.mark.parametrize("name", SINGLE_IN_64_BIT_MODE)
def test_single_precision_models_stay_single_in_64_bit_mode(name):
    assert "f64" not in program(name, "tpu", "single")


@pytest.mark.parametrize("name", ["zone_average-tight_binding", "orbital_magnetization-tight_binding"])
def test_single_precision_models_need_no_double_complex_numbers_in_64_bit_mode(name):
    # Meshes of momenta are double there: TPUs emulate these.
    text = program(name, "tpu", "single")
    assert "complex<f32>" in text
    assert "complex<f64>" not in text


@pytest.mark.parametrize(("platform", "call"), [("cpu", "lapack_zheevd_ffi"), ("cuda", "cusolver_syevd_ffi")])
def test_energies_are_found_by_the_solver_of_the_platform(platform, call):
    text = program("energies-tight_binding", platform, "double")
    assert call in text
    others = {"lapack_zheevd_ffi", "cusolver_syevd_ffi", "@Eigh"} - {call}
    assert not any(other in text for other in others)
    if platform == "cpu":
        assert "mode = 78" in text  # "N", eigenvalues alone
