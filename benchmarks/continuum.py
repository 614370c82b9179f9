"""Benchmarks of continuum models: twisted bilayer graphene at one flux quantum per cell and at low fields.

The rival gets the same matrices, prebuilt, so the ratio of the spectrum counts our assembly against us. Form factors
and the angle sweep have no rival; their time alone is listed.
"""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from measure import Line, clock, compare, largest

import hofstadter as hof
from hofstadter.models import bistritzer_macdonald

# 2 (2 × 50 − 1) states of matrices of 208 or so rows.
LEVELS = 50


def moire_spectra(quick: bool) -> Iterator[Line]:
    """Energies and states on a mesh, form factors of the flat bands, and many angles in one call."""
    points = 6 if quick else 24
    problem = hof.at_flux(bistritzer_macdonald(), 1, levels=LEVELS, bands_per_cell=2)
    k = problem.mesh(points, points)
    matrices = np.asarray(problem.matrix(k)).reshape(-1, problem.basis_size, problem.basis_size)
    first = problem.first_band
    wanted = slice(first, first + problem.returned_bands)

    times, ours, theirs = compare(
        lambda: hof.solve(problem, k),
        lambda: clock(lambda: [np.linalg.eigh(matrix)[0][wanted] for matrix in matrices]),
        seconds=90,
        most=4,
    )
    assemble = shortest(jax.jit(lambda k: problem.matrix(k)), k)
    yield Line(
        "energies and states, Bistritzer–MacDonald at 2π flux",
        f"{points} × {points} momenta, n = {problem.basis_size}",
        "numpy.linalg.eigh on prebuilt matrices",
        **times,
        error=largest(np.asarray(ours.energies).reshape(len(matrices), -1) - np.array(theirs)),
        target=1 / 1.2,
        note=f"assembly alone {assemble:.3f} s, {assemble / times['ours']:.0%} of the time; error in meV",
    )

    states = hof.solve(problem, k).states[..., problem.below - 1 : problem.below + 1]
    shells = jnp.stack(jnp.meshgrid(jnp.arange(-3, 4), jnp.arange(-3, 4), indexing="ij"), axis=-1).reshape(-1, 2)

    @jax.jit
    def form_factors(states):
        def one(point, bra, g):
            return bra.conj().T @ problem.apply_plane_wave(point, g, bra)

        over_momenta = jax.vmap(one, in_axes=(0, 0, None))
        flat, bras = k.reshape(-1, 2), states.reshape(-1, *states.shape[-2:])
        return jax.lax.map(lambda g: over_momenta(flat, bras, g), shells.astype(k.dtype))

    seconds, factors = clock(lambda: form_factors(states))
    yield Line(
        "form factors of the two flat bands at 2π flux",
        f"{points} × {points} momenta × {len(shells)} reciprocal vectors",
        "none",
        ours=min(clock(lambda: form_factors(states))[0] for _ in range(3)),
        first=seconds,
        error=largest(np.asarray(factors[len(shells) // 2]) - np.eye(2)),
        note="error: M(k, 0) = 1",
        headline=False,
    )

    angles = jnp.linspace(1.0, 1.1, 8 if quick else 64)
    few = problem.mesh(3, 3)

    @jax.jit
    @jax.vmap
    def flat_bands(theta):
        turned = hof.at_flux(bistritzer_macdonald(theta), 1, levels=LEVELS, bands_per_cell=1)
        return hof.solve(turned, few, states=False).energies

    seconds, energies = clock(lambda: flat_bands(angles))
    yield Line(
        "flat bands at 2π flux for many twist angles, one compiled call",
        f"{len(angles)} angles × 9 momenta, n = {problem.basis_size}",
        "none",
        ours=min(clock(lambda: flat_bands(angles))[0] for _ in range(2)),
        first=seconds,
        error=largest(np.mean(energies + energies[..., ::-1], axis=(1, 2))),
        note="error: mean of energies at ±k, zero by particle-hole symmetry, in meV",
        headline=False,
    )


def low_fields(quick: bool) -> Iterator[Line]:
    """The 20 energies nearest neutrality at one momentum, in the strip basis, against all of a Landau-level matrix."""
    model = bistritzer_macdonald()
    for q, target in ((4, None),) if quick else ((8, 8), (16, 25)):
        yield _low_field(model, q, target)


def _low_field(model: hof.models.Continuum, q: int, target: float | None) -> Line:
    # 31 levels per flux quantum and cell: the wanted energies of the rival are right to 2e-3 meV.
    landau = hof.at_flux(model, (1, q), levels=31 * q, bands_per_cell=2)
    strip = dataclasses.replace(hof.strip_problem(model, (1, q), waves=8, bands_per_cell=2), below=10, above=10)
    k = jnp.array([0.137, 0.291]) / q
    matrix = np.asarray(landau.matrix(k))
    middle = landau.basis_size // 2
    times, ours, theirs = compare(
        lambda: hof.solve(strip, k, states=False),
        lambda: clock(lambda: np.linalg.eigh(matrix)[0][middle - 10 : middle + 10]),
        seconds=30,
        most=5,
    )
    return Line(
        "20 energies nearest neutrality, Bistritzer–MacDonald at low field",
        f"flux 1/{q}, sparse n = {strip.basis_size}, Landau levels n = {landau.basis_size}",
        "numpy.linalg.eigh on the prebuilt Landau-level matrix",
        **times,
        error=largest(np.asarray(ours.energies) - theirs),
        target=target,
        note="assembly included; error in meV, that of the rival's basis",
    )


def windows(quick: bool) -> Iterator[Line]:
    """The 20 levels nearest neutrality and their states at fluxes of many quanta, and of a large tight-binding cell."""
    graphene = bistritzer_macdonald()
    # As many Landau levels as leave some 1e-3 meV; 62 states of each component per cell.
    for flux, target in (((5, 4), None),) if quick else (((9, 4), 8), ((17, 8), 25)):
        levels = -(-62 * flux[1] // flux[0])
        problem = hof.at_flux(graphene, flux, levels=levels, bands_per_cell=3)
        yield _window("Bistritzer–MacDonald", f"flux {flux[0]}/{flux[1]}", problem, target)
    flux = (22, 97) if quick else (113, 499)
    problem = hof.at_flux(hof.models.honeycomb(), flux)
    yield _window("honeycomb", f"flux {flux[0]}/{flux[1]}", problem, None)


def _window(name: str, flux: str, problem, target: float | None) -> Line:
    k = jnp.array([0.137, 0.291]) / problem.q
    matrix = np.asarray(problem.matrix(k))
    times, ours, theirs = compare(
        lambda: hof.solve_window(problem, k, 0.0, 20),
        lambda: clock(lambda: np.linalg.eigh(matrix)[0]),
        seconds=30,
        most=5,
    )
    expected = np.sort(theirs[np.argsort(np.abs(theirs))[:20]])
    return Line(
        f"20 states nearest neutrality, {name}",
        f"{flux}, n = {problem.basis_size}",
        "numpy.linalg.eigh on the prebuilt matrix",
        **times,
        error=largest(np.asarray(ours.energies) - expected),
        target=target,
        note="assembly, states and the proof of completeness included",
    )


def shortest(function, argument) -> float:
    """Smallest of three times of a compiled function."""
    clock(lambda: function(argument))
    return min(clock(lambda: function(argument))[0] for _ in range(3))
