"""Continuum models as plain data, and what the data mean: NumPy only.

A model acts on wave functions ψ_α(r), one per component. Its Hamiltonian is a sum of

* kinetic terms (amplitude, α, β, (i, j)): amplitude · W[π_+^i π_−^j] from component β to component α, with
  π_± = π_x ± iπ_y and π the kinetic momentum −i∇ + eA measured from the momentum offset of the component, π − K_α;
  W is the Weyl ordering, the average over all orders of the factors;
* potential terms (amplitude, α, β, (m1, m2)): amplitude · exp[i (m1 b1 + m2 b2)·r] from component β to component α.

Every term that is not its own Hermitian conjugate is listed once, its conjugate is implied. So V·2cos(b1·r) in
component 0 is the single entry (V, 0, 0, (1, 0)), a constant m is (m, 0, 0, (0, 0)), and c π² is (c, 0, 0, (1, 1)).
"""

from typing import NamedTuple

import numpy as np

# ħ²/2mₑ in meV Å², CODATA 2018.
HBAR2_OVER_2ME = 3809.98211


class Model(NamedTuple):
    """A continuum model at zero field in plain NumPy."""

    vectors: np.ndarray  # a1, a2 as rows, a1 × a2 > 0
    offsets: np.ndarray  # K_α, Cartesian, one row per component
    kinetic: list  # (amplitude, α, β, (i, j))
    potential: list  # (amplitude, α, β, (m1, m2))


def all_kinetic(model):
    """The kinetic terms with the implied conjugates: (W[π_+^i π_−^j])† = W[π_+^j π_−^i]."""
    terms = []
    for amplitude, alpha, beta, (i, j) in model.kinetic:
        # The frame of a kinetic term is ambiguous unless both components have the same offset.
        assert np.allclose(model.offsets[alpha], model.offsets[beta])
        terms.append((amplitude, alpha, beta, (i, j)))
        if alpha == beta and i == j:
            assert np.imag(amplitude) == 0
        else:
            terms.append((np.conj(amplitude), beta, alpha, (j, i)))
    return terms


def all_potential(model):
    """The potential terms with the implied conjugates."""
    terms = []
    for amplitude, alpha, beta, (m1, m2) in model.potential:
        terms.append((amplitude, alpha, beta, (m1, m2)))
        if alpha == beta and (m1, m2) == (0, 0):
            assert np.imag(amplitude) == 0
        else:
            terms.append((np.conj(amplitude), beta, alpha, (-m1, -m2)))
    return terms


def reciprocal(vectors):
    """The rows b1, b2 with a_i · b_j = 2π δ_ij."""
    return 2 * np.pi * np.linalg.inv(np.asarray(vectors)).T


def area(vectors):
    (x1, y1), (x2, y2) = vectors
    return x1 * y2 - y1 * x2


def time_reversed(model):
    """The complex conjugate at zero field, p → −p: the other valley. Conjugation turns π_± into −π_∓."""
    return Model(
        model.vectors,
        -model.offsets,
        [((-1) ** (i + j) * np.conj(t), alpha, beta, (j, i)) for t, alpha, beta, (i, j) in model.kinetic],
        [(np.conj(v), alpha, beta, (-m1, -m2)) for v, alpha, beta, (m1, m2) in model.potential],
    )


SQUARE = np.array([[1.0, 0.0], [0.0, 1.0]])
TRIANGULAR = np.array([[1.0, 0.0], [0.5, np.sqrt(3) / 2]])
SQUARE_STAR = [(1, 0), (0, 1)]
TRIANGULAR_STAR = [(1, 0), (0, 1), (1, 1)]


def electron_gas(lattice, v, c=1.0):
    """H = c π² + V Σ_star 2cos(G·r), lattice constant 1, on the "square" or the "triangular" lattice."""
    vectors, star = {"square": (SQUARE, SQUARE_STAR), "triangular": (TRIANGULAR, TRIANGULAR_STAR)}[lattice]
    return Model(vectors, np.zeros((1, 2)), [(c, 0, 0, (1, 1))], [(v, 0, 0, g) for g in star])


def dirac(u, mz=0.0, m=0.0, v=1.0):
    """H = v σ·π + (U + M σz) Σ 2cos(G·r) + m σz on the square lattice, valley K; components A, B."""
    potential = [(m, 0, 0, (0, 0)), (-m, 1, 1, (0, 0))]
    for g in SQUARE_STAR:
        potential += [(u + mz, 0, 0, g), (u - mz, 1, 1, g)]
    # σ·π = [[0, π_−], [π_+, 0]].
    return Model(SQUARE, np.zeros((2, 2)), [(v, 0, 1, (0, 1))], potential)


