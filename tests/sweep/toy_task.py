"""A stand-in for the butterfly with the same dataset, whose numbers follow from p, q and the model alone.

Environment variables drive it, also from another process: TOY_LOG is a file that gets a line "p/q strength"
per computed flux; TOY_SECONDS the time per flux; TOY_FAIL a denominator that raises an exception; TOY_UNIT
the largest unit; TOY_FILE_LIMIT a size in bytes that no file may exceed after the first unit, or after TOY_LIMIT_AFTER
units; TOY_OFF leaves the real butterfly in its place.
"""

import dataclasses
import os
import resource
import time

import numpy as np
import xarray as xr

from hofstadter.errors import Status
from hofstadter.tasks.registry import TASKS

GAP_VARIABLES = ("lower", "upper", "size", "density", "s", "t", "bands_below")


computed_units = 0


def compute(model, parameters, points, *, memory_gb, progress):
    global computed_units
    computed_units += 1
    if computed_units > int(os.environ.get("TOY_LIMIT_AFTER", "1")) and "TOY_FILE_LIMIT" in os.environ:
        limit = int(os.environ["TOY_FILE_LIMIT"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    bands = max(flux.q for flux in points) * model.orbitals
    edges = np.full((2, len(points), bands), np.nan)
    gaps = {name: np.full((len(points), bands - 1), np.nan) for name in GAP_VARIABLES}
    status = np.full((len(points), bands - 1), int(Status.ABSENT))
    strength = float(np.abs(np.asarray(model.amplitudes)).sum())
    for row, flux in enumerate(points):
        if str(flux.q) == os.environ.get("TOY_FAIL"):
            raise ArithmeticError(f"no solution at\nflux {flux}")
        time.sleep(float(os.environ.get("TOY_SECONDS", "0")))
        n = flux.q * model.orbitals
        band = np.arange(n)
        edges[0, row, :n] = 2 * band + np.sin(strength * band + flux.p / flux.q)
        edges[1, row, :n] = edges[0, row, :n] + 0.1
        gaps["lower"][row, : n - 1] = edges[1, row, : n - 1]
        gaps["upper"][row, : n - 1] = edges[0, row, 1:n]
        gaps["size"][row] = gaps["upper"][row] - gaps["lower"][row]
        gaps["bands_below"][row, : n - 1] = band[1:]
        gaps["density"][row, : n - 1] = band[1:] / flux.q
        gaps["t"][row, : n - 1] = 1
        gaps["s"][row, : n - 1] = (band[1:] - flux.p) / flux.q
        status[row, : n - 1] = 0
        if "TOY_LOG" in os.environ:
            with open(os.environ["TOY_LOG"], "a") as log:
                log.write(f"{flux} {strength:.6f}\n")
        if progress is not None:
            progress(1)
    return xr.Dataset(
        {
            "band_lower": (("flux", "band"), edges[0], {"units": "t"}),
            "band_upper": (("flux", "band"), edges[1], {"units": "t"}),
            **{name: (("flux", "gap"), values) for name, values in gaps.items()},
            "status": (("flux", "gap"), status),
            "edge_status": (("flux",), np.zeros(len(points), int)),
        },
        coords={
            "flux": [float(flux) for flux in points],
            "p": ("flux", [flux.p for flux in points]),
            "q": ("flux", [flux.q for flux in points]),
        },
        attrs={"energy_unit": "meV"},
    )


TOY = dataclasses.replace(TASKS["butterfly"], compute=compute, matrices=lambda *_: 40)


def install() -> None:
    """Put the toy in the place of the butterfly, in this process."""
    from hofstadter.sweep import plan

    if "TOY_OFF" not in os.environ:
        TASKS["butterfly"] = TOY
    plan.LARGEST_UNIT = int(os.environ.get("TOY_UNIT", "4"))


def main(arguments: list[str] | None = None) -> None:
    """The command line with the toy in the place of the butterfly."""
    from hofstadter.cli.main import main as command_line

    install()
    command_line(arguments)


if __name__ == "__main__":
    main()
elif __name__ == "__mp_main__":  # a worker process of the above
    install()
