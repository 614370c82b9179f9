"""Tables of density form factors for other programs: labelled datasets, and files in zarr or HDF5.

The table holds M_mn(k, p) = ⟨ψ_m(k + p)| exp(ip·r) |ψ_n(k)⟩ for every k of a mesh and every p between its points up to
a cut-off. It is periodic in k: where k + p leaves the mesh, ψ_m is the state at the point of the mesh that differs by a
magnetic reciprocal vector, without a phase. The vector p itself is never folded. Files store complex numbers as two
real variables, `form_factor_real` and `form_factor_imag`, which every reader of zarr and HDF5 (netCDF 4) understands.
"""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float

from hofstadter import lattice
from hofstadter._checks import as_integer, fail
from hofstadter.errors import StoreError
from hofstadter.hamiltonian._abstract import AbstractMagneticBlochProblem
from hofstadter.interactions.form_factors import ProjectedBands, form_factors, points_after, project
from hofstadter.io.provenance import provenance

CONVENTION = "M_mn(k, p) = <psi_m(k + p)| exp(i p.r) |psi_n(k)>, electrons of charge -e in a field along +z"
GAUGE = (
    "States are periodic in k by magnetic reciprocal vectors b1 and b2/q. The states of each k are those of the "
    "eigensolver: fixed up to a unitary matrix per k within degenerate levels, up to a phase per k and band otherwise. "
    "exp(i p.r) holds the true positions of all orbitals, or all of the Landau levels kept (embedding included)."
)
PARTS = ("form_factor_real", "form_factor_imag")


def form_factor_dataset(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    *,
    points: int | tuple[int, int],
    cutoff: float,
    offset: tuple[float, float] = (0.0, 0.0),
    memory_gb: float = 4.0,
) -> xr.Dataset:
    """Form factors of a group of bands on a mesh, as a labelled dataset.

    Args:
        problem: The magnetic Bloch problem.
        bands: The group, as a half-open range.
        points: Momenta along each direction of the magnetic zone.
        cutoff: Largest |p|, an inverse length of the model; `momentum_cutoff` finds one.
        offset: Reduced momentum that the mesh is shifted by.
        memory_gb: Bound on the table and working memory; `save_form_factors` writes larger ones piece by piece.

    Returns:
        Dataset with `form_factor` (k1, k2, p, m, n), `energy` (k1, k2, n), momenta `k` (k1, k2, component) and
        `p_reduced` (p, component) by the zero-field reciprocal vectors, `p_xy` (p, xy) in Cartesian components,
        shortest first, and in `end` (k1, k2, p) the number k1 · n2 + k2 of the point that k + p is. `norm_error` is the
        largest |M(k, 0) − 1|, `hermiticity_error` the largest |M(k, p)† − M(k + p, −p)|. Attributes tell convention,
        gauge and versions.

    Raises:
        ValueError: If the table does not fit in `memory_gb`.
    """
    group, shape, momenta = _table(problem, bands, points, cutoff, offset, memory_gb)
    needed = 2e-9 * _bytes(group, len(momenta))
    if needed > memory_gb:
        raise fail("memory_gb", f"at least {needed:.3g}", memory_gb, "`save_form_factors` needs less.")
    dataset = _piece(group, shape, momenta, cutoff, memory_gb)
    factors = dataset["form_factor_real"] + 1j * dataset["form_factor_imag"]
    return dataset.drop_vars(PARTS).assign(form_factor=factors)