def bistritzer_macdonald(w0=88.0, w1=110.0, theta_degrees=1.05, v=5944.0, a0=2.46, rotate=False, valley=1):
    """Twisted bilayer graphene, one valley and spin: components (tA, tB, bA, bB), energies in meV, lengths in Å.

    H = [[v σ·(π − K_t), T], [T†, v σ·(π − K_b)]] with q1 = k_θ (0, 1), q_{j+1} = C3 q_j, b1 = q2 − q1, b2 = q3 − q1,
    K_t = −q3, K_b = q2 (so that k = 0 is Γ), and from the bottom to the top layer

        T = T_1 + T_2 exp(−ib1·r) + T_3 exp(−ib2·r),  T_j = w0 + w1 (cos φ_j σx + sin φ_j σy),  φ_j = 2π(j − 1)/3.

    As K_t − K_b = +q1, the Dirac point of the top layer is the one turned by +θ/2 (K along +x).

    Args:
        w0: Tunneling between equal sublattices.
        w1: Tunneling between unequal sublattices.
        theta_degrees: Twist angle.
        v: Velocity.
        a0: Lattice constant of graphene.
        rotate: Turn the Pauli matrices with the layers, the top one by +θ/2 and the bottom one by −θ/2: in a layer
            turned by ϑ, σ·π becomes [[0, e^{iϑ} π_−], [e^{−iϑ} π_+, 0]].
        valley: +1 for K; −1 for K', the complex conjugate with h = −v σ*·(π + K_layer).
    """
    theta = np.deg2rad(theta_degrees)
    k_theta = 2 * 4 * np.pi / (3 * a0) * np.sin(theta / 2)
    q1 = k_theta * np.array([0.0, 1.0])
    c, s = np.cos(2 * np.pi / 3), np.sin(2 * np.pi / 3)
    c3 = np.array([[c, -s], [s, c]])
    q2, q3 = c3 @ q1, c3 @ c3 @ q1
    vectors = reciprocal(np.array([q2 - q1, q3 - q1]))
    offsets = valley * np.array([-q3, -q3, q2, q2])

    kinetic = []
    for a, b, angle in ((0, 1, theta / 2), (2, 3, -theta / 2)):
        amplitude = v * (np.exp(1j * angle) if rotate else 1)
        if valley == 1:
            kinetic.append((amplitude, a, b, (0, 1)))
        else:
            kinetic.append((-np.conj(amplitude), a, b, (1, 0)))

    potential = []
    for j, harmonic in enumerate(((0, 0), (-1, 0), (0, -1))):
        phase = np.exp(2j * np.pi * j / 3)
        t = np.array([[w0, w1 * np.conj(phase)], [w1 * phase, w0]])
        if valley == -1:
            t, harmonic = t.conj(), (-harmonic[0], -harmonic[1])
        for row in range(2):
            for column in range(2):
                potential.append((t[row, column], row, 2 + column, harmonic))
    return Model(vectors, offsets, kinetic, potential)


# θ (degrees), a0 (Å), m*/mₑ, V (meV), ψ (degrees), w (meV).
TMD_PARAMETERS = {
    "WSe2_Devakul2021": (2.0, 3.317, 0.43, 9.0, 128.0, 18.0),
    "MoTe2_Wu2019": (1.2, 3.472, 0.62, 8.0, -89.6, -8.5),
    "MoTe2_Reddy2023": (3.0, 3.52, 0.62, 11.2, -91.0, -13.3),
}


def twisted_tmd(theta_degrees, a0, mass, v, psi_degrees, w):
    """Twisted transition metal dichalcogenide homobilayer, valley K: components (layer 0, layer 1), meV and Å.

    H = −(ħ²/2m*)(π − K_l)² + 2V Σ_{g1, g3, g5} cos(g·r ± ψ) (+ in layer 0, − in layer 1), and from layer 1 to layer 0
    w (1 + exp(−ig2·r) + exp(−ig3·r)). g1 = (4π/√3 a_M)(1, 0), g_{j+1} is g_j turned by 60°, b1 = g1, b2 = g3.
    Energies are those of electrons, the bands of interest are at the top.
    """
    a_m = a0 / (2 * np.sin(np.deg2rad(theta_degrees) / 2))
    g = 4 * np.pi / (np.sqrt(3) * a_m)
    vectors = reciprocal(g * np.array([[1.0, 0.0], [-0.5, np.sqrt(3) / 2]]))
    corner = 4 * np.pi / (3 * a_m)
    offsets = corner * np.array([[-np.sqrt(3) / 2, -0.5], [-np.sqrt(3) / 2, 0.5]])
    kinetic = [(-HBAR2_OVER_2ME / mass, layer, layer, (1, 1)) for layer in (0, 1)]
    psi = np.deg2rad(psi_degrees)
    potential = []
    for harmonic in ((1, 0), (0, 1), (-1, -1)):  # g1, g3, g5
        potential += [(v * np.exp(1j * psi), 0, 0, harmonic), (v * np.exp(-1j * psi), 1, 1, harmonic)]
    for harmonic in ((0, 0), (-1, -1), (0, -1)):  # 1, −g2, −g3
        potential.append((w, 0, 1, harmonic))
    return Model(vectors, offsets, kinetic, potential)
