"""Benchmarks of counting without diagonalizing, and of labels."""

from collections.abc import Iterator

import numpy as np
from measure import COMPILATION, Line, clock, compare

import hofstadter as hof
from hofstadter.counting.inertia import count_below

K1 = 0.382


def density_maps(quick: bool) -> Iterator[Line]:
    """States below many energies at one momentum: inertia counts against diagonalizing once and searching."""
    cases = [
        (hof.models.square(), 97 if quick else 199, 8, 256, 80),
        (hof.models.honeycomb(), 97, 4, 512, None),
        (hof.models.kagome(), 97, 4, 512, None),
    ]
    for model, q, fluxes, count, target in cases:
        yield _density_map(model, q, fluxes, count, target)


def _density_map(model, q: int, fluxes: int, count: int, target: float | None) -> Line:
    numerators = np.arange(1, fluxes + 1) * (q // (2 * fluxes + 2))
    bound = float(model.norm_bound())
    energies = np.linspace(-bound, bound, count + 2)[1:-1] + 1e-4
    lanes = fluxes * count
    p, q_lane, k1 = np.repeat(numerators, count), np.full(lanes, q), np.full(lanes, K1 / q)
    energy = np.tile(energies, fluxes)
    problems = [hof.at_flux(model, (int(n), q)) for n in numerators]
    matrices = np.stack([np.array(problem.matrix(np.array([K1 / q, 0.0]))) for problem in problems])

    def diagonalize():
        return np.stack([np.searchsorted(levels, energies) for levels in np.linalg.eigvalsh(matrices)])

    times, ours, theirs = compare(
        lambda: count_below(model, p, q_lane, k1, energy), lambda: clock(diagonalize), seconds=4, most=5
    )
    miscounts = int(np.sum(ours.reshape(theirs.shape) != theirs))
    break_even = count * times["theirs"] / times["ours"]
    return Line(
        f"integrated density by inertia, {model.name}",
        f"q = {q}, {fluxes} fluxes × {count} energies",
        "numpy.linalg.eigvalsh + searchsorted",
        **times,
        error=miscounts,
        target=target,
        note=f"error: miscounts; counting is the faster one up to {break_even:.0f} energies per matrix",
    )


def gap_labels(quick: bool) -> Iterator[Line]:
    """Band edges and Chern numbers of all gaps of the square lattice at one denominator."""
    model, q = hof.models.square(), 31 if quick else 97
    fluxes = [hof.Flux(p, q) for p in range(1, q // 2 + 1, 1 if quick else 4)]
    compiled = COMPILATION.seconds
    first, _ = clock(lambda: hof.butterfly(model, fluxes=fluxes))
    compiled = COMPILATION.seconds - compiled
    warm, fly = clock(lambda: hof.butterfly(model, fluxes=fluxes))
    without, _ = clock(lambda: hof.butterfly(model, fluxes=fluxes, labels=False))
    total, known = (fly.status != hof.Status.ABSENT).sum(), np.isfinite(fly.t).sum()
    yield Line(
        "Chern numbers of all gaps, square",
        f"q = {q}, {len(fluxes)} fluxes, {int(total)} gaps",
        "none: time only",
        ours=warm,
        first=first,
        compile=compiled,
        note=f"{int(known)} of {int(total)} gaps labeled; {without:.2f} s of it without labels; one warm run",
    )
