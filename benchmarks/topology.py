"""Benchmark of Chern numbers of all bands: 48 × 48 plaquettes at flux 7/25, and as few as certify the integers.

All rivals are plain NumPy and do the same plaquettes by the method of Fukui, Hatsugai and Suzuki (2005):

* from the paper: fill H(k) element by element, diagonalize momentum by momentum, then loop over bands and plaquettes,
  with a function for the link variable of any group of bands (a determinant). The target is about this one;
* lean loop: the same loop for single bands only, which need no determinant, with matrices and plane waves for free;
* arrays: batched `eigh` and all plaquettes of a band in one operation, matrices for free. What is left is LAPACK.
"""

from collections.abc import Iterator

import numpy as np
from measure import Line, clock, compare, largest

import hofstadter as hof


def all_bands(quick: bool) -> Iterator[Line]:
    """Chern numbers of every single band of the square lattice."""
    flux, points = ((2, 5), 12) if quick else ((7, 25), 48)
    problem = hof.at_flux(hof.models.square(), flux)
    q = flux[1]
    steps = np.arange(points + 1) / (points * q)
    k = np.stack(np.meshgrid(steps + 0.382 / (points * q), steps + 0.276 / (points * q), indexing="ij"), axis=-1)
    matrices = np.asarray(problem.matrix(k))
    positions = np.asarray(problem.site_positions)
    assert np.allclose(matrices[3, 5], _harper(k[3, 5], *flux), atol=1e-12)

    rivals = [
        ("NumPy loops from the paper", lambda _, positions, step, q: _paper(k, positions, step, flux), 20),
        ("NumPy, lean loop", _loop, None),
        ("NumPy, arrays", _arrays, None),
    ]
    for name, rival, target in rivals:
        times, ours, theirs = compare(
            lambda: hof.chern_on_mesh(problem, points=points),
            lambda rival=rival: clock(lambda: rival(matrices, positions, steps[1], q)),
            seconds=30,
            most=5,
        )
        yield Line(
            "Chern numbers of all single bands",
            f"square at {flux[0]}/{q}, {points} × {points} plaquettes",
            name,
            **times,
            error=largest(np.nan_to_num(np.asarray(ours.value)) - np.where(np.asarray(ours.status) == 0, theirs, 0)),
            target=target,
            note=f"{int(np.sum(np.asarray(ours.status) == 0))} of {q} bands certified, and compared",
            headline=target is not None,
        )

    bands = [(band, band + 1) for band in range(q)]
    times, ours, theirs = compare(
        lambda: hof.chern_numbers(problem, bands),
        lambda: clock(lambda: _paper(k, positions, steps[1], flux)),
        seconds=20,
        most=3,
    )
    certified = [number.status == 0 for number in ours]
    yield Line(
        "Chern numbers of all single bands, adaptive plaquettes",
        f"square at {flux[0]}/{q}",
        f"NumPy loops from the paper, {points} × {points} plaquettes",
        **times,
        error=largest(np.where(certified, [number.value for number in ours] - theirs, 0)),
        target=20,
        note=f"{sum(certified)} of {q} bands certified, and compared",
    )


def _harper(k, p, q) -> np.ndarray:
    """H(k) of the square lattice at flux p/q."""
    h = np.zeros((q, q), complex)
    for m in range(q):
        h[m, m] += -2 * np.cos(2 * np.pi * (k[0] - m * p / q))
        wrap = np.exp(2j * np.pi * q * k[1]) if m == q - 1 else 1
        h[m, (m + 1) % q] += -wrap
        h[(m + 1) % q, m] += -np.conj(wrap)
    return h


def _paper(k, positions, step, flux) -> np.ndarray:
    """Chern numbers, with a link variable for any group of bands."""
    p, q = flux
    n = len(k) - 1
    states = np.array([[np.linalg.eigh(_harper(point, p, q))[1] for point in row] for row in k])
    d1, d2 = np.array([step, 0]), np.array([0, step])

    def link(left, right, dk):
        plane_wave = np.exp(-2j * np.pi * positions @ dk)
        overlap = np.linalg.det(left.conj().T @ (plane_wave[:, None] * right))
        return overlap / abs(overlap)

    cherns = []
    for band in range(q):
        group = states[..., band : band + 1]
        total = 0.0
        for i in range(n):
            for j in range(n):
                here, right, up, far = group[i, j], group[i + 1, j], group[i, j + 1], group[i + 1, j + 1]
                around = link(here, right, d1) * link(right, far, d2)
                total -= np.angle(around * np.conj(link(up, far, d1) * link(here, up, d2)))
        cherns.append(q * total / (2 * np.pi))
    return np.array(cherns)


def _loop(matrices, positions, step, q) -> np.ndarray:
    """Chern numbers, one link at a time."""
    n = len(matrices) - 1
    states = np.empty_like(matrices)
    for i in range(n + 1):
        for j in range(n + 1):
            states[i, j] = np.linalg.eigh(matrices[i, j])[1]
    wave1, wave2 = np.exp(-2j * np.pi * step * positions.T)

    def link(left, wave, right):
        overlap = np.vdot(left, wave * right)
        return overlap / abs(overlap)

    cherns = []
    for band in range(matrices.shape[-1]):
        total = 0.0
        for i in range(n):
            for j in range(n):
                here, right = states[i, j, :, band], states[i + 1, j, :, band]
                up, far = states[i, j + 1, :, band], states[i + 1, j + 1, :, band]
                around = link(here, wave1, right) * link(right, wave2, far)
                total -= np.angle(around * np.conj(link(up, wave1, far) * link(here, wave2, up)))
        cherns.append(q * total / (2 * np.pi))
    return np.array(cherns)


def _arrays(matrices, positions, step, q) -> np.ndarray:
    """Chern numbers, all plaquettes of a band at once."""
    states = np.linalg.eigh(matrices)[1]
    wave1, wave2 = np.exp(-2j * np.pi * step * positions.T)
    cherns = []
    for band in range(matrices.shape[-1]):
        u = states[..., band]
        link1 = np.sum(u[:-1].conj() * wave1 * u[1:], axis=-1)
        link2 = np.sum(u[:, :-1].conj() * wave2 * u[:, 1:], axis=-1)
        around = link1[:, :-1] * link2[1:] * (link1[:, 1:] * link2[:-1]).conj()
        cherns.append(-q * np.angle(around).sum() / (2 * np.pi))
    return np.array(cherns)
