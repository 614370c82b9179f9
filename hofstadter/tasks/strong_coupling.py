"""Insulators of filled flavors of a moiré material at one flux quantum per cell, as a labelled dataset."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr

from hofstadter import lattice
from hofstadter._checks import as_integer, fail
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike
from hofstadter.hamiltonian._abstract import AbstractTruncatedProblem
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.interactions.charge_edges import SAME_ENERGY, ChargeGap, charge_gaps
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.flat_bands import FlatBands, moire_flat_bands
from hofstadter.interactions.neutral import neutral_energies
from hofstadter.interactions.reentrant_fan import fan_lines
from hofstadter.interactions.strong_coupling import FilledFlavors, charge_energies, filled_flavors
from hofstadter.models import Continuum, Model
from hofstadter.tasks._basis import model_attributes
from hofstadter.tasks.bands import path_corners
from hofstadter.topology.chern import chern
from hofstadter.units import laboratory_units

CHARGES = (1, -1)
PAIRS = ("within a valley", "between valleys")
VALLEYS = 2
# Neutral modes that are kept at each momentum, the lowest ones.
MODES = 4
# Landau levels for Chern numbers, which need no accuracy.
FEW_LEVELS = 30


def strong_coupling(
    model: Continuum,
    interaction: AbstractInteraction,
    *,
    fillings: Sequence[float] = (-2.0, 0.0, 2.0),
    flux: FluxLike = 1,
    points: int = 12,
    pairs: int = 1,
    levels: int | None = None,
    rtol: float = 1e-7,
    cutoff: float | None = None,
    momentum_rtol: float = 1e-6,
    kinetic: bool = False,
    neutral: bool = True,
    corners: Sequence[str | Sequence[float]] | None = None,
    labels: Sequence[str] | None = None,
    path_points: int = 0,
    chern_number: float | None = None,
    steps: int = 4,
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Charge gaps, excitations and the predicted Landau fan of filled spin-valley flavors.

    The states are exact in the limit of flat bands; see `hofstadter.interactions.strong_coupling`. Whether they are
    ground states is told by their excitations alone: those with a negative energy are reported as UNSTABLE.

    Args:
        model: One valley of the material; the other one is its time-reversed partner in the same field.
        interaction: The repulsion, say of `double_gate_coulomb`.
        fillings: Electrons per cell from neutrality; even for one pair of bands.
        flux: Flux per cell.
        points: Momenta along each direction of the magnetic zone.
        pairs: Bands per cell on each side of the reference that make the group.
        levels: Landau levels to keep; by default as many as `rtol` needs.
        rtol: Accuracy of the group's own energies relative to their range.
        cutoff: Largest momentum transfer, an inverse length of the model; by default what `momentum_rtol` needs.
        momentum_rtol: Exchange energy that momenta beyond the cut-off may have, relative to the largest.
        kinetic: Whether charges also have the group's own energies; exact eigenstates remain so.
        neutral: Whether to compute neutral modes, on the momenta of the mesh.
        corners: Corners of a path for the charged excitations, as in `hofstadter.bands`.
        labels: What to call them.
        path_points: Momenta on this path; none by default.
        chern_number: Chern number of the group, which insulators have as the slope of their lines; by default
            computed.
        steps: Landau levels of each side in the fan.
        memory_gb: Working memory.

    Returns:
        Dataset with dims filling, charge (+1, −1), axis, component, valley, point, band, pair, mode, momentum, line.
        Of each filling `charge_gap`, `state_energy` per cell, `neutral_gap` (the lowest neutral energy: 0 for a
        Goldstone mode) and `status`, UNSTABLE if one of the two is negative; of each charge `edge_energy`, `degeneracy`
        of the edge, its place `edge_k` and `mass` along two axes, in electron masses. `charge_energy`
        (filling, charge, valley, point, band) along the path, NaN where no flavor of the valley can take the
        charge, with `k` and `distance`. `neutral_energy` (filling, pair, momentum, mode) with the momenta `transfer`
        and their length `transfer_length`; the pairs are flavors of one valley and of two. Of each line of the fan
        `line_filling`, `line_side`, `line_charge`, `line_step`, `line_s`, `line_t` (ν = s + t φ), `line_status`. Also
        `min_gap` of the group to other bands (valley), `group_chern`, `momentum_cutoff`, `cutoff_error` (of exchange
        energies), `levels`. Energies are in the model's unit.

    Raises:
        ValueError: If complete flavors do not make a filling, or units are not known.
        hofstadter.CalculationError: If the group touches other bands.
    """
    flux = Flux.of(flux)
    check_strong_coupling(model, flux, fillings)
    possible_fillings(model, flux, pairs, fillings)
    bands = moire_flat_bands(
        model,
        interaction,
        flux=flux,
        pairs=pairs,
        points=as_integer("points", points, minimum=2),
        levels=levels,
        level_rtol=rtol,
        cutoff=cutoff,
        rtol=momentum_rtol,
        memory_gb=memory_gb,
    )
    states = [filled_flavors(bands, filling, kinetic=kinetic) for filling in fillings]
    gaps = charge_gaps(states, memory_gb=memory_gb)
    number = _chern_of(model, flux, pairs, bands) if chern_number is None else float(chern_number)
    modes = _neutral(states, memory_gb) if neutral else {}
    lowest = modes["neutral_gap"][1] if neutral else np.zeros(len(states))
    unstable = np.nan_to_num(lowest) < -SAME_ENERGY * bands.cutoff.largest
    status = [Status.UNSTABLE if bad else gap.status for gap, bad in zip(gaps, unstable, strict=True)]
    gaps = [gap._replace(status=code) for gap, code in zip(gaps, status, strict=True)]
    units = laboratory_units(float(lattice.cell_area(model.vectors)), model.length_unit, model.energy_unit)
    return xr.Dataset(
        {
            **_edges(states, gaps),
            **modes,
            **_path(states, model, flux, corners, labels, path_points, memory_gb),
            **_fan(gaps, float(flux), number, steps),
            "min_gap": ("valley", list(bands.min_gap)),
            "group_chern": number,
            "momentum_cutoff": bands.cutoff.cutoff,
            "cutoff_error": bands.cutoff.error,
            "levels": _levels(bands),
        },
        coords={"filling": list(map(float, fillings)), "charge": list(CHARGES)},
        attrs={
            **model_attributes(model),
            "flux": str(flux),
            "field_tesla": units.field_tesla(float(flux)),
            "tesla_per_quantum": units.tesla_per_quantum,
            "kinetic": int(kinetic),
            "fan": "predicted from exact states; not verified against published fans",
            **_corner_attributes(model, flux, corners, labels, path_points),
        },
    )


