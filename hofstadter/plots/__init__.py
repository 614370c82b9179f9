"""Pictures of datasets: data in, matplotlib axes out. No physics is computed, no global setting changed."""

from hofstadter.plots.bands import band_surface, bands
from hofstadter.plots.butterfly import butterfly
from hofstadter.plots.fit import fit
from hofstadter.plots.geometry import berry_curvature, quantum_metric
from hofstadter.plots.wannier import wannier_diagram
from hofstadter.plots.wannier_flow import wannier_flow

__all__ = [
    "band_surface",
    "bands",
    "berry_curvature",
    "butterfly",
    "fit",
    "quantum_metric",
    "wannier_diagram",
    "wannier_flow",
]
