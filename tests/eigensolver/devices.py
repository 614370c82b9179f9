"""Work on several devices, as a program of its own: JAX settles how many devices there are when it starts.

python -m tests.eigensolver.devices DEVICES, or DEVICES PROCESS PROCESSES ADDRESS for one process of several
"""

import os
import re
import sys

if __name__ == "__main__":
    devices = int(sys.argv[1])
    # Two threads per device, however few cores there are.
    os.environ |= {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "NPROC": str(2 * devices)}

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import NamedSharding, PartitionSpec

import hofstadter as hof
from hofstadter.counting.states import count_states
from hofstadter.eigensolver import stacks
from hofstadter.eigensolver.pieces import in_pieces, local_devices, padded, shared
from hofstadter.eigensolver.spectrum import solve_one

COLLECTIVES = re.compile(r"all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter|collective-broadcast")


def on_one_device(call):
    with jax.default_device(jax.local_devices()[0]):
        return call()


def same(call) -> None:
    for here, there in zip(jax.tree.leaves(call()), jax.tree.leaves(on_one_device(call)), strict=True):
        np.testing.assert_allclose(np.asarray(here), np.asarray(there), rtol=0, atol=1e-12)


def one_process(devices: int) -> None:
    assert len(local_devices()) == devices
    model = hof.models.honeycomb(t2=0.1)
    problem = hof.at_flux(model, "1/3")
    # 64 momenta are the same number for each device, 49 are not.
    for side in (8, 7):
        same(lambda side=side: hof.solve(problem, problem.mesh(side, side)).energies)
    same(lambda: hof.solve(problem, problem.mesh(8, 8), memory_gb=1e-5).energies)
    same(lambda: hof.quantum_metric(problem, (0, 2), problem.mesh(8, 8)))
    fluxes = [hof.Flux(1, 3), hof.Flux(2, 5)]
    momenta = [np.random.default_rng(0).uniform(size=(40, 2)) for _ in fluxes]
    same(lambda: stacks.energies_at(model, fluxes, momenta))
    grids = [(np.arange(40) / 40, np.arange(3) / 9)] * 2
    same(lambda: count_states(model, fluxes, grids, np.linspace(-3, 3, 200)))
    same(lambda: hof.gaps(model, "1/3")["t"].values)

    def lowest(t2, mass):
        here = hof.at_flux(hof.models.haldane(t2=t2, mass=mass), "1/3")
        return hof.solve(here, here.mesh(4, 4), states=False).energies.min()

    grid = {"t2": [0.0, 0.1], "mass": np.linspace(0, 1, 21)}
    same(lambda: hof.sweep(lowest, grid)["value"].values)
    same(lambda: hof.sweep(lowest, grid, chunk_size=2)["value"].values)

    def energies(k):
        return in_pieces(lambda point: solve_one(problem, point, states=False).energies, k, 4)

    compiled = jax.jit(energies).lower(problem.mesh(8, 8).reshape(-1, 2)).compile()
    assert f"num_partitions={devices}" in compiled.as_text()
    assert not COLLECTIVES.findall(compiled.as_text())


def several_processes(process: int, processes: int, address: str) -> None:
    jax.distributed.initialize(address, processes, process)
    problem = hof.at_flux(hof.models.honeycomb(t2=0.1), "1/3")
    k = np.random.default_rng(0).uniform(size=(30, 2))
    everywhere = jax.devices()
    assert len(everywhere) == processes * len(jax.local_devices())

    def energies(k):
        return jax.vmap(lambda point: solve_one(problem, point, states=False).energies)(k)

    spread = shared(energies, everywhere)
    filled = padded(k, len(everywhere))
    sharding = NamedSharding(jax.sharding.Mesh(np.array(everywhere), ("share",)), PartitionSpec("share"))
    values = jax.make_array_from_callback(filled.shape, sharding, lambda part: filled[part])
    compiled = jax.jit(spread).lower(values).compile()
    assert not COLLECTIVES.findall(compiled.as_text())
    found = multihost_utils.process_allgather(compiled(values), tiled=True)[: len(k)]
    expected = on_one_device(lambda: energies(jnp.asarray(k)))
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=1e-12)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    if len(sys.argv) == 2:
        one_process(devices)
    else:
        several_processes(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    print("the same everywhere")
