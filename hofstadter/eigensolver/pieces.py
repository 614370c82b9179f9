"""Mapping over many momenta or parameters piece by piece, to bound memory, and over the devices of this process."""

import functools
import os
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

Result = TypeVar("Result")

# LAPACK calls of one device wait for others' threads; on as many threads as devices, all of them waited forever.
THREADS_PER_DEVICE = 2


def in_pieces(function: Callable, values: Any, size: int) -> Any:
    """`jax.vmap(function)(values)`, at most `size` at a time on each of `local_devices`.

    Devices do not talk to each other: each one maps over its own share. All pieces are equally long, the last one
    filled up: `jax.lax.map` does what is left over in a second loop, and two loops that call LAPACK side by side can
    deadlock XLA's CPU threads.

    Args:
        function: Takes one entry of `values`; arrays that it refers to are copied to all devices.
        values: Array, or pytree of arrays, with a common leading axis.
        size: Entries that are worked on together on a device.
    """
    devices = local_devices()
    count = _count(values)
    # Inside another shard_map, this device has its share already.
    if len(devices) == 1 or count < len(devices) or not jax.sharding.get_abstract_mesh().empty:
        return _in_pieces(function, values, size)
    results = shared(functools.partial(_in_pieces, function, size=size), devices)(padded(values, len(devices)))
    return results if count % len(devices) == 0 else jax.tree.map(lambda x: x[:count], results)


def shared(function: Callable[[Any], Any], devices: list[Any]) -> Callable[[Any], Any]:
    """A function of arrays, each device with an equal share of their leading axis, without communication."""
    mesh = Mesh(np.array(devices), ("share",))
    share = PartitionSpec("share")
    return jax.shard_map(function, mesh=mesh, in_specs=share, out_specs=share, check_vma=False)


def padded(values: Any, multiple: int) -> Any:
    """Arrays with their leading axis filled up to a multiple by repetition."""
    count = _count(values)
    rows = np.arange(-(-count // multiple) * multiple) % count
    return values if len(rows) == count else jax.tree.map(lambda x: x[rows], values)


def local_devices() -> list[Any]:
    """The devices that a batch is spread over: all of this process, or the one that the caller chose as default.

    Several devices made of one CPU (XLA's `xla_force_host_platform_device_count`) count only if XLA has two threads for
    each. XLA takes the number of threads from the cores it may use, or from the environment variable NPROC.
    """
    chosen = jax.config.values["jax_default_device"]
    if chosen is not None:
        return [jax.local_devices(backend=chosen)[0] if isinstance(chosen, str) else chosen]
    devices = jax.local_devices()
    if devices[0].platform == "cpu" and len(devices) > 1 and _threads() < THREADS_PER_DEVICE * len(devices):
        return devices[:1]
    return devices


def within_memory(call: Callable[[int], Result], size: int) -> tuple[Result, int]:
    """`call(size)`, with half the size as often as the device runs out of memory.

    Returns:
        The result, on the device, and the size that was possible.

    Raises:
        jax.errors.JaxRuntimeError: If the call fails for another reason, or at size 1.
    """
    while True:
        try:
            return jax.block_until_ready(call(size)), size
        except jax.errors.JaxRuntimeError as error:
            if size == 1 or not out_of_memory(error):
                raise
            size //= 2


def out_of_memory(error: BaseException) -> bool:
    """Whether a device had too little memory for a computation."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def _in_pieces(function: Callable, values: Any, size: int) -> Any:
    count = _count(values)
    if count <= size:
        return jax.vmap(function)(values)
    pieces = -(-count // size)
    size = -(-count // pieces)
    rows = np.arange(pieces * size) % count
    filled = jax.tree.map(lambda x: x[rows].reshape(pieces, size, *x.shape[1:]), values)
    results = jax.lax.map(jax.vmap(function), filled)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:])[:count], results)


def _count(values: Any) -> int:
    return jax.tree.leaves(values)[0].shape[0]


def _threads() -> int:
    """Threads that XLA computes with on the CPU."""
    if os.environ.get("NPROC", "").isdigit():
        return int(os.environ["NPROC"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
