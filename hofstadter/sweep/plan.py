"""From a run file to independent units of work, and what they will cost."""

import dataclasses
import time

import numpy as np

from hofstadter.eigensolver._threads import single_threaded_blas
from hofstadter.flux import Flux
from hofstadter.hamiltonian.batch import padded_cells
from hofstadter.io.config import RunFile
from hofstadter.io.layout import Layout, Unit
from hofstadter.models import AbstractContinuum, Model
from hofstadter.tasks._basis import padded_size, with_bands

# A killed run loses a unit, and each costs some milliseconds of dispatch and writing: aim at a few seconds.
SECONDS_PER_UNIT = 5.0
# Eigenvalues of a complex Hermitian n × n matrix take about 16/3 n³ operations; at 10 Gflop/s.
OPERATIONS_PER_CUBE = 16 / 3
SECONDS_PER_CUBE = OPERATIONS_PER_CUBE / 10e9
# What the smallest matrix takes, and what one point takes besides its matrices, measured on two CPU cores.
SECONDS_PER_MATRIX = 1e-5
SECONDS_PER_POINT = 0.05
LARGEST_UNIT = 64
# How many states per cell and component a continuum model keeps is found when it is computed; this many are typical.
STATES_PER_CELL = 64


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run will do.

    Attributes:
        layout: The shape of the store, units of work included.
        matrices: For every flux, in the order of the store, how many matrices it diagonalizes.
        sizes: The rows of these matrices, padding included; a guess where `sizes_known` is false.
        work: A guess of the seconds that every flux takes, good for ratios.
        sizes_known: Whether `sizes` are more than a guess.
    """

    layout: Layout
    matrices: tuple[int, ...]
    sizes: tuple[int, ...]
    work: tuple[float, ...]
    sizes_known: bool = True

    @property
    def operations(self) -> float:
        """Floating-point operations of all diagonalizations at one place of the sweep."""
        return OPERATIONS_PER_CUBE * sum(
            n * float(size) ** 3 for n, size in zip(self.matrices, self.sizes, strict=True)
        )

    def unit_seconds(self, unit: Unit) -> float:
        """The sum of `work` over a unit."""
        return sum(self.work[unit.start : unit.stop])


def make_plan(run_file: RunFile) -> Plan:
    """Divide a run into units: fluxes sorted by the size of their compiled program, a few seconds together.

    The plan depends on nothing but what the run file asks for, so that a resumed run finds the same units.
    """
    model, parameters = run_file.at()
    task = run_file.task
    points = task.points(model, parameters)
    fluxes = tuple(sorted(points, key=lambda flux: (padded_cells(flux.q), flux.q, flux.p)))
    matrices = tuple(task.matrices(model, parameters, flux) for flux in fluxes)
    levels = getattr(parameters, "levels", None)
    model = with_bands(model, getattr(parameters, "bands_per_cell", None))
    sizes = tuple(_size(model, flux, levels) if count else 0 for flux, count in zip(fluxes, matrices, strict=True))
    counting = tuple(task.counting_seconds(model, parameters, flux) for flux in fluxes)
    work = tuple(_work(*entry) + extra for *entry, extra in zip(matrices, sizes, counting, strict=True))
    layout = Layout(
        sweep=run_file.sweep,
        points=fluxes,
        unit_size=max(1, min(LARGEST_UNIT, len(fluxes), int(SECONDS_PER_UNIT / max(work)))),
        splits=task.splits,
        sizes=task.sizes(model, parameters, points),
    )
    sizes_known = levels is not None or not isinstance(model, AbstractContinuum)
    return Plan(layout, matrices, sizes, work, sizes_known)


def _size(model: Model, flux: Flux, levels: int | None) -> int:
    """Rows of the matrix, for a continuum model without `levels` a guess."""
    if not isinstance(model, AbstractContinuum):
        return padded_cells(flux.q) * model.orbitals
    if levels is not None:
        return padded_size(model, flux, levels)
    return max(STATES_PER_CELL * flux.q * model.components, 2 * model.bands_at(flux))


def measured_speed() -> float:
    """How many times faster this CPU is than `Plan.work` assumes, from a tenth of a second of NumPy."""
    size, times = 96, []
    matrix = np.random.default_rng(0).normal(size=(size, size)) + 0j
    matrix = matrix + matrix.conj().T
    start = end = time.perf_counter()
    with single_threaded_blas():
        while end - start < 0.1 or len(times) < 3:
            before = time.perf_counter()
            np.linalg.eigvalsh(matrix)
            end = time.perf_counter()
            times.append(end - before)
    return SECONDS_PER_CUBE * size**3 / min(times)


def _work(matrices: int, size: int) -> float:
    """Seconds for a point with so many matrices of one size."""
    return SECONDS_PER_POINT + matrices * (SECONDS_PER_MATRIX + SECONDS_PER_CUBE * float(size) ** 3)
