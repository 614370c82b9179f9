"""Electrons on a periodic two-dimensional system in a strong magnetic field, solved right and fast."""

from hofstadter import models
from hofstadter.errors import CalculationError, PrecisionWarning, RunFileError, Status, StoreError
from hofstadter.flux import Flux, farey
from hofstadter.hamiltonian.bloch import at_flux
from hofstadter.lattice import mesh

__version__ = "0.1.0"

__all__ = [
    "CalculationError",
    "Flux",
    "PrecisionWarning",
    "RunFileError",
    "Status",
    "StoreError",
    "at_flux",
    "farey",
    "mesh",
    "models",
]
