"""With JAX's 64-bit mode off every public call works in single precision, near what it gives in double, and says so."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import PrecisionWarning

# Arrays of single precision go where tests check for what the caller's mode makes.
pytestmark = pytest.mark.usefixtures("unchecked_types")

models = hof.models
BANDS = (0, 1)


def problem():
    return hof.at_flux(models.square(), "1/4")


def k():
    return problem().reduced_mesh(3, 2)


# Each gives numbers that do not depend on any choice of states; and how far they may be off in single precision.
CALLS: dict[str, tuple[Callable[[], Any], float]] = {
    "mesh": (lambda: (hof.mesh(3, 2), k()), 1e-6),
    "energies": (lambda: hof.solve(problem(), k(), states=False).energies, 1e-5),
    "states": (lambda: hof.solve(problem(), k()).energies, 1e-5),
    "window": (lambda: hof.solve_window(problem(), k(), 0.1, 1).energies, 1e-5),
    "quantum_metric": (lambda: hof.quantum_metric(problem(), BANDS, k()), 1e-5),
    "orbital_moment": (lambda: hof.orbital_moment(problem(), BANDS, k()), 1e-4),
    "zone_average": (lambda: _ok(hof.zone_average(problem(), BANDS)).metric, 1e-5),
    "minimal_metric": (lambda: _ok(hof.minimal_metric(problem(), BANDS)).metric, 1e-4),
    "magnetization": (lambda: _ok(hof.orbital_magnetization(problem(), 0.3, 0.5)).magnetization, 1e-5),
    "hall_conductivity": (lambda: _ok(hof.hall_conductivity(problem(), 0.3, 0.5)).conductivity, 1e-5),
    "wilson_loop": (lambda: jnp.sum(_ok(hof.wilson_loop(problem(), BANDS)).phases), 1e-4),
    "chern": (lambda: _ok(hof.chern(problem(), BANDS)).value, 0),
    "chern_on_mesh": (lambda: _ok(hof.chern_on_mesh(problem(), [BANDS], points=12)).value, 0),
    "differentiated_chern": (lambda: _ok(hof.differentiated_chern(problem(), BANDS)).value, 0),
    "wilson_chern": (lambda: _ok(hof.wilson_chern(problem(), BANDS)).value, 0),
    "local_marker": (
        lambda: hof.local_chern_marker(models.square(), "1/4", cells=(8, 8), fermi_energy=-2.0).bulk,
        1e-4,
    ),
    "count_corners": (lambda: hof.integrated_density(models.square(), ["1/4"], ENERGIES, mesh=3), 0),
    "count_rings": (lambda: hof.integrated_density(models.triangular(), ["1/4"], ENERGIES, mesh=3), 0),
    "count_blocks": (lambda: hof.integrated_density(models.haldane(), ["1/40"], ENERGIES[:4], mesh=1), 0),
    "gaps": (lambda: hof.gaps(models.square(), "1/4")[["lower", "upper", "s", "t"]].to_array(), 1e-5),
    "landau_fan": (lambda: hof.landau_fan(models.square(), fluxes=["1/4"], temperature=0.3)["filling"], 1e-3),
    "geometry_map": (lambda: hof.geometry_map(models.square(), "1/4", BANDS, points=4)["t_ratio"], 1e-4),
    "electron_gas": (lambda: hof.bands(models.electron_gas(), 1, points=5, **GAS)["energy"], 1e-4),
}
ENERGIES = np.linspace(-2.9, 2.9, 13) + 0.0123
GAS = {"levels": 12, "bands_per_cell": 1, "rtol": 1e-3}
QUICK = ("mesh", "energies", "zone_average", "local_marker", "count_rings")


def _ok(result):
    np.testing.assert_array_equal(result.status, hof.Status.OK)
    return result


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in CALLS]
)
def test_close_to_double_precision(name):
    call, tolerance = CALLS[name]
    expected = jax.tree.map(np.asarray, call())
    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        found = jax.tree.map(np.asarray, call())
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(1.0, np.nanmax(np.abs(other))))


def test_fits_are_refused():
    with jax.enable_x64(False), warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        with pytest.raises(ValueError, match=r"in double precision, but is one for single"):
            hof.fit(models.honeycomb, {"t": 1.1}, [hof.GapSize("1/3", 0, 1, 1.5, 0.1)])


@pytest.mark.slow
def test_one_clear_warning():
    """In a fresh process."""
    program = (
        "import hofstadter as hof\n"
        "model = hof.models.square()\n"
        "hof.solve(hof.at_flux(model, '1/3'), hof.mesh(2, 2), states=False)\n"
        "print(hof.integrated_density(model, '1/3', [1.5]).item())\n"
    )
    command = [sys.executable, "-W", "always", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr.count("PrecisionWarning") == 1
    assert "jax_enable_x64" in done.stderr
    assert float(done.stdout) == pytest.approx(2 / 3)
