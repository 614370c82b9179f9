"""Benchmarks of counting without diagonalizing, and of labels."""

import functools
import math
from collections.abc import Iterator

import numpy as np
from measure import COMPILATION, Line, clock, compare, timed
from scipy.linalg import eigvalsh_tridiagonal

import hofstadter as hof
from hofstadter.counting import chambers
from hofstadter.counting.edges import mesh_size
from hofstadter.counting.elements import Matrices
from hofstadter.counting.lanes import sweep
from hofstadter.counting.states import count_states


def density_maps(quick: bool) -> Iterator[Line]:
    """States below many energies, at one momentum and over the zone, against diagonalizing once and searching."""
    q = 97 if quick else 199
    models = hof.models
    for model, q_model, fluxes, energies, target in (
        (models.square(), q, 8, 256, 80),
        (models.triangular(), q, 8, 256, 80),
        (models.honeycomb(), 97, 4, 512, None),
        (models.kagome(), 97, 4, 512, None),
    ):
        yield _density_map(model, q_model, fluxes, energies, momenta=1)
        if not quick:
            yield _density_map(model, q_model, fluxes, energies, momenta=mesh_size(q_model), target=target)
    yield _large_map(100 if quick else 1000, 200 if quick else 2000)


def _density_map(model, q: int, fluxes: int, energies: int, *, momenta: int, target: float | None = None) -> Line:
    numerators = np.arange(1, fluxes + 1) * (q // (2 * fluxes + 2))
    bound = float(model.norm_bound())
    levels = np.linspace(-bound, bound, energies + 2)[1:-1] + 1e-4
    points = [hof.Flux(int(p), q) for p in numerators]
    # Of a single momentum, one without symmetry.
    grid = (np.arange(momenta) + (0.382 if momenta == 1 else 0.5)) / (momenta * q)
    k = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    matrices = np.concatenate([np.array(hof.at_flux(model, flux).matrix(k)) for flux in points])

    def diagonalize():
        spectra = np.linalg.eigvalsh(matrices).reshape(fluxes, -1)
        return np.stack([np.searchsorted(np.sort(spectrum), levels) for spectrum in spectra])

    times, ours, theirs = compare(
        lambda: count_states(model, points, [(grid, grid)] * fluxes, levels),
        lambda: clock(diagonalize),
        seconds=6,
        most=9,
    )
    where = "one momentum" if momenta == 1 else f"{momenta} × {momenta} momenta"
    break_even = energies * times["theirs"] / times["ours"]
    return Line(
        f"states below energies, {model.name}",
        f"q = {q}, {where}, {fluxes} fluxes × {energies} energies",
        "numpy.linalg.eigvalsh + searchsorted",
        **times,
        error=int(np.sum(ours != theirs)),
        target=target,
        note=f"error: miscounts; counting is the faster one up to about {break_even:.0f} energies",
    )


def counts_at_corners(quick: bool) -> Iterator[Line]:
    """What decides about gaps of the square lattice: counts at two momenta, against the same chains in LAPACK."""
    model = hof.models.square()
    t1, t2, _ = chambers.amplitudes(model)
    for q in (97,) if quick else (199, 997):
        fluxes, energies = 8, 256 if quick else 2000
        numerators = np.arange(1, fluxes + 1) * (q // (2 * fluxes + 2))
        levels = np.linspace(-4, 4, energies + 2)[1:-1] + 1e-4
        corner = np.tile([0.0, 1.0], fluxes)
        matrices = Matrices(np.repeat(numerators, 2), np.full(2 * fluxes, q), corner, np.zeros((2 * fluxes, 1)))

        def search(q=q, numerators=numerators, levels=levels):
            rows = []
            for p in numerators:
                for at in (0, 1):
                    chains = chambers.half_chains(int(p), q, t1, t2, corner=at)
                    spectra = [eigvalsh_tridiagonal(*chain, lapack_driver="sterf") for chain in chains]
                    rows.append(np.searchsorted(np.sort(np.concatenate(spectra)), levels))
            return np.stack(rows)

        same = np.broadcast_to(levels, (2 * fluxes, len(levels)))
        count = functools.partial(sweep, chambers.count_at_corners, model, matrices, same)
        times, ours, theirs = compare(lambda count=count: count()[0], timed(search), seconds=4)
        yield Line(
            "states below energies at two momenta, square",
            f"q = {q}, {fluxes} fluxes × {energies} energies",
            "scipy.linalg.eigvalsh_tridiagonal (sterf) + numpy.searchsorted, same chains",
            **times,
            error=int(np.sum(ours != theirs)),
            note="error: miscounts; chains are built in the time of both",
            headline=False,
        )


def _large_map(largest: int, energies: int) -> Line:
    """As many fluxes as the largest denominator, all in the upper half of the denominators."""
    rng = np.random.default_rng(0)
    fluxes: list[hof.Flux] = []
    while len(fluxes) < largest:
        q = int(rng.integers(largest // 2, largest + 1))
        p = int(rng.integers(1, q))
        if math.gcd(p, q) == 1:
            fluxes.append(hof.Flux(p, q))
    levels = np.linspace(-4, 4, energies)
    compiled = COMPILATION.seconds
    first, _ = clock(lambda: hof.integrated_density(hof.models.square(), fluxes, levels))
    compiled = COMPILATION.seconds - compiled
    ours = min(clock(lambda: hof.integrated_density(hof.models.square(), fluxes, levels))[0] for _ in range(2))
    return Line(
        "map of the integrated density, square",
        f"{largest} fluxes p/q with {largest // 2} ≤ q ≤ {largest}, {energies} energies",
        "none: time only",
        ours=ours,
        first=first,
        compile=compiled,
        note="whole zone: in gaps exact, in bands on 6 × 6 momenta",
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
