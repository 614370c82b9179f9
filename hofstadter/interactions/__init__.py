"""Electrons that repel each other within a few bands: form factors, exact excitations, and Hartree–Fock."""

from hofstadter.interactions.charge_edges import ChargeGap, charge_gaps, stationary_point
from hofstadter.interactions.coulomb import (
    AbstractInteraction,
    BareCoulomb,
    DoubleGateCoulomb,
    SingleGateCoulomb,
    bare_coulomb,
    double_gate_coulomb,
    single_gate_coulomb,
)
from hofstadter.interactions.exchange import exchange, exchange_off_mesh
from hofstadter.interactions.flat_bands import FlatBands, flat_bands, moire_flat_bands
from hofstadter.interactions.form_factors import ProjectedBands, form_factors, project, transfers
from hofstadter.interactions.hartree_fock import (
    MeanField,
    component_field,
    flavor_field,
    hartree_fock,
    random_field,
)
from hofstadter.interactions.interacting_bands import InteractingBands, interacting_bands
from hofstadter.interactions.mean_field_label import MeanFieldLabels, mean_field_labels
from hofstadter.interactions.momentum_cutoff import MomentumCutoff, momentum_cutoff
from hofstadter.interactions.neutral import neutral_energies
from hofstadter.interactions.reentrant_fan import fan_lines
from hofstadter.interactions.strong_coupling import (
    FilledFlavors,
    charge_energies,
    charge_matrices,
    filled_flavors,
    fluctuation_energy,
)

__all__ = [
    "AbstractInteraction",
    "BareCoulomb",
    "ChargeGap",
    "DoubleGateCoulomb",
    "FilledFlavors",
    "FlatBands",
    "InteractingBands",
    "MeanField",
    "MeanFieldLabels",
    "MomentumCutoff",
    "ProjectedBands",
    "SingleGateCoulomb",
    "bare_coulomb",
    "charge_energies",
    "charge_gaps",
    "charge_matrices",
    "component_field",
    "double_gate_coulomb",
    "exchange",
    "exchange_off_mesh",
    "fan_lines",
    "filled_flavors",
    "flat_bands",
    "flavor_field",
    "fluctuation_energy",
    "form_factors",
    "hartree_fock",
    "interacting_bands",
    "mean_field_labels",
    "moire_flat_bands",
    "momentum_cutoff",
    "neutral_energies",
    "project",
    "random_field",
    "single_gate_coulomb",
    "stationary_point",
    "transfers",
]
