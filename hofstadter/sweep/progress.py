"""How far a run is: a bar for its terminal, its lock for other shells, and a log."""

import dataclasses
import logging
import time
from typing import Any

from tqdm import tqdm

from hofstadter.io.lock import Lock

BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed} passed, {remaining} left{postfix}"
# How often other shells are told, at most.
SECONDS_BETWEEN_NOTES = 1.0


@dataclasses.dataclass(frozen=True)
class Amounts:
    """How much there is, or was done, of everything that progress is measured by.

    Attributes:
        work: Guessed work, in microseconds.
        points: Points.
        units: Units.
    """

    work: int = 0
    points: int = 0
    units: int = 0

    def plus(self, other: "Amounts") -> "Amounts":
        """The sum."""
        return Amounts(self.work + other.work, self.points + other.points, self.units + other.units)


class Progress:
    """Progress of one run; a context that shows the bar."""

    def __init__(self, name: str, total: Amounts, before: Amounts, lock: Lock, quiet: bool):
        """Begin.

        Args:
            name: What the bar is called.
            total: Everything there is to do.
            before: What earlier runs did.
            lock: Of the store.
            quiet: Whether to show no bar.
        """
        self._total, self._before, self._lock = total, before, lock
        self._now, self._failed, self._programs = Amounts(), 0, 0
        self._start = self._told = time.monotonic()
        self._bar = tqdm(total=total.work, initial=before.work, disable=quiet, bar_format=BAR, desc=name)

    def __enter__(self) -> "Progress":
        """Show the bar."""
        self._tell()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def meter(self, amounts: Amounts) -> "Meter":
        """What moves the bar by one call, however its points are reported."""
        return Meter(self, amounts)

    def advance(self, work: int, points: int) -> None:
        """Go on in the middle of a unit."""
        self._now = self._now.plus(Amounts(work, points))
        self._bar.update(work)
        if time.monotonic() - self._told > SECONDS_BETWEEN_NOTES:
            self._tell()

    def finish_unit(self, failed: bool, programs: int) -> None:
        """Count a unit that was saved."""
        self._now = self._now.plus(Amounts(units=1))
        self._failed += failed
        self._programs += programs

    def numbers(self) -> dict[str, Any]:
        """Where the run is, as plain data: units and points of all runs, rate and time left of this one."""
        seconds = max(time.monotonic() - self._start, 1e-9)
        left = self._total.work - self._before.work - self._now.work
        return {
            "units": self._before.units + self._now.units,
            "of_units": self._total.units,
            "points": self._before.points + self._now.points,
            "of_points": self._total.points,
            "failed_units": self._failed,
            "programs": self._programs,
            "seconds": round(seconds, 3),
            "points_per_second": round(self._now.points / seconds, 3),
            "seconds_left": round(left * seconds / self._now.work, 1) if self._now.work else None,
        }

    def _tell(self) -> None:
        self._told = time.monotonic()
        numbers = self.numbers()
        if self._now.points:
            self._bar.set_postfix_str(f"{numbers['points_per_second']:.3g} points/s", refresh=False)
        self._lock.tell(numbers)


class Meter:
    """Moves the bar by the work of one call."""

    def __init__(self, progress: Progress, amounts: Amounts):
        """Begin at nothing."""
        self._progress, self._amounts, self._done = progress, amounts, 0

    def advance(self, points: int) -> None:
        """So many points more are finished."""
        work, total = self._amounts.work, self._amounts.points
        before, self._done = self._done, min(self._done + points, total)
        self._progress.advance(work * self._done // total - work * before // total, self._done - before)

    def finish(self) -> None:
        """All points are finished."""
        self.advance(self._amounts.points)


def tell(log: logging.Logger, event: str, **data: Any) -> None:
    """Log an event with data; `JsonLines` writes both."""
    log.info("%s %s", event, data, extra={"event": event, "data": data})
