"""Rational flux per unit cell, exactly: `Flux(p, q)`, Farey lists and neighbours, fractions close to given numbers."""

import dataclasses
import functools
import math
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from hofstadter._checks import as_integer, check_finite, fail


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class Flux:
    """Magnetic flux through one primitive cell, p/q flux quanta h/e.

    Args:
        p: Numerator; any integer. Negative for a field along -z, above q for more than one quantum per cell.
        q: Denominator, at least 1. The magnetic cell is made of q primitive cells.

    Raises:
        ValueError: If q < 1, or if p and q have a common divisor.

    Examples:
        >>> Flux(1, 3)
        Flux(1, 3)
        >>> float(Flux(-3, 2))
        -1.5
    """

    p: int
    q: int = 1

    def __post_init__(self):
        """Normalize to Python integers and check that the fraction is reduced."""
        object.__setattr__(self, "p", as_integer("p", self.p))
        object.__setattr__(self, "q", as_integer("q", self.q, minimum=1))
        divisor = math.gcd(self.p, self.q)
        if divisor != 1:
            raise fail(
                "flux",
                "coprime",
                f"{self.p}/{self.q}",
                f"Write {self.p // divisor}/{self.q // divisor}: the magnetic cell then has "
                f"{self.q // divisor} primitive cells.",
            )

    @classmethod
    def of(cls, value: "FluxLike") -> "Flux":
        """Read a flux from a `Flux`, an `int`, a `Fraction`, a pair (p, q), or a string such as "1/3".

        Raises:
            ValueError: If the string is not of the form p/q, or p and q are not coprime.
            TypeError: If the value is a float: an irrational flux has no magnetic cell, so say which fraction is meant.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, Fraction):
            return cls(value.numerator, value.denominator)
        if isinstance(value, str):
            match = re.fullmatch(r"\s*([+-]?\d+)\s*(?:/\s*(\d+)\s*)?", value)
            if not match:
                raise fail("flux", 'a fraction written like "1/3"', repr(value))
            return cls(int(match[1]), int(match[2] or 1))
        if isinstance(value, tuple | list) and len(value) == 2:
            return cls(*value)
        if isinstance(value, float):
            nearest = Fraction(value).limit_denominator(100)
            raise TypeError(
                f"Argument `flux` must be an exact fraction, but is the float {value}. "
                f"Write Flux({nearest.numerator}, {nearest.denominator}) if that is what you mean."
            )
        return cls(as_integer("flux", value), 1)

    def __float__(self) -> float:
        """Return flux quanta per cell."""
        return self.p / self.q

    def __lt__(self, other: "Flux") -> bool:
        """Order by value."""
        return self.p * other.q < other.p * self.q

    def __repr__(self) -> str:
        """Show as a call."""
        return f"Flux({self.p}, {self.q})"

    def __str__(self) -> str:
        """Show as p/q, the form that run files use."""
        return f"{self.p}/{self.q}"


FluxLike = Flux | Fraction | str | int | tuple[int, int]


def as_fluxes(values: Iterable[FluxLike] | FluxLike) -> list[Flux]:
    """Read a list of fluxes, or a single one; an empty list is an error."""
    if isinstance(values, Flux | Fraction | str | float) or not isinstance(values, Iterable):
        values = [values]
    fluxes = [Flux.of(value) for value in values]
    if not fluxes:
        raise fail("fluxes", "a list with at least one flux", "empty")
    return fluxes


def farey(max_denominator: int, low: int = 0, high: int = 1) -> list[Flux]:
    """All reduced fractions p/q with q ≤ `max_denominator` in [low, high], ascending.

    Args:
        max_denominator: Largest q.
        low: Smallest flux, an integer.
        high: Largest flux, an integer above `low`.

    Returns:
        The Farey sequence; consecutive members satisfy p'q − pq' = 1.
    """
    order = as_integer("max_denominator", max_denominator, minimum=1)
    low, high = as_integer("low", low), as_integer("high", high)
    if high <= low:
        raise fail("high", f"above low = {low}", high)
    fluxes = []
    a, b, c, d = low, 1, low * order + 1, order
    while Fraction(a, b) <= high:
        fluxes.append(Flux(a, b))
        step = (order + b) // d
        a, b, c, d = c, d, step * c - a, step * d - b
    return fluxes


def farey_neighbors(flux: Flux, min_denominator: int) -> tuple[Flux, Flux]:
    """The fluxes p'/q' next to p/q on the left and right with |p'q − pq'| = 1 and the smallest q' ≥ `min_denominator`.

    Their distance from p/q is exactly 1/(q q'), so two integrated densities r/q and r'/q' in the same gap
    give an integer Středa slope t = ±(r'q − rq').
    """
    p, q = flux.p, flux.q
    result = []
    for side in (-1, 1):
        # p'q - pq' = side  =>  q' = -side / p mod q
        denominator = (-side * pow(p, -1, q)) % q if q > 1 else 1
        denominator = denominator or q
        if denominator < min_denominator:
            denominator += -(-(min_denominator - denominator) // q) * q
        result.append(Flux((side + p * denominator) // q, denominator))
    return result[0], result[1]


def simplest_flux(low: float | Fraction, high: float | Fraction) -> Flux:
    """The fraction with the smallest denominator in the closed interval, and of those the one closest to zero.

    Raises:
        ValueError: If the interval is empty.
    """
    low, high = Fraction(low), Fraction(high)
    if low > high:
        raise fail("high", f"at least low = {float(low)}", float(high))
    if low <= 0 <= high:
        return Flux(0, 1)
    if high < 0:
        mirrored = simplest_flux(-high, -low)
        return Flux(-mirrored.p, mirrored.q)
    # The two ends share the first terms of their continued fractions, and so does the answer.
    terms = []
    while True:
        whole = math.ceil(low)
        if whole <= high:
            terms.append(whole)
            break
        whole -= 1
        terms.append(whole)
        low, high = 1 / (high - whole), 1 / (low - whole)
    result = Fraction(terms.pop())
    while terms:
        result = terms.pop() + 1 / result
    return Flux(result.numerator, result.denominator)


def fluxes_near(
    values: Sequence[float] | np.ndarray, tolerance: float = 0.25, max_denominator: int | None = None
) -> list[Flux]:
    """A simple fraction close to each of several fluxes, all different: an evenly spaced list stays nearly even.

    Args:
        values: Flux quanta per cell, ascending.
        tolerance: How far a fraction may lie from its value, as a part of the distance to the nearest other value
            (of a single value: of the value itself). Below one half. No denominator is above 1 / (2 × that distance),
            rounded up.
        max_denominator: Largest denominator to accept.

    Returns:
        For each value the fraction with the smallest denominator that is close enough.

    Raises:
        ValueError: If the values do not ascend, are not finite, or a fraction needs a larger denominator than allowed.
    """
    numbers = np.asarray(values, float)
    check_finite("values", numbers)
    if numbers.ndim != 1 or not numbers.size or np.any(np.diff(numbers) <= 0):
        raise fail("values", "a list of ascending numbers", values)
    if not 0 < tolerance < 0.5:
        raise fail("tolerance", "between 0 and 1/2", tolerance)
    steps = np.diff(numbers)
    room = np.minimum(np.append(steps, np.inf), np.append(np.inf, steps))
    radius = tolerance * np.where(np.isfinite(room), room, np.abs(numbers))
    fluxes = [
        simplest_flux(Fraction(x) - Fraction(r), Fraction(x) + Fraction(r))
        for x, r in zip(numbers.tolist(), radius.tolist(), strict=True)
    ]
    largest = max(fluxes, key=lambda flux: flux.q)
    if max_denominator is not None and largest.q > max_denominator:
        hint = f"The flux {float(largest):.6g} needs {largest}: allow for it, or ask for fewer or larger fluxes."
        raise fail("max_denominator", f"at least {largest.q}", max_denominator, hint)
    return fluxes
