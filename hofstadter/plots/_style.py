"""What all pictures share: fonts and lines, the colors of Chern numbers, the flux axis, and `save`."""

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap, ListedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter

from hofstadter._checks import as_integer
from hofstadter.plots._table import Table

INK = "#16161a"
"""Bands, axes and text."""

NEUTRAL = "#d9d9dd"
"""Gaps with t = 0."""

NEUTRAL_LINE = "#a8a8b0"
"""Bands with C = 0."""

UNKNOWN = "#f6f6f7"
"""Gaps without a label; they are hatched as well, in the color `HATCH`."""

HATCH = "#77777f"

LINE = "#1f4e8c"
"""Bands along a path."""

SURFACE = mpl.colormaps["viridis"]
"""Energies of band surfaces."""

SIGNED = mpl.colormaps["RdBu_r"]
"""Quantities of either sign, with white at zero."""

# Saturated next to zero, because the widest gaps have |t| = 1, and light far from it, where black bands lie
# dense.
_POSITIVE = ("#a50f2d", "#e2502f", "#f78f3a", "#fcc35d", "#fdeaa2")
_NEGATIVE = ("#16418c", "#2c83bf", "#45b4c9", "#8ad3c3", "#d3efcb")

_RC = {
    "font.size": 10.0,
    "axes.labelsize": 11.0,
    "axes.linewidth": 0.8,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "hatch.linewidth": 0.4,
    "figure.dpi": 110.0,
    "figure.constrained_layout.use": True,
}

