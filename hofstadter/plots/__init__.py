"""Pictures of datasets: data in, matplotlib axes out. No physics is computed, no global setting changed."""

from hofstadter.plots.bands import band_surface, bands
from hofstadter.plots.butterfly import butterfly
from hofstadter.plots.wannier import wannier_diagram

__all__ = ["band_surface", "bands", "butterfly", "wannier_diagram"]
