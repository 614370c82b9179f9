"""Gap labels (s, t) of mean-field insulators: the Chern number of everything that is filled, and what is left over.

Fukui, Hatsugai and Suzuki's plaquettes on the mesh of the mean field itself. A link is block diagonal in the flavors,

    ⟨u_i(k)|u_j(k + dk)⟩ = Σ_vs C_vs,i(k)† M^v(k, dk)† C_vs,j(k + dk),

with the filled orbitals C in the projected bands. Each flavor's bands count, not only those that differ from another
state, so all of the group's own Chern number is in it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from hofstadter.errors import Status
from hofstadter.interactions.form_factors import form_factors
from hofstadter.interactions.hartree_fock import MeanField
from hofstadter.interactions.interacting_bands import InteractingBands
from hofstadter.topology import berry
from hofstadter.topology.links import determinant


class MeanFieldLabels(eqx.Module):
    """Labels of the gaps of mean-field states, one for each starting point: filling = s + t p/q.

    Attributes:
        s: Electrons per cell beyond half filling that stay when the field changes. A fraction tells that the state
            breaks the translations within the magnetic cell. NaN where t is.
        t: Chern number of the filled orbitals; NaN where it is not certain.
        max_flux: Largest |flux| of a plaquette in radians.
        min_link: Smallest modulus of a link.
        status: OK, GAP_CLOSED (not the same number filled at each momentum) or MESH_TOO_COARSE.
    """

    s: Float[Array, " start"]
    t: Float[Array, " start"]
    max_flux: Float[Array, " start"]
    min_link: Float[Array, " start"]
    status: Int[Array, " start"]


def mean_field_labels(bands: InteractingBands, found: MeanField) -> MeanFieldLabels:
    """Chern numbers of mean-field insulators, from the momenta that they were computed on.

    Args:
        bands: The bands.
        found: Their mean-field states.
    """
    mesh, problem = bands.bands.shape, bands.bands.kinds[0].problem
    steps = jnp.asarray([[1 / mesh[0], 0.0], [0.0, 1 / (mesh[1] * int(problem.q))]])
    factors = jnp.stack([form_factors(kind, steps) for kind in bands.bands.kinds])
    filled = np.asarray(found.occupied).sum(axis=-1)
    labels = [
        _label(bands, found.orbitals[i], int(filled[i][0]), factors, mesh)
        if np.all(filled[i] == filled[i][0])
        else (np.nan, np.nan, np.nan, Status.GAP_CLOSED)
        for i in range(len(filled))
    ]
    t, max_flux, min_link, status = (np.array(column) for column in zip(*labels, strict=True))
    filling = filled.mean(axis=1) / int(problem.q) - bands.orbitals / (2 * int(problem.q))
    ratio = int(problem.p) / int(problem.q)
    return MeanFieldLabels(
        s=jnp.asarray(filling - t * ratio),
        t=jnp.asarray(t),
        max_flux=jnp.asarray(max_flux),
        min_link=jnp.asarray(min_link),
        status=jnp.asarray(status, jnp.int32),
    )


def _label(
    bands: InteractingBands, orbitals: Array, filled: int, factors: Array, mesh: tuple[int, int]
) -> tuple[float, float, float, Status]:
    phases, moduli = _links(bands, orbitals[..., :filled], factors, mesh)
    flux = np.asarray(berry.plaquette_flux(_closed(phases[0], 1), _closed(phases[1], 0)))
    max_flux, min_link = float(np.abs(flux).max()), float(np.min(np.asarray(moduli)))
    resolved = max_flux < berry.MAX_PLAQUETTE_FLUX and min_link > berry.MIN_LINK
    chern = float(np.round(flux.sum() / (2 * np.pi)))
    return chern if resolved else np.nan, max_flux, min_link, Status.OK if resolved else Status.MESH_TOO_COARSE


@eqx.filter_jit
def _links(
    bands: InteractingBands, filled: Complex[Array, "point orbital filled"], factors: Array, mesh: tuple[int, int]
) -> tuple[Complex[Array, "2 n1 n2"], Float[Array, "2 n1 n2"]]:
    """Phases and moduli of the links along both directions."""
    valleys, spins, size = bands.valleys, bands.spins, bands.kinetic.shape[-1]
    parts = filled.reshape(*mesh, valleys, spins, size, -1)
    matrices = []
    for axis in (0, 1):
        link = factors[:, axis].reshape(valleys, *mesh, size, size)
        ends = jnp.roll(parts, -1, axis=axis)
        matrices.append(jnp.einsum("xyvsni,vxymn,xyvsmj->xyij", parts.conj(), link.conj(), ends))
    phase, modulus = determinant(jnp.stack(matrices))
    return phase, modulus


def _closed(phases: Complex[Array, "n1 n2"], axis: int) -> Complex[Array, "a b"]:
    """With the first row or column repeated at the far edge of the zone."""
    return jnp.concatenate([phases, jax.lax.slice_in_dim(phases, 0, 1, axis=axis)], axis=axis)
