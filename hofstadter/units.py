"""Laboratory units: teslas, kelvins, millielectronvolts and electrons per square centimeter for a unit cell."""

import dataclasses
from typing import TypeVar

import jax
import numpy as np

from hofstadter._checks import fail

# CODATA 2018, exact but for the Bohr magneton.
FLUX_QUANTUM_TESLA_NM2 = 4135.667696923859
"""h/e."""
BOLTZMANN_MEV_PER_KELVIN = 0.08617333262145179
BOHR_MAGNETON_MEV_PER_TESLA = 0.05788381806
ELECTRONS_PER_NM2 = 100.0
"""One electron per square nanometer, in units of 10¹² cm⁻²."""
MICROFARAD_PER_CM2 = 16021.766339999999
"""e² per (meV nm²), in µF/cm²."""

COULOMB_MEV_NM = 1439.9645478
"""e²/(4πε₀) in meV nm."""
HBAR2_PER_ELECTRON_MASS_MEV_NM2 = 76.19964222971923
"""ħ²/m_e in meV nm²."""

NANOMETERS = {"nm": 1.0, "Å": 0.1}
MILLIELECTRONVOLTS = {"meV": 1.0, "eV": 1000.0}

Numbers = TypeVar("Numbers", float, np.ndarray, jax.Array)


@dataclasses.dataclass(frozen=True)
class LaboratoryUnits:
    """What the units of a model are in the laboratory.

    Attributes:
        cell_nm2: Area of the primitive cell in nm².
        energy_mev: The model's unit of energy in meV.

    Raises:
        ValueError: If a number is not positive.
    """

    cell_nm2: float
    energy_mev: float

    def __post_init__(self):
        """Check the signs."""
        for name in ("cell_nm2", "energy_mev"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                raise fail(name, "positive", value)

    @property
    def tesla_per_quantum(self) -> float:
        """The field of one flux quantum per primitive cell."""
        return FLUX_QUANTUM_TESLA_NM2 / self.cell_nm2

    def flux(self, field_tesla: Numbers) -> Numbers:
        """Flux quanta per primitive cell."""
        return field_tesla / self.tesla_per_quantum

    def field_tesla(self, flux: Numbers) -> Numbers:
        """Field of so many flux quanta per primitive cell."""
        return flux * self.tesla_per_quantum

    def filling(self, density: Numbers) -> Numbers:
        """Electrons per primitive cell of a density in 10¹² cm⁻²."""
        return density * (self.cell_nm2 / ELECTRONS_PER_NM2)

    def density(self, filling: Numbers) -> Numbers:
        """Density in 10¹² cm⁻² of so many electrons per primitive cell."""
        return filling * (ELECTRONS_PER_NM2 / self.cell_nm2)

    def energy(self, mev: Numbers) -> Numbers:
        """An energy in the model's unit."""
        return mev / self.energy_mev

    def thermal_energy(self, kelvin: Numbers) -> Numbers:
        """k_B T in the model's unit of energy."""
        return kelvin * (BOLTZMANN_MEV_PER_KELVIN / self.energy_mev)

    def magnetic_energy(self, field_tesla: Numbers) -> Numbers:
        """μ_B B, the energy of one Bohr magneton, in the model's unit."""
        return field_tesla * (BOHR_MAGNETON_MEV_PER_TESLA / self.energy_mev)


def laboratory_units(
    area: float,
    length_unit: str,
    energy_unit: str,
    *,
    length_unit_nm: float | None = None,
    energy_unit_mev: float | None = None,
) -> LaboratoryUnits:
    """The laboratory units of a model with so large a cell.

    Args:
        area: Area of the primitive cell, in the model's unit of length squared.
        length_unit: The model's unit of length.
        energy_unit: The model's unit of energy.
        length_unit_nm: That unit in nm; not needed for nm and Å.
        energy_unit_mev: That unit in meV; not needed for meV and eV.

    Raises:
        ValueError: If a unit is not known, or one that is known is given another value.
    """
    length = _known("length_unit_nm", length_unit, NANOMETERS, length_unit_nm, "nm")
    energy = _known("energy_unit_mev", energy_unit, MILLIELECTRONVOLTS, energy_unit_mev, "meV")
    return LaboratoryUnits(float(area) * length**2, energy)


def _known(name: str, unit: str, table: dict[str, float], value: float | None, base: str) -> float:
    if unit in table:
        if value is not None and value != table[unit]:
            raise fail(name, f"{table[unit]} or left out, since the model is in {unit}", value)
        return table[unit]
    if value is None:
        hint = f"For fields in tesla and temperatures in kelvin, say how many {base} one {unit} of the model is."
        raise fail(name, f"given, since the model is in units of {unit}", None, hint)
    return float(value)
