"""Benchmarks against other packages for electrons on lattices in a field, where these are installed.

    pip install --no-deps HofstadterTools tbkit

The same energies on a mesh of the magnetic zone: the other package builds and diagonalizes, and so do we. Meshes begin
at different momenta, so that the moments of all energies are compared, as in `tests/data/make_*.py`.
"""

import importlib.metadata
from collections.abc import Callable, Iterator

import numpy as np
from measure import Line, compare, timed

import hofstadter as hof


def other_packages(quick: bool) -> Iterator[Line]:
    """Energies on a mesh at one flux, by HofstadterTools and tbkit."""
    points = 6 if quick else 12
    for name, flux in (("square", (13, 31)), ("honeycomb", (13, 31))):
        for package, prepare in (("HofstadterTools", _hofstadter_tools), ("tbkit", _tbkit)):
            try:
                version = importlib.metadata.version(package)
                rival = prepare(name, flux, points)
            except ImportError:
                continue
            yield _line(name, flux, points, f"{package} {version}", rival)


def _line(name: str, flux: tuple[int, int], points: int, rival: str, call: Callable[[], np.ndarray]) -> Line:
    model = getattr(hof.models, name)()

    def ours():
        problem = hof.at_flux(model, flux)
        return hof.solve(problem, problem.mesh(points, points), states=False).energies

    times, found, expected = compare(ours, timed(call), seconds=4, most=4)
    error = max(abs(float(np.mean(np.asarray(found) ** m)) / abs(np.mean(expected**m) or 1.0) - 1) for m in (2, 4))
    return Line(
        f"energies on a mesh, {name}",
        f"flux {flux[0]}/{flux[1]}, {points} × {points} momenta",
        rival,
        **times,
        error=error,
        note="building the matrices included for both; error: relative, of the second and fourth moments",
        headline=False,
    )


def _hofstadter_tools(name: str, flux: tuple[int, int], points: int) -> Callable[[], np.ndarray]:
    from HT.models.hofstadter import Hofstadter

    def call():
        model = Hofstadter(*flux, t=[1.0], lat=name)
        first, second = model.unit_cell()[3][:2]
        momenta = [(i * first + j * second) / points for i in range(points) for j in range(points)]
        return np.stack([np.linalg.eigvalsh(model.hamiltonian(k)) for k in momenta])

    return call


def _tbkit(name: str, flux: tuple[int, int], points: int) -> Callable[[], np.ndarray]:
    from tbkit import Lattice, kspace

    model = getattr(hof.models, name)()
    vectors = np.asarray(model.vectors)
    places = np.asarray(model.positions) @ vectors
    sites = [{"tag": "abc"[i], "r0": tuple(map(float, place))} for i, place in enumerate(places)]
    hops = [
        {"i": int(i), "j": int(j), "R": (int(r1), int(r2)), "t": complex(t)}
        for t, (i, j, r1, r2) in zip(np.asarray(model.amplitudes), model.hops, strict=True)
    ]
    onsite = {"abc"[i]: float(e) for i, e in enumerate(np.asarray(model.onsite))}
    grid = np.stack(np.meshgrid(*2 * [np.arange(points) / points], indexing="ij"), axis=-1).reshape(-1, 2)

    def call():
        lattice = Lattice(unit_cell=sites, prim_vec=[tuple(map(float, v)) for v in vectors])
        magnetic = kspace.magnetic_supercell(lattice, hops, *flux, onsite=onsite)
        return np.asarray(magnetic.get_bands(grid @ np.asarray(magnetic.rec_vec)))

    return call