_TICKS = {"direction": "out", "length": 3.5, "width": 0.8, "color": INK, "labelcolor": INK, "labelsize": 10.0}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw with the package's fonts and lines, and leave the caller's `rcParams` alone."""
    with mpl.rc_context(cast(Any, _RC)):
        yield
        # The first figure of a notebook makes the backend interactive, which must outlive this context.
        interactive = mpl.is_interactive()
    mpl.interactive(interactive)


def new_axes(ax: Axes | None, size: tuple[float, float], **subplot: Any) -> Axes:
    """Return `ax`, or the axes of a new figure of `size` inches. Call inside `style`.

    Args:
        ax: Axes that the caller brings, or None.
        size: Width and height in inches of a new figure.
        **subplot: Properties of new axes, such as `projection`.
    """
    axes = cast(Axes, plt.figure(figsize=size).add_subplot(**subplot)) if ax is None else ax
    # Ticks are created when the figure is drawn, after `style` has ended, so their look is stored in the
    # axes.
    axes.tick_params(**_TICKS)
    return axes


class ChernColors:
    """One color per gap Chern number t = −max_chern … max_chern; beyond that the end colors repeat.

    Args:
        max_chern: Largest |t| with a color of its own, at least 1.
        neutral: The color of t = 0.
    """

    def __init__(self, max_chern: int, neutral: str = NEUTRAL):
        """Take `max_chern` colors of either sign."""
        self.max_chern = as_integer("max_chern", max_chern, minimum=1)
        negative, positive = _shades(_NEGATIVE, self.max_chern), _shades(_POSITIVE, self.max_chern)
        shades = ListedColormap([*negative[::-1], to_rgba(neutral), *positive], name="gap_chern")
        self.cmap = shades.with_extremes(bad=UNKNOWN)
        self.norm = BoundaryNorm(np.arange(-self.max_chern - 0.5, self.max_chern + 1), self.cmap.N)

    def __call__(self, chern: Any) -> np.ndarray:
        """One RGBA row for each t; NaN gets the color of gaps without a label."""
        chern = np.clip(np.atleast_1d(np.asarray(chern, float)), -self.max_chern, self.max_chern)
        return self.cmap(self.norm(np.ma.masked_invalid(chern)))

    def colorbar(self, ax: Axes, chern: np.ndarray, *, label: str = "gap Chern number t") -> None:
        """Draw the key of colors beside `ax`.

        Args:
            ax: Axes that it takes its room from.
            chern: All t of the picture: an arrow shows if some lie beyond the colors.
            label: What the numbers are.
        """
        beyond = bool((chern < -self.max_chern).any()), bool((chern > self.max_chern).any())
        extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
        norm = BoundaryNorm(self.norm.boundaries, self.cmap.N)
        cmap = self.cmap.with_extremes(under=self.cmap(0), over=self.cmap(self.cmap.N - 1))
        figure = cast(Figure, ax.figure)
        bar = figure.colorbar(
            ScalarMappable(norm, cmap),
            ax=ax,
            extend=extend[beyond],
            extendfrac=0.035,
            aspect=32,
            pad=0.02,
        )
        step = -(-self.max_chern // 10)
        top = self.max_chern // step * step
        ticks = range(-top, top + 1, step)
        bar.set_ticks(list(ticks), labels=[f"{t:+d}".replace("-", "−") if t else "0" for t in ticks])
        bar.ax.minorticks_off()
        bar.ax.tick_params(**{**_TICKS, "length": 0.0})
        bar.set_label(label)
        cast(Any, bar.outline).set_linewidth(0.8)


def _shades(anchors: tuple[str, ...], count: int) -> np.ndarray:
    """`count` colors from the first anchor on; few colors stay clear of the palest."""
    last = min(1.0, max(count - 1, 0) / (len(anchors) - 1))
    return LinearSegmentedColormap.from_list("", anchors)(np.linspace(0, last, count))


def chern_colors(max_chern: int | None, chern: np.ndarray, area: np.ndarray) -> ChernColors:
    """The colors that the caller asks for, or else those that suit the gaps; see `choose_max_chern`."""
    return ChernColors(choose_max_chern(chern, area) if max_chern is None else max_chern)


def choose_max_chern(chern: np.ndarray, area: np.ndarray, *, limit: int = 6) -> int:
    """The smallest |t| that colors 96 % of the labelled area, between 1 and `limit`.

    Args:
        chern: t of each gap, NaN if unknown.
        area: What each gap covers of the picture.
        limit: Largest answer: more colors than this cannot be told apart.
    """
    known = np.isfinite(chern) & (area > 0)
    if not known.any():
        return 1
    size = np.abs(chern[known]).astype(int)
    share = np.cumsum(np.bincount(size, weights=area[known])) / area[known].sum()
    return int(np.clip(np.searchsorted(share, 0.96 - 1e-12), 1, limit))


def legend_unknown(ax: Axes, handle: Artist, count: int) -> None:
    """Explain above the axes, clear of a title, how gaps without a label look, and how many there are."""
    label = f"no label ({count} {'gap' if count == 1 else 'gaps'})"
    ax.legend([handle], [label], loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def energy_label(dataset: xr.Dataset) -> str:
    """The axis label "energy (unit)"."""
    unit = dataset.attrs.get("energy_unit", "")
    return f"energy ({unit})" if unit else "energy"


def flux_title(dataset: xr.Dataset) -> str:
    """The title "Φ/Φ₀ = p/q" of a picture at one flux."""
    return f"Φ/Φ₀ = {str(dataset.attrs.get('flux', '?')).removesuffix('/1')}".replace("-", "−")


def group_name(dataset: xr.Dataset) -> str:
    """The name "bands 0 … 2" of a dataset's group of bands, empty if it has none.

    Of a continuum model, bands are counted from its reference: −1 is the first one below it.
    """
    first, last = dataset.attrs.get("bands_from_reference", dataset.attrs.get("bands", (None, None)))
    if first is None:
        return ""
    group = f"band {first}" if last == first + 1 else f"bands {first} … {last - 1}"
    reference = dataset.attrs.get("reference", "bottom")
    return group.replace("-", "−") + ("" if reference == "bottom" else f" from {reference}")


def set_flux_axis(ax: Axes, table: Table) -> None:
    """Limits, label and ticks of a flux axis along x: ticks at few fluxes, else at simple fractions."""
    low, high = table.cells.min(), table.cells.max()
    margin = 0.05 * (high - low) if table.alone.all() else 0.0
    ax.set_xlim(low - margin, high + margin)
    ax.set_xlabel("flux per cell Φ/Φ₀")
    span = high - low
    if table.alone.all() and table.flux.size <= 8:
        ticks = [Fraction(int(p), int(q)) for p, q in zip(table.p, table.q, strict=True)]
    elif 0.45 <= span <= 4.01:
        denominators = (1, 2, 3, 4) if span <= 1.05 else (1, 2)
        whole = range(int(np.floor(low)) * 12, int(np.ceil(high)) * 12 + 1)
        fractions = (Fraction(n, 12) for n in whole)
        ticks = [x for x in fractions if x.denominator in denominators and low - 1e-9 <= x <= high + 1e-9]
    else:
        return
    ax.xaxis.set_major_locator(FixedLocator([float(x) for x in ticks]))
    ax.xaxis.set_major_formatter(FuncFormatter(_fraction))


def _fraction(x: float, _: Any = None) -> str:
    return str(Fraction(x).limit_denominator(10_000)).replace("-", "−")


def save(ax: Axes, path: str | Path, *, dpi: int = 300) -> Path:
    """Write the figure of `ax` to a file that depends on the picture alone: no dates and no random names.

    Args:
        ax: Any axes of the figure.
        path: Where to; the suffix chooses the format (png, pdf, svg).
        dpi: Dots per inch.

    Returns:
        The path.
    """
    path = Path(path)
    unset: dict[str, dict[str, None]] = {
        ".png": {"Software": None},
        ".pdf": {"Creator": None, "Producer": None, "CreationDate": None},
        ".svg": {"Creator": None, "Date": None},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "hofstadter"}):
        figure = cast(Figure, ax.get_figure(root=True))
        figure.savefig(path, dpi=dpi, bbox_inches="tight", metadata=cast(Any, unset.get(path.suffix.lower())))
    return path
