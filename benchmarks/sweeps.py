"""Benchmarks of sweeps: what plan, store and executor cost per task, over the bare computation.

python benchmarks/sweeps.py [--quick]
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from measure import Line, clock, peak_flops, surroundings
from report import print_table

import hofstadter as hof
from hofstadter.io.config import parse_run_file
from hofstadter.io.store import open_store
from hofstadter.sweep.plan import make_plan
from hofstadter.sweep.run import run
from hofstadter.sweep.work import RunFileWork

# Milliseconds per task that a sweep may add.
GOAL = 10.0

# Tasks of a few milliseconds, with 3 and with 13 variables to write.
TASKS = {
    "bands": ("model: {name: honeycomb}\ntask: {name: bands, flux: 1/2, points: 8}", "model.mass"),
    "butterfly": ("model: {name: square}\ntask: {name: butterfly, fluxes: [1/2], labels: false}", "model.t"),
}


def small_tasks(quick: bool) -> Iterator[Line]:
    """A run file of many small tasks, each a unit of its own, against the same computations in a loop."""
    count = 100 if quick else 1000
    for name, (sections, target) in TASKS.items():
        with tempfile.TemporaryDirectory() as folder:
            text = (
                f"{sections}\nsweep: {{{target}: {[1 + number / count for number in range(count)]}}}\n"
                f"output: {{store: {Path(folder) / 'a.zarr'}}}\n"
            )
            reading, run_file = clock(lambda text=text: parse_run_file(text))
            work, layout = RunFileWork(run_file), make_plan(run_file).layout
            tasks = [(unit, layout.points_of(unit)) for unit in layout.units]
            work.compute(*tasks[0], None)
            bare, results = clock(lambda work=work, tasks=tasks: [work.compute(*each, None) for each in tasks])
            swept, summary = clock(lambda run_file=run_file: run(run_file))
            key = "energy" if name == "bands" else "band_lower"
            stored = open_store(summary.path)[key].values
            expected = np.stack([result[key].values for result in results])
        per_task = 1e3 * (swept - bare) / count
        yield Line(
            f"sweep of small tasks, {name}",
            f"{count} tasks, serial",
            f"the bare computation; the sweep adds {per_task:.1f} ms per task (goal: {GOAL:g})",
            ours=swept,
            theirs=bare,
            error=float(np.nanmax(np.abs(stored - expected))),
            note=f"reading and checking the run file took {1e3 * reading / count:.1f} ms per task more",
            headline=False,
        )


def functions(quick: bool) -> Iterator[Line]:
    """`hofstadter.sweep` of a function that JAX compiles, against a loop over the compiled function."""
    count = 1000 if quick else 20_000

    def lowest(mass):
        problem = hof.at_flux(hof.models.honeycomb(mass=mass), "1/3")
        return hof.solve(problem, jnp.zeros((1, 2)), states=False).energies.min()

    masses = np.linspace(0, 1, count)
    first, _ = clock(lambda: hof.sweep(lowest, {"mass": masses}))
    ours, data = clock(lambda: hof.sweep(lowest, {"mass": masses}))
    some = masses[:: count // 50]
    theirs, found = clock(lambda: [float(lowest(mass)) for mass in some])
    yield Line(
        "sweep of a function, 6 × 6 matrices",
        f"{count} points, serial",
        "calls one by one",
        ours=ours,
        theirs=theirs * count / len(some),
        first=first,
        error=float(np.max(np.abs(data["value"].values[:: count // 50] - found))),
        note=f"{1e6 * ours / count:.0f} microseconds per point; the other from {len(some)} of the points",
        headline=False,
    )


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    quick = "--quick" in sys.argv
    print_table(surroundings("none", quick), [*small_tasks(quick), *functions(quick)], peak_flops())
