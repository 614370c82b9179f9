"""The Landau fan that insulators of filled flavors predict around the flux they are exact at.

Away from that flux φ0, |φ − φ0| flux quanta per cell act on the charges that are added to an insulator: near its lowest
excitations they are particles with an effective mass, whose Landau levels hold |φ − φ0| electrons per cell
each, as many times as the edge is degenerate. So gaps lie at

    ν = ν0 + t0 (φ − φ0) ± j g |φ − φ0|,   j = 0, 1, 2 …,

with g the degeneracy of the edge and + for electrons, − for holes; at j = 0 stands the insulator, whose slope t0
is the Chern number of its filled flavors, counted from the neutral state. This is the prediction of exact states for
weak fields δφ, with interactions between added charges and Zeeman energies left out. Whether it agrees with the tables
of Herzog-Arbeitman et al. (arXiv:2111.11434) and with experiments has not been verified here.
"""

from collections.abc import Sequence
from typing import NamedTuple

from hofstadter._checks import as_integer
from hofstadter.errors import Status
from hofstadter.interactions.charge_edges import ChargeGap


class FanLine(NamedTuple):
    """A line of gaps ν = s + t φ on one side of the flux that the insulators are exact at.

    Attributes:
        filling: The filling ν0 of the insulator that the line starts from.
        side: +1 above that flux, −1 below.
        charge: +1 for added electrons, −1 for holes, 0 for the insulator itself.
        step: How many degenerate Landau levels are filled.
        s: Filling at zero flux of the line, drawn on.
        t: Its slope, the gap Chern number.
        status: That of the insulator; lines of one that is UNSTABLE are not predictions.
    """

    filling: float
    side: int
    charge: int
    step: int
    s: float
    t: float
    status: Status


def fan_lines(gaps: Sequence[ChargeGap], *, flux: float = 1.0, chern: float = 0.0, steps: int = 4) -> list[FanLine]:
    """Lines of the insulators, and of the Landau levels of charges added to them.

    Args:
        gaps: The insulators, by `charge_gaps`.
        flux: The flux φ0 that they are exact at.
        chern: Chern number of the group of bands, with the sign of dn/dφ, the same for all flavors.
        steps: Landau levels on each side, g-fold ones.
    """
    steps = as_integer("steps", steps, minimum=0)
    lines = []
    for gap in gaps:
        # The neutral state has no slope: what lies below the group takes half of its Chern number back per flavor.
        own = chern * gap.flavors_from_half
        for side in (1, -1):
            for charge, count in ((0, 1), (1, steps), (-1, steps)):
                edge = gap.electron if charge > 0 else gap.hole
                if charge and edge.degeneracy == 0:
                    continue
                for step in range(1, count + 1):
                    t = own + (side * charge * step * edge.degeneracy if charge else 0)
                    number = step if charge else 0
                    lines.append(FanLine(gap.filling, side, charge, number, gap.filling - t * flux, t, gap.status))
    return lines
