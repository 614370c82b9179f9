"""Gaps of many fluxes sorted into the straight lines n = s + t φ that they lie on, and lines that were measured."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from hofstadter._checks import check_finite, fail
from hofstadter.errors import Status

# Labels are multiples of this, however many flavors add up: half-integers for a single Dirac cone.
FRACTION = 1e-6


def gap_lines(dataset: xr.Dataset, *, min_gap: float = 0.0, min_fluxes: int = 1) -> xr.Dataset:
    """Every line (s, t) of a fan or a butterfly, with the gap along it.

    The labels are those of each flux by itself, so a line needs no guess of which gap continues which.

    Args:
        dataset: From `landau_fan` or `butterfly`.
        min_gap: Lines whose largest gap is not above this are left out.
        min_fluxes: Lines with a gap at fewer fluxes are left out.

    Returns:
        Dataset with dims (line, flux), lines sorted by their largest gap: `gap`, its `lower` and `upper` edge, and
        `density` = s + t φ, all NaN but for `density` where the line has no gap; over (line) `s`, `t`, `largest_gap`,
        `first_flux` and `last_flux` with a gap, and `fluxes`, how many these are. Coordinates as those of `dataset`.
    """
    known = dataset["status"].values == int(Status.OK)
    flux_number, slot = np.nonzero(known)
    labels = np.stack([dataset[name].values[known] for name in ("s", "t")], axis=1)
    lines, member = np.unique(np.round(labels / FRACTION).astype(np.int64), axis=0, return_inverse=True)
    shape = len(lines), dataset.sizes["flux"]
    columns = {}
    for name, source in (("gap", "size"), ("lower", "lower"), ("upper", "upper")):
        table = np.full(shape, np.nan)
        table[member.reshape(-1), flux_number] = dataset[source].values[flux_number, slot]
        columns[name] = table
    s, t = lines.T * FRACTION if len(lines) else np.zeros((2, 0))
    flux = dataset["flux"].values
    there = np.isfinite(columns["gap"])
    largest = np.max(np.where(there, columns["gap"], -np.inf), axis=1, initial=-np.inf)
    count = there.sum(axis=1)
    keep = np.flatnonzero((largest > min_gap) & (count >= min_fluxes))
    keep = keep[np.argsort(-largest[keep], kind="stable")]
    span = np.where(there, flux, np.nan)[keep]
    result = xr.Dataset(
        {name: (("line", "flux"), table[keep]) for name, table in columns.items()},
        coords={name: dataset[name] for name in ("flux", "p", "q", "field_tesla") if name in dataset.coords},
        attrs=dataset.attrs,
    )
    s, t = s[keep], t[keep]
    return result.assign(
        density=(("line", "flux"), s[:, None] + t[:, None] * flux),
        s=("line", s),
        t=("line", t),
        largest_gap=("line", largest[keep]),
        first_flux=("line", np.nanmin(span, axis=1) if len(keep) else np.zeros(0)),
        last_flux=("line", np.nanmax(span, axis=1) if len(keep) else np.zeros(0)),
        fluxes=("line", count[keep]),
    )


def compare_lines(lines: xr.Dataset, observed: Sequence[Any], *, min_gap: float = 0.0) -> xr.Dataset:
    """What a model says about lines that were measured, and which of its lines were not.

    Args:
        lines: From `gap_lines`.
        observed: Entries (s, t, (lowest, highest)): a line and the range where it was seen, in tesla where `lines` has
            `field_tesla`, else in flux quanta per cell.
        min_gap: Smallest gap that would have been seen.

    Returns:
        Dataset with dim (observed): `s`, `t`, `first`, `last`; `explained`, the part of the fluxes of `lines` in that
        range where the model has the gap (NaN where there are no such fluxes); `smallest_gap` and `largest_gap` there;
        `line`, its number in `lines` or −1. With dim (unseen): `unseen_line`, the numbers of the model's lines that
        were not observed at all.

    Raises:
        ValueError: If an entry is not of that form, or its range is empty.
    """
    axis = lines["field_tesla" if "field_tesla" in lines.coords else "flux"].values
    labels = np.stack([lines["s"].values, lines["t"].values], axis=1)
    rows, seen = [], set()
    for number, entry in enumerate(observed):
        where = f"observed[{number}]"
        try:
            s, t, (first, last) = entry
        except (TypeError, ValueError):
            raise fail(where, "(s, t, (lowest, highest))", repr(entry)) from None
        check_finite(where, [s, t, first, last])
        if not first <= last:
            raise fail(where, "given with a range from the lowest to the highest field", [first, last])
        match = np.flatnonzero(np.all(np.abs(labels - [s, t]) < 10 * FRACTION, axis=1))
        inside = (axis >= first) & (axis <= last)
        line = int(match[0]) if match.size else -1
        seen.add(line)
        gap = np.where(inside, lines["gap"].values[line], np.nan) if line >= 0 else np.full(len(axis), np.nan)
        open_ = gap > min_gap
        rows.append(
            {
                "s": float(s),
                "t": float(t),
                "first": float(first),
                "last": float(last),
                "explained": open_.sum() / inside.sum() if inside.any() else math.nan,
                "smallest_gap": float(gap[open_].min()) if open_.any() else math.nan,
                "largest_gap": float(gap[open_].max()) if open_.any() else math.nan,
                "line": line,
            }
        )
    names = rows[0] if rows else ()
    wide = lines["largest_gap"].values > min_gap
    unseen = [line for line in range(len(labels)) if line not in seen and wide[line]]
    return xr.Dataset(
        {
            **{name: ("observed", [row[name] for row in rows]) for name in names},
            "unseen_line": ("unseen", np.array(unseen, int)),
        }
    )