def check_strong_coupling(model: Model, flux: Flux, fillings: Sequence[float]) -> Continuum:
    """The model, if it and the flux may have such states.

    Raises:
        ValueError: If not.
    """
    if not isinstance(model, Continuum):
        raise fail("model", "a continuum model of one valley", model.name)
    if flux.p <= 0:
        raise fail("flux", "positive", flux)
    if not len(fillings) or len(set(fillings)) != len(fillings):
        raise fail("fillings", "a list without repetitions", list(fillings))
    laboratory_units(float(lattice.cell_area(model.vectors)), model.length_unit, model.energy_unit)
    return model


def possible_fillings(model: Continuum, flux: Flux, pairs: int, fillings: Sequence[float]) -> list[float]:
    """The fillings that complete flavors make.

    Raises:
        ValueError: If one of `fillings` is none of them.
    """
    width = sum(model.wanted_bands(flux, pairs)) / flux.q
    flavors = 2 * VALLEYS
    possible = [width * (count - flavors / 2) for count in range(flavors + 1)]
    for filling in fillings:
        if not any(abs(filling - one) < 1e-9 for one in possible):
            listed = ", ".join(f"{one:g}" for one in possible)
            raise fail("fillings", f"among {listed}", filling, "Only complete flavors make an exact state.")
    return possible


def _chern_of(model: Continuum, flux: Flux, pairs: int, bands: FlatBands) -> float:
    """Chern number of the group, by few Landau levels: it does not depend on their number."""
    problem = at_flux(model, flux, levels=min(FEW_LEVELS, _levels(bands)), bands_per_cell=pairs)
    return float(chern(problem, bands.kinds[0].bands).value)


def _levels(bands: FlatBands) -> int:
    """Landau levels of component 0."""
    problem = bands.kinds[0].problem
    assert isinstance(problem, AbstractTruncatedProblem)  # of a continuum model
    return int(problem.size)


def _edges(states: Sequence[FilledFlavors], gaps: Sequence[ChargeGap]) -> dict[str, Any]:
    """Edges of each state, and its gap."""
    shape = (len(states), len(CHARGES))
    energy, degeneracy = np.full(shape, np.nan), np.zeros(shape, int)
    place, mass = np.full((*shape, 2), np.nan), np.full((*shape, 2), np.nan)
    for row, gap in enumerate(gaps):
        for column, edge in enumerate((gap.electron, gap.hole)):
            found = [point for points in edge.minima for point in points]
            if found:
                energy[row, column], degeneracy[row, column] = edge.energy, edge.degeneracy
                place[row, column], mass[row, column] = found[0].k, found[0].masses
    return {
        "charge_gap": ("filling", [gap.gap if np.isfinite(gap.gap) else np.nan for gap in gaps]),
        "state_energy": ("filling", [float(state.energy) for state in states]),
        "status": ("filling", [int(gap.status) for gap in gaps]),
        "edge_energy": (("filling", "charge"), energy),
        "degeneracy": (("filling", "charge"), degeneracy),
        "edge_k": (("filling", "charge", "component"), place),
        "mass": (("filling", "charge", "axis"), mass),
    }


