"""Electrons on a periodic two-dimensional system in a strong magnetic field, solved right and fast."""

from hofstadter import interactions, models, plots
from hofstadter.eigensolver.low_field import states_below, strip_problem
from hofstadter.eigensolver.spectrum import Spectrum, solve
from hofstadter.eigensolver.window import SpectrumWindow, solve_window
from hofstadter.errors import CalculationError, PrecisionWarning, RunFileError, Status, StoreError
from hofstadter.fits.fit import Fit, fit, predict_observations
from hofstadter.fits.heavy_fermions import fit_heavy_fermions
from hofstadter.fits.observations import GapSize, LevelEnergy
from hofstadter.flux import Flux, farey, fluxes_near
from hofstadter.geometry.metric import (
    ZoneAverage,
    berry_curvature,
    quantum_geometric_tensor,
    quantum_metric,
    zone_average,
)
from hofstadter.geometry.minimal import MinimalMetric, minimal_metric
from hofstadter.geometry.orbital_moment import orbital_moment
from hofstadter.hamiltonian.at_flux import at_flux
from hofstadter.hamiltonian.bloch import TightBindingProblem
from hofstadter.hamiltonian.heavy_fermion_waves import HeavyFermionWaveProblem
from hofstadter.hamiltonian.heavy_fermions import HeavyFermionProblem
from hofstadter.hamiltonian.landau import LandauProblem
from hofstadter.hamiltonian.naive_heavy_fermions import naive_heavy_fermion_problem
from hofstadter.hamiltonian.plane_waves import PlaneWaveProblem
from hofstadter.hamiltonian.strip import StripProblem
from hofstadter.hamiltonian.theta import ThetaProblem, theta_problem
from hofstadter.interactions.heavy_fermion_mean_field import (
    HeavyFermionRepulsion,
    heavy_fermion_repulsion,
    mean_field_flavors,
)
from hofstadter.io.form_factors import form_factor_dataset, open_form_factors, save_form_factors
from hofstadter.io.store import open_store
from hofstadter.lattice import mesh
from hofstadter.sweep.function import sweep
from hofstadter.tasks.bands import bands
from hofstadter.tasks.butterfly import band_edges, butterfly, gaps
from hofstadter.tasks.chern_table import chern_table
from hofstadter.tasks.density import integrated_density
from hofstadter.tasks.density_of_states import density_of_states
from hofstadter.tasks.fit import fit_dataset
from hofstadter.tasks.gap_lines import compare_lines, gap_lines
from hofstadter.tasks.geometry_map import geometry_map
from hofstadter.tasks.heavy_fermion_excitations import heavy_fermion_excitations
from hofstadter.tasks.landau_fan import landau_fan
from hofstadter.tasks.magnetization import magnetization
from hofstadter.tasks.mean_fields import mean_fields
from hofstadter.tasks.strong_coupling import strong_coupling
from hofstadter.tasks.wannier_flow import wannier_flow
from hofstadter.thermodynamics.flavors import Flavor, spin_flavors
from hofstadter.thermodynamics.hall_conductivity import HallConductivity, hall_conductivity
from hofstadter.thermodynamics.magnetization import OrbitalMagnetization, orbital_magnetization
from hofstadter.topology.chern import ChernNumber, chern, chern_numbers
from hofstadter.topology.chern_on_mesh import MeshChern, chern_on_mesh
from hofstadter.topology.differentiated import DifferentiatedChern, differentiated_chern
from hofstadter.topology.local_marker import LocalChernMarker, local_chern_marker
from hofstadter.topology.nested_wilson import NestedWilsonLoop, nested_wilson_loop
from hofstadter.topology.wannier_flow import wilson_chern
from hofstadter.topology.wilson import WilsonLine, WilsonLoop, wilson_line, wilson_loop

__version__ = "0.1.0"

__all__ = [
    "CalculationError",
    "ChernNumber",
    "DifferentiatedChern",
    "Fit",
    "Flavor",
    "Flux",
    "GapSize",
    "HallConductivity",
    "HeavyFermionProblem",
    "HeavyFermionRepulsion",
    "HeavyFermionWaveProblem",
    "LandauProblem",
    "LevelEnergy",
    "LocalChernMarker",
    "MeshChern",
    "MinimalMetric",
    "NestedWilsonLoop",
    "OrbitalMagnetization",
    "PlaneWaveProblem",
    "PrecisionWarning",
    "RunFileError",
    "Spectrum",
    "SpectrumWindow",
    "Status",
    "StoreError",
    "StripProblem",
    "ThetaProblem",
    "TightBindingProblem",
    "WilsonLine",
    "WilsonLoop",
    "ZoneAverage",
    "at_flux",
    "band_edges",
    "bands",
    "berry_curvature",
    "butterfly",
    "chern",
    "chern_numbers",
    "chern_on_mesh",
    "chern_table",
    "compare_lines",
    "density_of_states",
    "differentiated_chern",
    "farey",
    "fit",
    "fit_dataset",
    "fit_heavy_fermions",
    "fluxes_near",
    "form_factor_dataset",
    "gap_lines",
    "gaps",
    "geometry_map",
    "hall_conductivity",
    "heavy_fermion_excitations",
    "heavy_fermion_repulsion",
    "integrated_density",
    "interactions",
    "landau_fan",
    "local_chern_marker",
    "magnetization",
    "mean_field_flavors",
    "mean_fields",
    "mesh",
    "minimal_metric",
    "models",
    "naive_heavy_fermion_problem",
    "nested_wilson_loop",
    "open_form_factors",
    "open_store",
    "orbital_magnetization",
    "orbital_moment",
    "plots",
    "predict_observations",
    "quantum_geometric_tensor",
    "quantum_metric",
    "save_form_factors",
    "solve",
    "solve_window",
    "spin_flavors",
    "states_below",
    "strip_problem",
    "strong_coupling",
    "sweep",
    "theta_problem",
    "wannier_flow",
    "wilson_chern",
    "wilson_line",
    "wilson_loop",
    "zone_average",
]
