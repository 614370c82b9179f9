"""Benchmarks that need a fresh process: cold starts and peak memory. Run as a script, it is that process."""

import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from measure import Line

import hofstadter as hof
from hofstadter.eigensolver.stacks import energies_at
from hofstadter.hamiltonian.bloch import TightBindingProblem


def cold_starts(quick: bool) -> Iterator[Line]:
    """All reduced p/q, two momenta each: few padded programs against one program per q."""
    order = 16 if quick else 64
    ours = _in_fresh_process("stacked", str(order))
    theirs = _in_fresh_process("one_program_per_q", str(order))
    yield Line(
        "cold start, square butterfly by dense matrices",
        f"{ours['fluxes']} fluxes p/q, q ≤ {order}",
        "jnp.linalg.eigvalsh, one jitted program per q",
        ours=ours["seconds"],
        theirs=theirs["seconds"],
        error=max(abs(a - b) for a, b in zip(ours["check"], theirs["check"], strict=True)),
        target=5,
        note="each in a process of its own, from the first call on with compilation; "
        "error: of the sum of all |E| of a flux",
    )


def bounded_memory(quick: bool) -> Iterator[Line]:
    """Peak memory of a mesh whose matrices together would be far larger than `memory_gb`."""
    side, budget = (100, 0.1) if quick else (400, 0.5)
    result = _in_fresh_process("mesh", str(side), str(budget))
    needed = side**2 * 48**2 * 16 / 1e9
    yield Line(
        "memory of a mesh, energies only",
        f"{side} × {side} momenta, n = 48",
        f"none: peak memory grew by {result['grown_gb']:.2f} GB, all matrices take {needed:.2g} GB",
        ours=result["seconds"],
        note=f"memory_gb = {budget}; {result['output_gb']:.3f} GB of the growth are the result",
    )


def _in_fresh_process(*arguments: str) -> dict:
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0"}
    command = [sys.executable, str(Path(__file__)), *arguments]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def stacked(order: str) -> dict:
    model = hof.models.square()
    start = time.perf_counter()
    fluxes = hof.farey(int(order))
    energies = energies_at(model, fluxes, [_momenta(flux) for flux in fluxes])
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "fluxes": len(fluxes), "check": [float(np.abs(rows).sum()) for rows in energies]}


def one_program_per_q(order: str) -> dict:
    model = hof.models.square()
    start = time.perf_counter()
    fluxes = hof.farey(int(order))
    check = {}
    for q in range(1, int(order) + 1):

        @jax.jit
        def energies(p, k, q=q):
            def one(p, k):
                return jnp.linalg.eigvalsh(TightBindingProblem(model, p, jnp.asarray(q), q).matrix(k))

            return jax.vmap(jax.vmap(one, (None, 0)))(p, k)

        members = [flux for flux in fluxes if flux.q == q]
        p = np.array([flux.p for flux in members])
        rows = np.asarray(energies(p, np.stack([_momenta(flux) for flux in members])))
        check.update(zip(members, np.abs(rows).sum(axis=(1, 2)), strict=True))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "fluxes": len(fluxes), "check": [float(check[flux]) for flux in fluxes]}


def mesh(side: str, budget: str) -> dict:
    n = int(side)
    problem = hof.at_flux(hof.models.square(), (5, 48))
    jax.block_until_ready(hof.solve(problem, problem.mesh(2, 2), states=False))
    before = _peak_gb()
    start = time.perf_counter()
    energies = hof.solve(problem, problem.mesh(n, n), states=False, memory_gb=float(budget)).energies
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "grown_gb": _peak_gb() - before, "output_gb": energies.nbytes / 1e9}


def _momenta(flux) -> np.ndarray:
    """The two momenta that hold all band edges of the square lattice with hopping −t (Chambers)."""
    return 0.5 + np.array([[0.0, 0.0], [0.5 / flux.q, 0.5 / flux.q]])


def _peak_gb() -> float:
    """Largest resident memory of this program; on Linux `getrusage` would count that of its parent, too."""
    status = Path("/proc/self/status")
    if status.exists():
        (peak,) = re.findall(r"VmHWM:\s*(\d+) kB", status.read_text())
        return int(peak) * 1024 / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    work = {"stacked": stacked, "one_program_per_q": one_program_per_q, "mesh": mesh}[sys.argv[1]]
    print(json.dumps(work(*sys.argv[2:])))
