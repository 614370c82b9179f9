"""Hermitian matrices with few elements, each an array over lanes, and the inertia of their elimination."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


class Site(NamedTuple):
    """Label of a row: which kind of place, how many cells behind the newest one, and the orbital."""

    kind: str
    age: int
    orbital: int


Lanes = Float[Array, "matrix #energy"]


class Complex(NamedTuple):
    """A complex number for every lane. XLA:CPU multiplies parts faster than complex numbers, and zeros are left out."""

    real: Lanes
    imag: Lanes

    def conj(self) -> "Complex":
        """Complex conjugate."""
        return Complex(self.real, -self.imag)

    def negative(self) -> "Complex":
        """The number times −1."""
        return Complex(-self.real, -self.imag)

    def plus(self, other: "Complex") -> "Complex":
        """Sum."""
        return Complex(self.real + other.real, self.imag + other.imag)

    def times(self, other: "Complex") -> "Complex":
        """Product."""
        real = self.real * other.real - self.imag * other.imag
        return Complex(real, self.real * other.imag + self.imag * other.real)

    def scaled(self, factor: Lanes) -> "Complex":
        """Product with a real number."""
        return Complex(self.real * factor, self.imag * factor)


Column = dict[Site, Complex]


class SparseHermitian(eqx.Module):
    """A Hermitian matrix for every lane (matrix, energy), with what elimination has learned so far.

    Attributes:
        diagonal: Diagonal elements by site.
        bonds: Elements (row, column) with row > column; those that are zero in all lanes may be missing.
        count: Negative pivots so far.
        growth: Largest change of a diagonal element so far.
    """

    diagonal: dict[Site, Float[Array, "matrix energy"]]
    bonds: dict[tuple[Site, Site], Complex]
    count: Int[Array, "matrix energy"]
    growth: Float[Array, "matrix energy"]

    @property
    def sites(self) -> list[Site]:
        """Labels of the rows."""
        return list(self.diagonal)

    def bond(self, row: Site, column: Site) -> Complex | None:
        """The element ⟨row|H|column⟩, None if it is zero in all lanes."""
        if row > column:
            return self.bonds.get((row, column))
        found = self.bonds.get((column, row))
        return None if found is None else found.conj()

    def with_site(self, site: Site, diagonal: Float[Array, "matrix energy"]) -> "SparseHermitian":
        """Add a site without bonds."""
        return SparseHermitian(self.diagonal | {site: diagonal}, self.bonds, self.count, self.growth)

    def with_bond(self, row: Site, column: Site, value: Complex) -> "SparseHermitian":
        """Add to an element ⟨row|H|column⟩."""
        if row < column:
            row, column, value = column, row, value.conj()
        if (row, column) in self.bonds:
            value = value.plus(self.bonds[row, column])
        return SparseHermitian(self.diagonal, self.bonds | {(row, column): value}, self.count, self.growth)

    def renamed(self, names: dict[Site, Site]) -> "SparseHermitian":
        """The same matrix with other labels; all elements exist afterwards, so that a loop can carry it."""
        new = {site: names.get(site, site) for site in sorted(self.sites)}
        result = SparseHermitian({new[site]: x for site, x in self.diagonal.items()}, {}, self.count, self.growth)
        zero = jnp.zeros_like(self.growth)
        for number, row in enumerate(new):
            for column in list(new)[:number]:
                value = self.bond(row, column)
                full = Complex(zero, zero) if value is None else Complex(zero + value.real, zero + value.imag)
                result = result.with_bond(new[row], new[column], full)
        return result

    def eliminate(self, sites: list[Site]) -> "SparseHermitian":
        """Schur complement of some sites, two at a time where they have a bond.

        Two sites are singular together for fewer energies than each alone: not at their own energies. A pivot closer to
        zero than eps^0.75 is moved there, its sign kept.
        """
        odd = len(sites) % 2
        matrix = self._eliminate_one(sites[0]) if odd else self
        for first, second in zip(sites[odd::2], sites[odd + 1 :: 2], strict=True):
            if matrix.bond(first, second) is None:
                matrix = matrix._eliminate_one(first)._eliminate_one(second)
            else:
                matrix = matrix._eliminate_pair(first, second)
        return matrix

    def _eliminate_one(self, site: Site) -> "SparseHermitian":
        pivot = self._floored(self.diagonal[site])
        column = self._column(site, [site])
        solution = _scaled(column, 1 / pivot)
        return self._complement([site], [(column, solution)], (pivot < 0).astype(jnp.int32))

    def _eliminate_pair(self, first: Site, second: Site) -> "SparseHermitian":
        bond, a, b = self.bond(first, second), self.diagonal[first], self.diagonal[second]
        assert bond is not None
        # Where the first site's own pivot is small, the state first + mixing × second goes first, in whose pivot
        # a + |mixing|² b + 2 Re(bond mixing) the last two add up. This changes neither the Schur complement nor the
        # number of negative pivots.
        length = jnp.abs(bond.real) + jnp.abs(bond.imag)
        mixing = bond.conj().scaled(jnp.where(jnp.abs(a) < length / 2, jnp.where(b < 0, -1, 1) / length, 0))
        mixed_bond = bond.plus(mixing.conj().scaled(b))
        twice = bond.plus(mixed_bond).times(mixing).real
        one = self._floored(a + twice)
        step = mixed_bond.scaled(1 / one)
        other = self._floored(b - (mixed_bond.real * step.real + mixed_bond.imag * step.imag))
        to_first, to_second = self._column(first, [first, second]), self._column(second, [first, second])
        to_one = _combined(to_first, mixing, to_second)
        to_other = _combined(to_second, step.negative(), to_one)
        solutions = [(to_one, _scaled(to_one, 1 / one)), (to_other, _scaled(to_other, 1 / other))]
        return self._complement([first, second], solutions, (one < 0).astype(jnp.int32) + (other < 0).astype(jnp.int32))

    def _floored(self, pivot: Float[Array, "matrix energy"]) -> Float[Array, "matrix energy"]:
        floor = jnp.finfo(pivot.dtype).eps ** 0.75
        return jnp.where(jnp.abs(pivot) < floor, jnp.where(pivot < 0, -floor, floor), pivot)

    def _column(self, site: Site, without: list[Site]) -> Column:
        """The elements below and above the diagonal of a column, but for some rows."""
        bonds = {row: self.bond(row, site) for row in self.sites if row not in without}
        return {row: value for row, value in bonds.items() if value is not None}

    def _complement(
        self, gone: list[Site], solutions: list[tuple[Column, Column]], negative: Int[Array, "matrix energy"]
    ) -> "SparseHermitian":
        """H − Σ column solved†, without the rows and columns that are gone."""
        kept = [site for site in self.sites if site not in gone]
        diagonal = {site: self.diagonal[site] for site in kept}
        bonds = {pair: value for pair, value in self.bonds.items() if not set(pair) & set(gone)}
        growth = self.growth
        for number, row in enumerate(kept):
            touched = [(c[row], s[row]) for c, s in solutions if row in c and row in s]
            if touched:
                change = sum(x.real * y.real + x.imag * y.imag for x, y in touched)
                diagonal[row] = diagonal[row] - change
                growth = jnp.maximum(growth, jnp.abs(change))
            for column in kept[:number]:
                terms = [c[row].times(s[column].conj()) for c, s in solutions if row in c and column in s]
                if terms:
                    pair, change = (row, column), _sum(terms).negative()
                    if row < column:
                        pair, change = (column, row), change.conj()
                    bonds[pair] = change.plus(bonds[pair]) if pair in bonds else change
        return SparseHermitian(diagonal, bonds, self.count + negative, growth)


def decoupled(sites: dict[Site, float], like: Float[Array, "matrix energy"]) -> SparseHermitian:
    """A matrix with given diagonal elements, the same in all lanes, and all bonds zero but present."""
    zero = jnp.zeros_like(like)
    ordered = sorted(sites)
    bonds = {(row, column): Complex(zero, zero) for i, row in enumerate(ordered) for column in ordered[:i]}
    diagonal = {site: zero + value for site, value in sites.items()}
    return SparseHermitian(diagonal, bonds, jnp.zeros(like.shape, jnp.int32), zero)


def _scaled(column: Column, factor: Lanes) -> Column:
    return {row: value.scaled(factor) for row, value in column.items()}


def _combined(column: Column, factor: Complex, other: Column) -> Column:
    """The sum column + factor × other."""
    added = {row: value.times(factor) for row, value in other.items()}
    return column | {row: column[row].plus(value) if row in column else value for row, value in added.items()}


def _sum(terms: list[Complex]) -> Complex:
    return functools.reduce(Complex.plus, terms)