def save_form_factors(
    path: str | Path,
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    *,
    points: int | tuple[int, int],
    cutoff: float,
    offset: tuple[float, float] = (0.0, 0.0),
    memory_gb: float = 4.0,
) -> Path:
    """Write the dataset of `form_factor_dataset`, piece by piece, so that it may be larger than memory.

    Args:
        path: A new folder ending in .zarr, or a new file ending in .h5 or .nc (HDF5, which needs h5netcdf).
        problem: The magnetic Bloch problem.
        bands: The group, as a half-open range.
        points: Momenta along each direction of the magnetic zone.
        cutoff: Largest |p|, an inverse length of the model.
        offset: Reduced momentum that the mesh is shifted by.
        memory_gb: Working memory.

    Raises:
        ValueError: If the ending is another.
        hofstadter.StoreError: If the path exists already.
        ImportError: If the format needs a package that is missing.
    """
    path = Path(path)
    if path.suffix not in (".zarr", ".h5", ".nc"):
        raise fail("path", "a name that ends in .zarr, .h5 or .nc", path.name)
    if path.exists():
        raise StoreError(f"{path} exists already.")
    hdf5 = path.suffix != ".zarr"
    if hdf5:
        _load_h5netcdf()
    group, shape, momenta = _table(problem, bands, points, cutoff, offset, memory_gb)
    # An even number, since p and −p are neighbors.
    size = max(1, int(memory_gb * 1e9 / (8 * _bytes(group, 1)))) // 2 * 2 or 2
    errors = {"norm_error": 0.0, "hermiticity_error": 0.0}
    starts = range(0, len(momenta), size)
    for start in starts:
        piece = _piece(group, shape, momenta[start : start + size], cutoff, memory_gb)
        for name in errors:
            errors[name] = max(errors[name], float(piece[name]))
            piece[name] = errors[name]
        if hdf5:
            _append_hdf5(path, piece, start, len(momenta))
        elif start == 0:
            piece.to_zarr(path, mode="w", consolidated=False)
        else:
            grows = [str(name) for name in piece.variables if "p" in piece[name].dims]
            piece[grows].to_zarr(path, append_dim="p", consolidated=False)
            piece[list(errors)].to_zarr(path, mode="a", consolidated=False)
    return path


def open_form_factors(path: str | Path) -> xr.Dataset:
    """Read what `save_form_factors` wrote, with complex numbers put together.

    Args:
        path: The folder or file.
    """
    path = Path(path)
    if not path.exists():
        raise StoreError(f"There is nothing at {path}.")
    if path.suffix == ".zarr":
        stored = xr.open_zarr(path, consolidated=False).load()
    else:
        _load_h5netcdf()
        stored = xr.load_dataset(path, engine="h5netcdf")
    factors = stored["form_factor_real"] + 1j * stored["form_factor_imag"]
    return stored.drop_vars(PARTS).assign(form_factor=factors)


def _table(
    problem: AbstractMagneticBlochProblem,
    bands: tuple[int, int],
    points: int | tuple[int, int],
    cutoff: float,
    offset: tuple[float, float],
    memory_gb: float,
) -> tuple[ProjectedBands, tuple[int, int], Float[np.ndarray, "p 2"]]:
    """The group on the mesh, the shape of the mesh and all momenta up to the cut-off, p next to −p."""
    if not cutoff > 0:
        raise fail("cutoff", "positive", cutoff)
    shape = (points, points) if isinstance(points, int) else points
    n1, n2 = (as_integer("points", n, minimum=1) for n in shape)
    group = project(problem, bands, problem.mesh(n1, n2) + jnp.asarray(offset), memory_gb=memory_gb)
    steps = np.asarray(lattice.reciprocal_vectors(problem.vectors)) / np.array([[n1], [n2 * int(problem.q)]])
    area = abs(np.linalg.det(steps))
    most = [int(cutoff * np.linalg.norm(other) / area) + 1 for other in steps[::-1]]
    index = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most), indexing="ij"), axis=-1).reshape(-1, 2)
    length = np.linalg.norm(index @ steps, axis=1)
    # One of each pair, shortest first, and its opposite next to it; p = 0 twice would be once too often.
    half = index[(length <= cutoff * (1 + 1e-9)) & ((index[:, 0] > 0) | ((index[:, 0] == 0) & (index[:, 1] > 0)))]
    half = half[np.argsort(np.linalg.norm(half @ steps, axis=1), kind="stable")]
    both = np.stack([half, -half], axis=1).reshape(-1, 2)
    momenta = np.concatenate([np.zeros((1, 2), int), both]) / np.array([n1, n2 * int(problem.q)])
    return group, (n1, n2), momenta


def _bytes(group: ProjectedBands, momenta: int) -> int:
    points, _, bands = group.states.shape
    return 16 * momenta * points * bands**2