def _neutral(states: Sequence[FilledFlavors], memory_gb: float) -> dict[str, Any]:
    """The lowest neutral modes of flavors of one valley and of two."""
    bands = states[0].bands
    transfer = np.asarray(bands.k) - np.asarray(bands.k)[0]
    energy = np.full((len(states), len(PAIRS), len(transfer), MODES), np.nan)
    for row, state in enumerate(states):
        for column, pair in enumerate(_flavor_pairs(state)):
            if pair is not None:
                found = neutral_energies(state, *pair, jnp.asarray(transfer), memory_gb=memory_gb)
                energy[row, column] = np.asarray(found)[:, :MODES]
    problem = bands.kinds[0].problem
    there = np.isfinite(energy).any(axis=(1, 2, 3))
    return {
        "neutral_energy": (("filling", "pair", "momentum", "mode"), energy),
        "neutral_gap": (
            "filling",
            np.where(there, np.where(np.isfinite(energy), energy, np.inf).min((1, 2, 3)), np.nan),
        ),
        "transfer": (("momentum", "component"), transfer),
        "transfer_length": ("momentum", _shortest(transfer, problem)),
    }


def _flavor_pairs(state: FilledFlavors) -> list[tuple[int, int] | None]:
    """Kinds of an empty and a filled flavor, in one valley and in two, where there are such."""
    possible = [
        (electron, hole)
        for electron in range(VALLEYS)
        for hole in range(VALLEYS)
        if state.flavors(electron, 1) and state.flavors(hole, -1)
    ]
    return [next((pair for pair in possible if (pair[0] == pair[1]) == same), None) for same in (True, False)]


def _shortest(transfer: np.ndarray, problem) -> np.ndarray:
    """Lengths of momenta in the first zone."""
    reciprocal = np.asarray(lattice.reciprocal_vectors(problem.vectors)) / np.array([[1.0], [float(problem.q)]])
    index = np.arange(-2, 3)
    shifts = np.stack(np.meshgrid(index, index, indexing="ij"), axis=-1).reshape(-1, 2)
    reduced = transfer * np.array([1.0, float(problem.q)])
    return np.linalg.norm((reduced[:, None] + shifts[None]) @ reciprocal, axis=-1).min(axis=1)


def _path(
    states: Sequence[FilledFlavors],
    model: Continuum,
    flux: Flux,
    corners: Sequence[str | Sequence[float]] | None,
    labels: Sequence[str] | None,
    points: int,
    memory_gb: float,
) -> dict[str, Any]:
    """Charged excitations along a path."""
    if not points:
        return {}
    places, _ = path_corners(model, flux, corners, labels)
    k, _, distance = lattice.path(places, points, np.asarray(lattice.reciprocal_vectors(model.vectors)))
    bands = states[0].bands
    energy = np.full((len(states), len(CHARGES), VALLEYS, points, bands.width), np.nan)
    for kind in range(VALLEYS):
        tables = bands.at(kind, k, memory_gb=memory_gb)
        for row, state in enumerate(states):
            for column, charge in enumerate(CHARGES):
                if state.flavors(kind, charge):
                    energy[row, column, kind] = np.asarray(charge_energies(state, kind, charge, tables))
    return {
        "charge_energy": (("filling", "charge", "valley", "point", "band"), energy),
        "k": (("point", "component"), np.asarray(k)),
        "distance": ("point", distance),
    }


def _corner_attributes(
    model: Continuum,
    flux: Flux,
    corners: Sequence[str | Sequence[float]] | None,
    labels: Sequence[str] | None,
    points: int,
) -> dict[str, Any]:
    if not points:
        return {}
    places, names = path_corners(model, flux, corners, labels)
    _, at_corner, _ = lattice.path(places, points, np.asarray(lattice.reciprocal_vectors(model.vectors)))
    return {"corners": at_corner, "corner_labels": names}


def _fan(gaps: Sequence[ChargeGap], flux: float, number: float, steps: int) -> dict[str, Any]:
    """The lines of the fan."""
    lines = fan_lines(gaps, flux=flux, chern=number, steps=steps)
    columns = {f"line_{name}": [getattr(line, name) for line in lines] for name in lines[0]._fields}
    columns["line_status"] = [int(status) for status in columns["line_status"]]
    return {name: ("line", np.asarray(values)) for name, values in columns.items()}
