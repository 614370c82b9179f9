"""Benchmarks of Landau fans."""

from collections.abc import Iterator

import numpy as np
from measure import COMPILATION, Line, clock, compare

import hofstadter as hof
from hofstadter.counting.staircase import sampling_grid

# Graphene with eight times its lattice constant and its own Fermi velocity: cells of 44 to 600 up to 30 tesla.
SCALE = 8


def landau_fans(quick: bool) -> Iterator[Line]:
    """Fans of graphene with spins and temperature, against diagonalizing every matrix of the same meshes."""
    fields, densities = (40, 100) if quick else (400, 1000)
    yield _fan(np.linspace(3.0, 30.0, fields), densities)
    yield _against_diagonalizing(np.linspace(3.0, 30.0, fields), 8)


def _conditions(fields: np.ndarray, densities: int) -> dict:
    return {
        "field_tesla": fields,
        "carrier_density": np.linspace(-6.0, 6.0, densities),
        "neutral_filling": 2.0,
        "temperature_kelvin": 4.0,
        "broadening_mev": 2.0,
        "flavors": hof.spin_flavors(),
        "length_unit_nm": 0.246 * SCALE,
        "energy_unit_mev": 1.0,
    }


def _fan(fields: np.ndarray, densities: int) -> Line:
    model, conditions = hof.models.honeycomb(t=2700.0 / SCALE), _conditions(fields, densities)
    compiled = COMPILATION.seconds
    first, fan = clock(lambda: hof.landau_fan(model, **conditions))
    compiled = COMPILATION.seconds - compiled
    warm, _ = clock(lambda: hof.landau_fan(model, **conditions))
    q = fan["q"].values
    return Line(
        "Landau fan of graphene, two spins, gaps labelled",
        f"{len(fields)} fields × {densities} densities, q = {q.min()} to {q.max()}",
        "none: time only",
        first=first,
        compile=compiled,
        ours=warm,
        theirs=None,
        error=float(np.sum(~np.isfinite(fan["chemical_potential"].values))),
        note="error: densities without a chemical potential",
    )


def _against_diagonalizing(fields: np.ndarray, some: int) -> Line:
    """Some of the fields of the fan, the lower ones with larger magnetic cells."""
    model, conditions = hof.models.honeycomb(t=2700.0 / SCALE), _conditions(fields, 1000)
    cell_nm2 = np.sqrt(3) / 2 * (0.246 * SCALE) ** 2
    points = hof.fluxes_near(conditions.pop("field_tesla") * cell_nm2 / 4135.667696)[:: len(fields) // some]
    conditions["fluxes"] = points
    fan = hof.landau_fan(model, **conditions)
    stacks = []
    for flux in points:
        k = np.stack(np.meshgrid(*sampling_grid(flux), indexing="ij"), axis=-1).reshape(-1, 2)
        stacks.append(np.array(hof.at_flux(model, flux).matrix(k)))
    edges = [row[np.isfinite(row)] for row in (fan["lower"].values + fan["upper"].values) / 2]

    def diagonalize():
        spectra = [np.linalg.eigvalsh(stack) for stack in stacks]
        return [np.sort(spectrum, axis=None) for spectrum in spectra]

    times, _, levels = compare(
        lambda: hof.landau_fan(model, **conditions), lambda: clock(diagonalize), seconds=60, most=2
    )
    # The densities of the largest gap at each field, counted from the levels of each spin.
    wrong = 0
    for number, (flux, own) in enumerate(zip(points, levels, strict=True)):
        largest = int(np.nanargmax(fan["size"].values[number]))
        middle = edges[number][largest]
        shift = 0.05788381806 * float(fan["field_tesla"][number])
        filled = sum(np.searchsorted(own, middle + sign * shift) for sign in (1, -1))
        density = filled * flux.q * 2 / len(own) / flux.q - 2.0
        wrong += abs(density - float(fan["density"][number, largest])) > 1e-9
    return Line(
        "Landau fan of graphene, two spins, gaps labelled",
        f"{len(points)} of these fields, q = {min(f.q for f in points)} to {max(f.q for f in points)}",
        "numpy.linalg.eigvalsh of all matrices, nothing else",
        **times,
        error=float(wrong),
        note="error: wrong densities of the largest gap",
    )
