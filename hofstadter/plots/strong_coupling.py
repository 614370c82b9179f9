"""Insulators of filled flavors: charged excitations, neutral modes, and the fan that they predict."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from hofstadter._checks import fail
from hofstadter.errors import Status
from hofstadter.plots import _style

# Colors of electrons, holes and of modes between valleys, from the ends of the package's scales.
ELECTRON, HOLE, NEUTRAL = "#a50f2d", "#16418c", "#16161a"
# Half of the range of fluxes that a fan is drawn in.
REACH = 0.25


def charge_excitations(dataset: xr.Dataset, ax: Axes | None = None, *, filling: int | float | None = None) -> Axes:
    """Draw the energies of one electron more and of one less along a path of momenta.

    Args:
        dataset: A dataset of `hofstadter.strong_coupling` with a path.
        ax: Axes to draw on; by default those of a new figure.
        filling: Which filling; by default the one nearest to neutrality.
    """
    if "charge_energy" not in dataset:
        raise fail("dataset", "one of `hofstadter.strong_coupling` with `path_points`", sorted(map(str, dataset)))
    row = _row(dataset, filling)
    distance = dataset["distance"].values
    with _style.style():
        ax = _style.new_axes(ax, (4.6, 4.2))
        for charge, color, name in ((1, ELECTRON, "one electron more"), (-1, HOLE, "one electron less")):
            energy = row["charge_energy"].sel(charge=charge).transpose("point", "valley", "band").values
            lines = ax.plot(
                distance,
                energy.reshape(len(distance), -1),
                color=color,
                linewidth=1.4,
                linestyle="-" if charge > 0 else (0, (4, 3)),
            )
            lines[0].set_label(name)
        ax.set_xlim(distance.min(), distance.max())
        corners = np.atleast_1d(dataset.attrs.get("corners", ())).astype(int)
        names = np.atleast_1d(dataset.attrs.get("corner_labels", ()))
        if corners.size:
            ax.set_xticks(distance[corners], [str(name) for name in names])
            for x in distance[corners].tolist():
                ax.axvline(x, color=_style.HATCH, linewidth=0.6, zorder=0.5)
        ax.set_xlabel("momentum")
        ax.set_ylabel(_style.energy_label(dataset))
        ax.set_title(_title(dataset, row), fontsize=10.0)
        ax.legend()
    return ax


def neutral_modes(dataset: xr.Dataset, ax: Axes | None = None, *, filling: int | float | None = None) -> Axes:
    """Draw the lowest neutral excitations over the length of their momentum.

    Args:
        dataset: A dataset of `hofstadter.strong_coupling` with neutral modes.
        ax: Axes to draw on; by default those of a new figure.
        filling: Which filling; by default the one nearest to neutrality.
    """
    if "neutral_energy" not in dataset:
        raise fail("dataset", "one of `hofstadter.strong_coupling` with `neutral`", sorted(map(str, dataset)))
    row = _row(dataset, filling)
    length = dataset["transfer_length"].values
    with _style.style():
        ax = _style.new_axes(ax, (4.6, 4.2))
        looks: tuple[tuple[str, str, dict[str, Any]], ...] = (
            ("within a valley", ELECTRON, {"marker": "o", "markersize": 5.5, "markerfacecolor": "none"}),
            ("between valleys", NEUTRAL, {"marker": ".", "markersize": 4.0}),
        )
        for number, (name, color, look) in enumerate(looks):
            energy = row["neutral_energy"].isel(pair=number).transpose("momentum", "mode").values
            points = ax.plot(length, energy, color=color, linestyle="none", **look)
            points[0].set_label(name)
        ax.axhline(0.0, color=_style.HATCH, linewidth=0.8, zorder=0.5)
        unit = dataset.attrs.get("length_unit", "")
        ax.set_xlabel(f"|Q| (1/{unit})" if unit else "|Q|")
        ax.set_ylabel(_style.energy_label(dataset))
        ax.set_title(_title(dataset, row), fontsize=10.0)
        ax.legend()
    return ax


def reentrant_fan(dataset: xr.Dataset, ax: Axes | None = None, *, reach: float = REACH) -> Axes:
    """Draw the predicted lines of gaps around the flux that insulators are exact at.

    Lines of an insulator that is not stable are dotted: they are no prediction.

    Args:
        dataset: A dataset of `hofstadter.strong_coupling`.
        ax: Axes to draw on; by default those of a new figure.
        reach: How far the flux goes to both sides, in flux quanta per cell.
    """
    if "line_t" not in dataset:
        raise fail("dataset", "one of `hofstadter.strong_coupling`", sorted(map(str, dataset)))
    if not reach > 0:
        raise fail("reach", "positive", reach)
    numerator, _, denominator = str(dataset.attrs["flux"]).partition("/")
    center = int(numerator) / int(denominator or 1)
    columns = {
        name: dataset[f"line_{name}"].values for name in ("filling", "side", "charge", "step", "s", "t", "status")
    }
    stable = columns["status"] != Status.UNSTABLE
    steps = max(1, int(np.max(columns["step"], initial=1)))
    with _style.style():
        ax = _style.new_axes(ax, (6.4, 5.0))
        for number in range(len(columns["t"])):
            flux = np.array([center, center + columns["side"][number] * reach])
            ax.plot(
                columns["s"][number] + columns["t"][number] * flux,
                flux,
                color={1: ELECTRON, -1: HOLE, 0: NEUTRAL}[int(columns["charge"][number])],
                linewidth=2.0 if columns["step"][number] == 0 else 1.6 - 1.0 * columns["step"][number] / steps,
                linestyle="-" if stable[number] else (0, (1, 2)),
                alpha=1.0 if stable[number] else 0.6,
            )
        for name, color, style in (
            ("insulators", NEUTRAL, "-"),
            ("electrons added", ELECTRON, "-"),
            ("holes added", HOLE, "-"),
            *([] if stable.all() else [("not stable", _style.HATCH, (0, (1, 2)))]),
        ):
            ax.plot([], [], color=color, linestyle=style, linewidth=1.6, label=name)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.11), ncols=4)
        _name_lines(ax, columns, center, reach, stable)
        ax.axhline(center, color=_style.HATCH, linewidth=0.6, zorder=0.5)
        ax.set_ylim(center - reach, center + reach)
        ax.set_xlabel("electrons per cell from neutrality")
        ax.set_ylabel("flux per cell Φ/Φ₀")
        if "tesla_per_quantum" in dataset.attrs:
            unit = float(dataset.attrs["tesla_per_quantum"])
            to_tesla, to_flux = (lambda x: np.asarray(x) * unit), (lambda x: np.asarray(x) / unit)
            tesla = ax.secondary_yaxis("right", functions=(to_tesla, to_flux))
            tesla.set_ylabel("magnetic field (T)")
    return ax


def _name_lines(ax: Axes, columns: dict[str, np.ndarray], center: float, reach: float, stable: np.ndarray) -> None:
    """The slopes of the stable lines at the top of the picture, where two of them do not fall together."""
    placed: list[float] = []
    order = np.lexsort((columns["step"], np.abs(columns["filling"])))
    top = [number for number in order if columns["side"][number] > 0 and stable[number]]
    width = np.ptp(ax.get_xlim())
    for number in top:
        x = float(columns["s"][number] + columns["t"][number] * (center + reach))
        if all(abs(x - other) > 0.03 * width for other in placed):
            placed.append(x)
            text = f"({columns['s'][number]:g}, {columns['t'][number]:g})".replace("-", "−")
            ax.annotate(
                text,
                (x, center + reach),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                va="bottom",
                rotation=90,
                fontsize=6.5,
                annotation_clip=False,
            )


def _row(dataset: xr.Dataset, filling: int | float | None) -> xr.Dataset:
    listed = dataset["filling"].values
    wanted = listed[np.argmin(np.abs(listed))] if filling is None else filling
    found = np.flatnonzero(np.isclose(listed, wanted))
    if not found.size:
        raise fail("filling", f"one of {listed.tolist()}", filling)
    return dataset.isel(filling=int(found[0]))


def _title(dataset: xr.Dataset, row: xr.Dataset) -> str:
    verdict = ", not stable" if int(row["status"]) == Status.UNSTABLE else ""
    return f"{_style.flux_title(dataset)}, ν = {row['filling'].item():+g}{verdict}".replace("-", "−").replace("+0", "0")