def _piece(
    group: ProjectedBands, shape: tuple[int, int], momenta: Float[np.ndarray, "p 2"], cutoff: float, memory_gb: float
) -> xr.Dataset:
    """The dataset of some momenta."""
    problem = group.problem
    model = getattr(problem, "model", None)
    factors = np.asarray(form_factors(group, jnp.asarray(momenta), memory_gb=memory_gb))
    ends = points_after(group, group, momenta)
    count, _, bands, _ = factors.shape
    table = np.moveaxis(factors.reshape(count, *shape, bands, bands), 0, 2)
    return xr.Dataset(
        {
            "form_factor_real": (("k1", "k2", "p", "m", "n"), np.real(table)),
            "form_factor_imag": (("k1", "k2", "p", "m", "n"), np.imag(table)),
            "energy": (("k1", "k2", "n"), np.asarray(group.energies).reshape(*shape, bands)),
            "k": (("k1", "k2", "component"), np.asarray(group.k).reshape(*shape, 2)),
            "p_reduced": (("p", "component"), momenta),
            "p_xy": (("p", "xy"), momenta @ np.asarray(lattice.reciprocal_vectors(problem.vectors))),
            "end": (("k1", "k2", "p"), np.moveaxis(ends.reshape(count, *shape), 0, 2)),
            "lattice_vectors": (("vector", "xy"), np.asarray(problem.vectors)),
            "norm_error": _norm_error(factors, momenta),
            "hermiticity_error": _hermiticity_error(factors, momenta, ends),
        },
        attrs={
            "convention": CONVENTION,
            "gauge": GAUGE,
            "flux": str(problem.flux),
            "bands": list(group.bands),
            "cutoff": float(cutoff),
            "model": getattr(model, "name", ""),
            "energy_unit": getattr(model, "energy_unit", ""),
            "length_unit": getattr(model, "length_unit", ""),
            "provenance": json.dumps(provenance()),
        },
    )


def _norm_error(factors: np.ndarray, momenta: np.ndarray) -> float:
    """Largest |M(k, 0) − 1|, 0 where p = 0 is not among the momenta."""
    own = factors[np.all(momenta == 0, axis=1)] - np.eye(factors.shape[-1])
    return float(np.abs(own).max(initial=0.0))


def _hermiticity_error(factors: np.ndarray, momenta: np.ndarray, ends: np.ndarray) -> float:
    """Largest |M(k, p)† − M(k + p, −p)| of the momenta whose opposite is there."""
    place = {tuple(np.round(p, 9) + 0.0): number for number, p in enumerate(momenta)}
    largest = 0.0
    for number, p in enumerate(momenta):
        opposite = place.get(tuple(np.round(-p, 9) + 0.0))
        if opposite is not None:
            back = factors[opposite][ends[number]]
            largest = max(largest, float(np.abs(factors[number].conj().swapaxes(-1, -2) - back).max()))
    return largest


def _load_h5netcdf():
    try:
        import h5netcdf
    except ImportError:
        raise ImportError('HDF5 files need h5netcdf: install "hofstadter[hdf5]".') from None
    return h5netcdf


def _append_hdf5(path: Path, piece: xr.Dataset, start: int, total: int) -> None:
    """Write the entries from `start` on along p; the first call makes the file with room for all of them."""
    file = _load_h5netcdf().File(path, "a")
    with file:
        if start == 0:
            file.dimensions = {str(d): total if d == "p" else length for d, length in piece.sizes.items()}
            for name, variable in piece.variables.items():
                file.create_variable(str(name), tuple(map(str, variable.dims)), variable.dtype)
            for name, value in piece.attrs.items():
                file.attrs[name] = np.asarray(value) if isinstance(value, list) else value
        for name, variable in piece.variables.items():
            stored = file.variables[str(name)]
            if "p" in variable.dims:
                place = tuple(
                    slice(start, start + piece.sizes["p"]) if d == "p" else slice(None) for d in variable.dims
                )
                stored[place] = variable.values
            elif start == 0 or not variable.dims:
                stored[...] = variable.values
