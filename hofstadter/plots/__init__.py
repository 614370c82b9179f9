"""Pictures of datasets: data in, matplotlib axes out. No physics is computed, no global setting changed."""

from hofstadter.plots.bands import band_surface, bands
from hofstadter.plots.butterfly import butterfly
from hofstadter.plots.counts import integrated_density, wannier_map
from hofstadter.plots.fan import density_of_states, gap_map, hall_fan, landau_fan, magnetization
from hofstadter.plots.fit import fit
from hofstadter.plots.geometry import berry_curvature, quantum_metric
from hofstadter.plots.heavy_fermions import heavy_fermion_excitations
from hofstadter.plots.html import save_html
from hofstadter.plots.mean_fields import mean_fields
from hofstadter.plots.strong_coupling import charge_excitations, neutral_modes, reentrant_fan
from hofstadter.plots.wannier import wannier_diagram
from hofstadter.plots.wannier_flow import wannier_flow

__all__ = [
    "band_surface",
    "bands",
    "berry_curvature",
    "butterfly",
    "charge_excitations",
    "density_of_states",
    "fit",
    "gap_map",
    "hall_fan",
    "heavy_fermion_excitations",
    "integrated_density",
    "landau_fan",
    "magnetization",
    "mean_fields",
    "neutral_modes",
    "quantum_metric",
    "reentrant_fan",
    "save_html",
    "wannier_diagram",
    "wannier_flow",
    "wannier_map",
]
