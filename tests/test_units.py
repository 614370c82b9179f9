"""Laboratory units, against numbers of the field."""

import numpy as np
import pytest
import scipy.constants

from hofstadter.units import (
    BOHR_MAGNETON_MEV_PER_TESLA,
    BOLTZMANN_MEV_PER_KELVIN,
    FLUX_QUANTUM_TESLA_NM2,
    MICROFARAD_PER_CM2,
    LaboratoryUnits,
    laboratory_units,
)


def test_constants():
    e, h, k = scipy.constants.e, scipy.constants.h, scipy.constants.k
    assert pytest.approx(h / e * 1e18, rel=1e-12) == FLUX_QUANTUM_TESLA_NM2
    assert pytest.approx(1e3 * k / e, rel=1e-12) == BOLTZMANN_MEV_PER_KELVIN
    magneton = scipy.constants.physical_constants["Bohr magneton"][0]
    assert pytest.approx(1e3 * magneton / e, rel=1e-8) == BOHR_MAGNETON_MEV_PER_TESLA
    # e² per meV and nm² in µF/cm²: 1e22 per J and m², 100 µF/cm² per F/m².
    assert pytest.approx(e**2 / (1e-3 * e) / 1e-18 * 100, rel=1e-12) == MICROFARAD_PER_CM2


def test_graphene_at_ten_tesla():
    # A Landau level holds eB/h per area: 2.418e11 cm⁻² at 10 T.
    graphene = laboratory_units(np.sqrt(3) / 2, "a", "t", length_unit_nm=0.246, energy_unit_mev=2700.0)
    assert graphene.tesla_per_quantum == pytest.approx(78912.3, rel=1e-5)
    quanta = graphene.flux(10.0)
    assert graphene.density(quanta) == pytest.approx(0.241799, rel=1e-5)
    assert graphene.filling(graphene.density(0.3)) == pytest.approx(0.3)
    assert graphene.field_tesla(quanta) == pytest.approx(10.0)
    assert graphene.thermal_energy(300.0) * 2700 == pytest.approx(25.852, rel=1e-4)
    # Zeeman splitting of g = 2 at 10 T: 1.158 meV.
    assert 2 * graphene.magnetic_energy(10.0) * 2700 == pytest.approx(1.15768, rel=1e-5)


def test_twisted_bilayer_graphene_at_one_quantum():
    # Moiré period 0.246 nm / (2 sin(θ/2)) at 1.05°.
    period = 2.46 / (2 * np.sin(np.deg2rad(1.05) / 2))
    units = laboratory_units(np.sqrt(3) / 2 * period**2, "Å", "meV")
    assert units.tesla_per_quantum == pytest.approx(26.5, abs=0.05)
    assert units.energy(3.0) == 3.0


def test_units_that_are_not_known():
    with pytest.raises(ValueError, match="`length_unit_nm` must be given, since the model is in units of a"):
        laboratory_units(1.0, "a", "t", energy_unit_mev=1.0)
    with pytest.raises(ValueError, match=r"`energy_unit_mev` must be 1\.0 or left out"):
        laboratory_units(1.0, "nm", "meV", energy_unit_mev=2.0)
    for numbers in ((0.0, 1.0), (1.0, -1.0), (np.nan, 1.0)):
        with pytest.raises(ValueError, match="must be positive"):
            LaboratoryUnits(*numbers)
