"""Parameters of the heavy fermion model from the six states of twisted bilayer graphene at Γ next to neutrality.

Threefold rotation C3 and the particle-hole operator P (which exchanges the layers with a sign and inverts space;
P² = −1, P H(k) P⁻¹ = −H(−k)) tell the six states apart: C3 has each of its eigenvalues twice, and in each pair P has
both of ±i. Being odd under P, H(Γ) couples only states of opposite P: that gives γ and M. Being even, ∂H/∂k couples
only those of equal P: v⋆, v⋆' and v⋆''. Phases of the states are fixed by γ < 0, M > 0 and v⋆ < 0; the signs of v⋆'
and v⋆'' are then those of the model.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np

from hofstadter import lattice
from hofstadter._checks import fail, is_concrete
from hofstadter.eigensolver.spectrum import solve
from hofstadter.hamiltonian.plane_waves import PlaneWaveProblem, plane_wave_problem
from hofstadter.models.continuum import Continuum
from hofstadter.models.heavy_fermions import PARAMETERS, HeavyFermions, heavy_fermions

# What symmetries may leave of elements that they forbid, relative to those they allow.
TOLERANCE = 1e-6
# A step of momentum in units of b1 and b2; H is linear in it.
STEP = 1e-3


def fit_heavy_fermions(model: Continuum, *, damping_ratio: float = PARAMETERS[0.8].damping) -> HeavyFermions:
    """The heavy fermion model with the energies and velocities of a `bistritzer_macdonald` model at Γ.

    Args:
        model: A `bistritzer_macdonald` model without rotated Paulis, potentials and strain.
        damping_ratio: λ/L, which the states at Γ do not determine; by default the literature's for w0/w1 = 0.8.

    Returns:
        The model, with γ, M, v⋆, v⋆' and v⋆'' and the lattice vectors of `model`, so that momenta mean the same.

    Raises:
        ValueError: If the model is traced, has not the four components of a twisted bilayer, or lacks C3 or
            particle-hole symmetry.
    """
    if not is_concrete(model):
        raise fail("model", "made of numbers, not traced", "traced")
    if model.components != 4 or model.reference != "neutrality" or model.terms[0][:2] not in ((0, 1), (1, 0)):
        raise fail("model", "a `bistritzer_macdonald` model", model.name)
    valley = 1 if model.terms[0][2:] == (0, 1) else -1
    problem = plane_wave_problem(model, bands_per_cell=3)
    found = _parameters(_SixStates(problem, valley))
    length = float(np.linalg.norm(np.asarray(model.vectors)[0]))
    fitted = heavy_fermions(
        valley=valley,
        gamma_mev=found["gamma"],
        m_mev=found["mass"],
        v_star_mev_angstrom=found["v_star"],
        v_prime_mev_angstrom=found["v_prime"],
        v_double_prime_mev_angstrom=found["v_double_prime"],
        damping_angstrom=damping_ratio * length,
        lattice_constant_angstrom=length,
    )
    return dataclasses.replace(fitted, vectors=model.vectors)


class _SixStates:
    """Operators between the six states at Γ.

    Attributes:
        valley: η.
        energy: H(Γ).
        slope_x: ∂H/∂kx.
        slope_y: ∂H/∂ky.
        rotation: C3.
        inversion: P.
    """

    def __init__(self, problem: PlaneWaveProblem, valley: int):
        states = np.asarray(solve(problem, jnp.zeros(2)).states)

        def between(matrix: np.ndarray) -> np.ndarray:
            return states.conj().T @ matrix @ states

        reciprocal = np.asarray(lattice.reciprocal_vectors(problem.vectors))
        at_gamma, *beside = np.asarray(problem.matrix(jnp.asarray([[0.0, 0.0], [STEP, 0.0], [0.0, STEP]])))
        slopes = np.stack([(matrix - at_gamma) / STEP for matrix in beside])
        x, y = np.tensordot(np.linalg.inv(reciprocal), slopes, 1)
        self.valley = valley
        self.energy, self.slope_x, self.slope_y = between(at_gamma), between(x), between(y)
        component = np.repeat(np.arange(4), problem.rows)
        momenta = (np.asarray(problem.reciprocal) - np.asarray(problem.model.offsets)[:, None]).reshape(
            -1, 2
        ) @ reciprocal
        turn = np.array([[-1, np.sqrt(3)], [-np.sqrt(3), -1]]) / 2
        spin = np.exp(2j * np.pi / 3 * valley * (1 - 2 * (component % 2)))
        layer = np.where(component < 2, 1.0, -1.0)
        self.rotation = between(_moved(momenta, component, momenta @ turn, component, spin))
        self.inversion = between(_moved(momenta, component, -momenta, (component + 2) % 4, layer))
        self._check()

    def _check(self) -> None:
        scale = np.abs(self.energy).max()
        for operator, sign in ((self.rotation, 1), (self.inversion, -1)):
            broken = np.abs(operator @ self.energy - sign * self.energy @ operator).max() / scale
            lost = np.abs(operator @ operator.conj().T - np.eye(6)).max()
            if not max(broken, lost) < TOLERANCE:
                hint = "Leave out rotated Paulis, potentials and strain."
                raise fail("model", "symmetric under C3 and particle-hole exchange", "not so at Γ", hint)

    def state(self, angle: int, parity: int) -> np.ndarray:
        """The state with C3 = exp(2πi angle/3) and P = i parity."""
        projector = sum(
            np.exp(-2j * np.pi * angle * n / 3) * np.linalg.matrix_power(self.rotation, n) for n in range(3)
        )
        vectors, sizes, _ = np.linalg.svd(projector @ (np.eye(6) - 1j * parity * self.inversion) / 6)
        assert np.allclose(sizes[:2], [1, 0], atol=1e-3)  # each pair of eigenvalues belongs to one state
        return vectors[:, 0]


def _moved(
    momenta: np.ndarray, component: np.ndarray, targets: np.ndarray, to: np.ndarray, factor: np.ndarray
) -> np.ndarray:
    """The operator that sends each plane wave to another component and momentum; those beyond the basis are lost."""
    scale = np.abs(momenta).max()
    near = np.abs(momenta[:, None] - targets[None]).max(axis=-1) < 1e-6 * scale
    return (near & (component[:, None] == to[None])) * factor[None]


def _parameters(six: _SixStates) -> dict[str, float]:
    """γ, M, v⋆, v⋆' and v⋆'' with the signs of the model."""
    sets: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
    for parity in (1, -1):
        dirac = six.state(0, parity)
        pair = [six.state(angle, parity) for angle in (1, -1)]
        speeds = [abs(state.conj() @ six.slope_x @ dirac) for state in pair]
        # Of the two, c has the large velocity to c3 or c4, and f the small one.
        c, f = pair if speeds[0] > speeds[1] else pair[::-1]
        # ∂H/∂ky over ∂H/∂kx is iη between c1 and c3, −iη between c2 and c4.
        ratio = (c.conj() @ six.slope_y @ dirac) / (c.conj() @ six.slope_x @ dirac)
        sets[1 if six.valley * ratio.imag > 0 else 2] = (c, f, dirac)
    (c1, f2, c3), (c2, f1, c4) = sets[1], sets[2]

    def element(a: np.ndarray, operator: np.ndarray, b: np.ndarray) -> complex:
        return complex(a.conj() @ operator @ b)

    def phased(state: np.ndarray, value: complex, sign: int) -> np.ndarray:
        return state * sign * abs(value) / value

    slope = six.valley * six.slope_x
    # Each state in turn gets the phase that makes ⟨known|operator|state⟩ of the wanted sign.
    c1 = phased(c1, element(c3, slope, c1), -1)
    c4 = phased(c4, element(c3, six.energy, c4), 1)
    c2 = phased(c2, element(c4, slope, c2), -1)
    f1 = phased(f1, element(c1, six.energy, f1), -1)
    f2 = phased(f2, element(c2, six.energy, f2), -1)
    pairs = {
        "gamma": (element(c1, six.energy, f1), element(c2, six.energy, f2)),
        "mass": (element(c3, six.energy, c4),),
        "v_star": (element(c1, slope, c3), element(c2, slope, c4)),
        "v_prime": (element(c1, slope, f2), element(c2, slope, f1)),
        "v_double_prime": (element(c3, slope, f2), element(c4, slope, f1)),
    }
    for name, values in pairs.items():
        unlike = max(abs(value - values[0].real) for value in values)
        scale = abs(pairs["gamma"][0] if name in ("gamma", "mass") else pairs["v_star"][0])
        if unlike > TOLERANCE * scale:
            raise fail("model", "symmetric under a twofold rotation with time reversal", f"one with {name} {values}")
    return {name: float(np.mean(np.real(values))) for name, values in pairs.items()}
