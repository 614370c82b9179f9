"""Benchmarks that need a fresh process: cold starts and peak memory. Run as a script, it is that process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


def cold_starts(quick: bool) -> Iterator:
    """All reduced p/q, two momenta each, from the first call on: few padded programs against one program per q."""
    from measure import Line

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
        note="each in a process of its own, compilation included and imports not; design: below 8 s against above 40 s",
    )


def bounded_memory(quick: bool) -> Iterator:
    """Peak memory of a mesh whose matrices together would be far larger than `memory_gb`."""
    from measure import Line

    side, budget = (100, 0.05) if quick else (400, 0.25)
    result = _in_fresh_process("mesh", str(side), str(budget))
    needed = side**2 * 48**2 * 16 / 1e9
    yield Line(
        "memory of a mesh, energies only",
        f"{side} × {side} momenta, n = 48",
        f"none: {needed:.2g} GB of matrices",
        ours=result["seconds"],
        note=f"peak memory grew by {result['grown_gb']:.3f} GB, {result['output_gb']:.3f} GB of it the result; "
        f"memory_gb = {budget}",
    )


def _in_fresh_process(*arguments: str) -> dict:
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "0"}
    command = [sys.executable, str(Path(__file__)), *arguments]
    return json.loads(
        subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    )


def stacked(order: str) -> dict:
    import numpy as np

    import hofstadter as hof
    from hofstadter.counting.edges import two_point_momenta
    from hofstadter.eigensolver.stacks import energies_at

    model = hof.models.square()
    start = time.perf_counter()
    fluxes = hof.farey(int(order))
    energies = energies_at(model, fluxes, [np.asarray(two_point_momenta(model, flux)) for flux in fluxes])
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "fluxes": len(fluxes),
        "check": [float(np.abs(rows).sum()) for rows in energies],
    }


def one_program_per_q(order: str) -> dict:
    import jax
    import jax.numpy as jnp
    import numpy as np

    import hofstadter as hof
    from hofstadter.counting.edges import two_point_momenta
    from hofstadter.hamiltonian.bloch import TightBindingProblem

    model = hof.models.square()
    start = time.perf_counter()
    fluxes = hof.farey(int(order))
    check = {}
    for q in range(1, int(order) + 1):
        members = [flux for flux in fluxes if flux.q == q]

        @jax.jit
        def energies(p, k, q=q):
            return jax.vmap(
                lambda p, k: jnp.linalg.eigvalsh(TightBindingProblem(model, p, jnp.asarray(q), q).matrix(k))
            )(p, k)

        p = np.array([flux.p for flux in members])
        k = np.stack([np.asarray(two_point_momenta(model, flux)) for flux in members])
        check.update(zip(members, np.abs(energies(p, k)).sum(axis=(1, 2)), strict=True))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "fluxes": len(fluxes), "check": [float(check[flux]) for flux in fluxes]}


def mesh(side: str, budget: str) -> dict:
    import resource

    import jax

    import hofstadter as hof

    def peak_gb() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used * (1 if sys.platform == "darwin" else 1024) / 1e9

    problem = hof.at_flux(hof.models.square(), (5, 48))
    jax.block_until_ready(hof.solve(problem, problem.mesh(2, 2), states=False))
    before = peak_gb()
    start = time.perf_counter()
    n = int(side)
    spectrum = hof.solve(problem, problem.mesh(n, n), states=False, memory_gb=float(budget))
    energies = jax.block_until_ready(spectrum.energies)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "grown_gb": peak_gb() - before, "output_gb": energies.nbytes / 1e9}


if __name__ == "__main__":
    import jax

    jax.config.update("jax_enable_x64", True)
    work = {"stacked": stacked, "one_program_per_q": one_program_per_q, "mesh": mesh}[sys.argv[1]]
    print(json.dumps(work(*sys.argv[2:])))
