"""Complex numbers as two real arrays: Pallas knows no complex type."""

from typing import NamedTuple

from jaxtyping import Array, Float


class Parts(NamedTuple):
    """Real and imaginary part of a complex number in every lane."""

    real: Float[Array, "*#lanes"]
    imag: Float[Array, "*#lanes"]

    def conj(self) -> "Parts":
        """Complex conjugate."""
        return Parts(self.real, -self.imag)

    def plus(self, other: "Parts") -> "Parts":
        """Sum."""
        return Parts(self.real + other.real, self.imag + other.imag)

    def minus(self, other: "Parts") -> "Parts":
        """Difference."""
        return Parts(self.real - other.real, self.imag - other.imag)

    def times(self, other: "Parts") -> "Parts":
        """Product."""
        real = self.real * other.real - self.imag * other.imag
        return Parts(real, self.real * other.imag + self.imag * other.real)

    def scaled(self, factor: Float[Array, "*#lanes"]) -> "Parts":
        """Product with a real number."""
        return Parts(self.real * factor, self.imag * factor)
