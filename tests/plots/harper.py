"""The square butterfly by NumPy alone, as a dataset: Harper matrices, and labels in the window |t| ≤ q/2."""

import numpy as np
import xarray as xr

OK, GAP_CLOSED, ABSENT = 0, 4, 8


def edges(p: int, q: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper edges of the q bands; the extremes lie at q k = (0, 0) and (π, π)."""
    levels = []
    for turns in (0.0, 0.5):
        h = np.zeros((q, q), complex)
        for m in range(q):
            h[m, m] -= 2 * np.cos(2 * np.pi * (p * m + turns) / q)
            h[(m + 1) % q, m] -= np.exp(2j * np.pi * turns / q)
            h[m, (m + 1) % q] -= np.exp(-2j * np.pi * turns / q)
        levels.append(np.linalg.eigvalsh(h))
    return np.min(levels, axis=0), np.max(levels, axis=0)


def label(p: int, q: int, below: int) -> tuple[int, int]:
    """The solution (s, t) of below = s q + t p with the smallest |t|."""
    t = min((t for t in range(-q, q + 1) if (below - t * p) % q == 0), key=abs)
    return (below - t * p) // q, t


def butterfly(fluxes: list[tuple[int, int]]) -> xr.Dataset:
    """Bands and labelled gaps at the fluxes (p, q), in their order."""
    count, bands = len(fluxes), max(q for _, q in fluxes)
    gaps = max(bands - 1, 1)
    band_lower, band_upper = np.full((2, count, bands), np.nan)
    lower, upper, density, s, t = np.full((5, count, gaps), np.nan)
    below, status = np.zeros((count, gaps), int), np.full((count, gaps), ABSENT)
    for i, (p, q) in enumerate(fluxes):
        band_lower[i, :q], band_upper[i, :q] = edges(p, q)
        for r in range(1, q):
            lower[i, r - 1], upper[i, r - 1] = band_upper[i, r - 1], band_lower[i, r]
            below[i, r - 1], density[i, r - 1] = r, r / q
            closed = upper[i, r - 1] - lower[i, r - 1] < 1e-9
            status[i, r - 1] = GAP_CLOSED if closed else OK
            if not closed:
                s[i, r - 1], t[i, r - 1] = label(p, q, r)
    arrays = {"lower": lower, "upper": upper, "size": upper - lower, "density": density, "s": s, "t": t}
    arrays |= {"bands_below": below, "status": status}
    return xr.Dataset(
        {name: (("flux", "gap"), array) for name, array in arrays.items()}
        | {"band_lower": (("flux", "band"), band_lower), "band_upper": (("flux", "band"), band_upper)}
        | {"edge_status": ("flux", np.zeros(count, int))},
        coords={
            "flux": [p / q for p, q in fluxes],
            "p": ("flux", [p for p, _ in fluxes]),
            "q": ("flux", [q for _, q in fluxes]),
        },
        attrs={"model": "square", "orbitals": 1, "energy_unit": "t"},
    )


def farey(order: int, low: int = 0, high: int = 1) -> list[tuple[int, int]]:
    """All reduced fractions with denominators up to `order`, ascending."""
    pairs = [(p, q) for q in range(1, order + 1) for p in range(low * q, high * q + 1) if np.gcd(p, q) == 1]
    return sorted(pairs, key=lambda pair: pair[0] / pair[1])


def without_labels(data: xr.Dataset, where: xr.DataArray) -> xr.Dataset:
    """The dataset with labels removed where a mask (flux, gap) is true."""
    return data.assign(s=data["s"].where(~where), t=data["t"].where(~where), status=data["status"].where(~where, 6))
