"""Hartree–Fock states of a moiré model's narrow bands at many fluxes and fillings, as one table."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from hofstadter._checks import as_integer, fail
from hofstadter.errors import Status
from hofstadter.flux import Flux, FluxLike, as_fluxes
from hofstadter.interactions.coulomb import AbstractInteraction
from hofstadter.interactions.flat_bands import moire_flat_bands
from hofstadter.interactions.hartree_fock import MeanField, electrons, flavor_field, hartree_fock, random_field
from hofstadter.interactions.interacting_bands import InteractingBands, interacting_bands
from hofstadter.interactions.mean_field_label import mean_field_labels
from hofstadter.models.continuum import Continuum
from hofstadter.tasks._basis import model_attributes

GapLine = tuple[int, int]
"""(s, t): the filling s + t p/q from half filling."""


def mean_fields(
    model: Continuum,
    fluxes: Sequence[FluxLike],
    lines: Sequence[GapLine],
    interaction: AbstractInteraction,
    *,
    random_starts: int = 3,
    seed: int = 0,
    points: int = 6,
    pairs: int = 1,
    kinetic: bool = True,
    levels: int | None = None,
    level_rtol: float = 1e-6,
    momentum_rtol: float = 1e-6,
    max_steps: int = 500,
    rtol: float = 1e-7,
    memory_gb: float = 4.0,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Self-consistent states of the narrow bands in two valleys and two spins, along lines of gaps.

    The first start fills one flavor after the other. The second polarizes spins but leaves valleys free to mix, which
    noise decides; then come starts from noise alone.

    Args:
        model: One valley of a moiré model whose bands count from neutrality; the other is its time-reversed partner.
        fluxes: Positive fluxes per cell. The cost grows like the sixth power of the denominator.
        lines: Gap labels (s, t): the filling is s + t p/q electrons per cell from neutrality, always a whole number in
            the sample.
        interaction: The repulsion, say of `double_gate_coulomb`.
        random_starts: Number of starts from noise.
        seed: Of the noise.
        points: Momenta per direction of the zero-field zone; the magnetic zone gets points × ⌈points/q⌉.
        pairs: Narrow bands per cell on each side of neutrality.
        kinetic: Whether the bands keep their own energies.
        levels: Landau levels; by default as many as `level_rtol` needs.
        level_rtol: Accuracy of the bands' energies relative to their range.
        momentum_rtol: Exchange energy that momenta beyond the cut-off may have, relative.
        max_steps: Most steps of each run.
        rtol: Accuracy of self-consistency, see `hartree_fock`.
        memory_gb: Working memory.
        progress: Called with 1 after each flux.

    Returns:
        Dataset with dims (flux, line, start): `energy` per cell, `gap`, `s` and `t` (NaN where the Chern number is not
        certain), `label_status`, `steps`, `residual`, `coherence` (share of the density matrix between valleys),
        `filled` (also valley, spin: electrons per cell in each flavor) and `status`. With dims (flux, line) `filling`,
        `line_s` and `line_t`; with dim flux `cutoff`, `band_gap` (to remote bands) and `basis_status`. Lines whose
        filling the bands do not hold are ABSENT.

    Raises:
        ValueError: If a flux is not positive or the model does not count from neutrality.
        hofstadter.CalculationError: If the narrow bands touch others.
    """
    listed = as_fluxes(fluxes)
    if model.reference != "neutrality":
        raise fail("model", "one whose bands count from neutrality", f"counted from the {model.reference}")
    if any(flux.p <= 0 for flux in listed):
        raise fail("fluxes", "positive", [str(flux) for flux in listed])
    if not lines:
        raise fail("lines", "at least one pair (s, t)", "empty")
    random_starts = as_integer("random_starts", random_starts, minimum=0)
    rows = []
    for flux in listed:
        mesh = (points, -(-points // flux.q))
        group = moire_flat_bands(
            model,
            interaction,
            flux=flux,
            pairs=pairs,
            points=mesh,
            levels=levels,
            level_rtol=level_rtol,
            rtol=momentum_rtol,
            memory_gb=memory_gb,
        )
        bands = interacting_bands(group, kinetic=kinetic, memory_gb=memory_gb)
        starts = _starts(bands, random_starts, seed)
        table = [_line(bands, flux, line, starts, max_steps, rtol) for line in lines]
        rows.append(
            {name: np.stack([entry[name] for entry in table]) for name in table[0]}
            | {
                "line_s": np.array([s for s, _ in lines]),
                "line_t": np.array([t for _, t in lines]),
                "cutoff": np.asarray(group.cutoff.cutoff),
                "band_gap": np.asarray(min(group.min_gap)),
                "basis_status": np.asarray(int(group.status)),
            }
        )
        if progress is not None:
            progress(1)
    return _dataset(model, listed, rows, 2 + random_starts)


def _starts(bands: InteractingBands, random_starts: int, seed: int) -> jax.Array:
    keys = jax.random.split(jax.random.key(seed), random_starts + 1)
    order = jnp.arange(bands.flavors, dtype=bands.kinetic.dtype)
    # Valleys first: electrons of both valleys and one spin, as K-IVC and valley-polarized states share.
    by_flavor = flavor_field(bands, order.reshape(bands.spins, bands.valleys).T)
    by_spin = flavor_field(bands, jnp.broadcast_to(10 * order[: bands.spins], (bands.valleys, bands.spins)))
    noise = [random_field(bands, key) for key in keys]
    mixed = random_field(bands, keys[0], mix_spins=False)
    return jnp.stack([by_flavor, by_spin + mixed, *noise[1:]])


def _line(
    bands: InteractingBands, flux: Flux, line: GapLine, starts: jax.Array, max_steps: int, rtol: float
) -> dict[str, np.ndarray]:
    s, t = line
    filling = s + t * Fraction(flux.p, flux.q)
    count, flavors = len(starts), (bands.valleys, bands.spins)
    numbers = {name: np.full(count, np.nan) for name in ("energy", "gap", "s", "t", "residual", "coherence")}
    codes = {name: np.full(count, int(Status.ABSENT)) for name in ("status", "label_status")}
    rest = {"steps": np.zeros(count, int), "filled": np.full((count, *flavors), np.nan), "filling": float(filling)}
    try:
        electrons(bands, filling)
    except ValueError:
        return {name: np.asarray(value) for name, value in (numbers | codes | rest).items()}
    found = hartree_fock(bands, filling, starts, max_steps=max_steps, rtol=rtol)
    labels = mean_field_labels(bands, found)
    filled, coherence = _flavor_densities(bands, found)
    values = {
        "energy": found.energy,
        "gap": found.gap,
        "s": labels.s,
        "t": labels.t,
        "residual": found.residual,
        "coherence": coherence,
        "status": found.status,
        "label_status": labels.status,
        "steps": found.steps,
        "filled": filled,
        "filling": float(filling),
    }
    return {name: np.asarray(value) for name, value in values.items()}


def _flavor_densities(bands: InteractingBands, found: MeanField) -> tuple[np.ndarray, np.ndarray]:
    """Electrons per cell in each valley and spin, and the weight of the density matrix between valleys."""
    width = bands.kinetic.shape[-1]
    parts = np.asarray(found.density).reshape(
        -1, bands.points, bands.valleys, bands.spins, width, bands.valleys, bands.spins, width
    )
    filled = np.einsum("akvsmvsm->avs", parts).real / int(bands.cells)
    weight = np.sum(np.abs(parts) ** 2, axis=(1, 3, 4, 6, 7))
    between = weight.sum(axis=(1, 2)) - np.einsum("avv->a", weight)
    return filled, between / weight.sum(axis=(1, 2))


def _dataset(model: Continuum, fluxes: Sequence[Flux], rows: list, starts: int) -> xr.Dataset:
    dims = {
        "filled": ("flux", "line", "start", "valley", "spin"),
        "filling": ("flux", "line"),
        "line_s": ("flux", "line"),
        "line_t": ("flux", "line"),
        "cutoff": ("flux",),
        "band_gap": ("flux",),
        "basis_status": ("flux",),
    }
    variables = {
        name: (dims.get(name, ("flux", "line", "start")), np.stack([row[name] for row in rows])) for name in rows[0]
    }
    return xr.Dataset(
        variables,
        coords={
            "flux": [float(flux) for flux in fluxes],
            "p": ("flux", [flux.p for flux in fluxes]),
            "q": ("flux", [flux.q for flux in fluxes]),
            "start": np.arange(starts),
        },
        attrs=model_attributes(model),
    )
