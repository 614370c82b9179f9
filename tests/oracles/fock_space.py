"""Second quantization written out: a density-density repulsion acting on Slater determinants of a small torus.

    H = (1/2A) Σ_p V(|p|) O(p)† O(p),   O(p) = Σ_f Σ_ij ρ^f_ij(p) (c†_i,f c_j,f − δ_ij/2),

where ρ^f(p) = ⟨i|exp(ip·r)|j⟩ between the states of some bands on a torus and p runs over all momenta of the torus. The
states are eigenvectors of the Hamiltonian of the whole torus, without any momentum of their own. A determinant is an
integer, whose bits are the occupied orbitals; a state is a dictionary from determinants to amplitudes.
"""

import itertools

import numpy as np

from . import flux_torus
from .continuum_models import area, reciprocal


class Torus:
    """States of some bands on a torus, and the densities between them.

    Attributes:
        area: Area of the torus.
        momenta: Cartesian momenta p up to a cut-off.
        densities: ρ(p) between the states, one per momentum.
        energies: Energies of the states.
    """

    def __init__(self, size, momenta, densities, energies):
        self.area, self.momenta, self.densities, self.energies = size, momenta, densities, energies


def continuum(model, n1, n2, quanta, levels, theta, first, count, cutoff):
    """States `first` … `first + count − 1` of a continuum model on n1 × n2 cells; see `flux_torus.hamiltonian`."""
    energies, vectors = np.linalg.eigh(flux_torus.hamiltonian(model, n1, n2, quanta, levels, theta))
    states = vectors[:, first : first + count]
    length = np.sqrt(n1 * n2 * area(model.vectors) / (2 * np.pi * quanta))
    c1, c2 = reciprocal(model.vectors) / np.array([[n1], [n2]])
    momenta, densities = [], []
    for m1, m2 in torus_momenta(c1, c2, cutoff):
        p = m1 * c1 + m2 * c2
        wave = flux_torus.guiding_wave(m1, m2, quanta, theta)
        row, total = 0, np.zeros((count, count), complex)
        for component, kept in enumerate(levels):
            # D(z_K)† D(z_p) D(z_K) = exp(2i Im z_p z_K*) D(z_p), in the frame of a component measured from K.
            z, z_k = (length * (w[0] - 1j * w[1]) / np.sqrt(2) for w in (p, model.offsets[component]))
            block = np.exp(2j * np.imag(z * np.conj(z_k))) * flux_torus.displacement(z, kept, kept)
            part = states[row : row + kept * quanta].reshape(kept, quanta, count)
            total += np.einsum("msi,mn,st,ntj->ij", part.conj(), block, wave, part, optimize=True)
            row += kept * quanta
        momenta.append(p)
        densities.append(total)
    return Torus(n1 * n2 * area(model.vectors), np.array(momenta), densities, energies[first : first + count])


def lattice(hamiltonian, positions, vectors, l1, l2, first, count, cutoff):
    """The same of sites at given positions, on l1 × l2 primitive cells."""
    energies, found = np.linalg.eigh(hamiltonian)
    states = found[:, first : first + count]
    c1, c2 = reciprocal(vectors) / np.array([[l1], [l2]])
    momenta = np.array([m1 * c1 + m2 * c2 for m1, m2 in torus_momenta(c1, c2, cutoff)])
    densities = [states.conj().T @ (np.exp(1j * positions @ p)[:, None] * states) for p in momenta]
    return Torus(l1 * l2 * area(vectors), momenta, densities, energies[first : first + count])


def torus_momenta(c1, c2, cutoff):
    """Integers (m1, m2) of all momenta m1 c1 + m2 c2 up to a length."""
    reach = int(cutoff / np.sqrt(abs(c1[0] * c2[1] - c1[1] * c2[0])) * 3) + 2
    grid = itertools.product(range(-reach, reach + 1), repeat=2)
    return [(m1, m2) for m1, m2 in grid if np.linalg.norm(m1 * c1 + m2 * c2) <= cutoff * (1 + 1e-9)]


class FockSpace:
    """Several flavors on the same torus, each with its own states.

    Attributes:
        tori: The torus of each flavor.
        repulsion: V as a function of |p|.
    """

    def __init__(self, tori, repulsion):
        self.tori, self.repulsion = tori, repulsion
        self.size = len(tori[0].energies)

    def filled(self, flavors):
        """The determinant of completely filled flavors."""
        return sum((2**self.size - 1) << (flavor * self.size) for flavor in flavors)

    def orbital(self, flavor, state):
        """Number of an orbital."""
        return flavor * self.size + state

    def density(self, number, state, adjoint=False):
        """O(p)|state⟩, or its adjoint, for the momentum of this number."""
        result = {}
        for flavor, torus in enumerate(self.tori):
            rho = torus.densities[number].conj().T if adjoint else torus.densities[number]
            for determinant, amplitude in state.items():
                _add(result, determinant, -amplitude * np.trace(rho) / 2)
                for i, j in itertools.product(range(self.size), repeat=2):
                    moved = _move(determinant, self.orbital(flavor, i), self.orbital(flavor, j))
                    if moved is not None:
                        _add(result, moved[0], amplitude * rho[i, j] * moved[1])
        return result

    def repulsion_on(self, state):
        """H|state⟩."""
        result = {}
        size = self.tori[0].area
        for number, p in enumerate(self.tori[0].momenta):
            weight = self.repulsion(np.linalg.norm(p)) / (2 * size)
            for determinant, amplitude in self.density(number, self.density(number, state), adjoint=True).items():
                _add(result, determinant, weight * amplitude)
        return result

    def matrix(self, determinants):
        """H between determinants, and the largest amplitude that it has with any others."""
        place = {determinant: row for row, determinant in enumerate(determinants)}
        h, outside = np.zeros((len(determinants),) * 2, complex), 0.0
        for column, determinant in enumerate(determinants):
            for other, amplitude in self.repulsion_on({determinant: 1.0}).items():
                if other in place:
                    h[place[other], column] = amplitude
                else:
                    outside = max(outside, abs(amplitude))
        return h, outside


def _add(state, determinant, amplitude):
    if amplitude != 0:
        state[determinant] = state.get(determinant, 0) + amplitude


def _move(determinant, i, j):
    """c†_i c_j on a determinant, with its sign; None if it vanishes."""
    if not determinant >> j & 1:
        return None
    removed = determinant ^ (1 << j)
    if removed >> i & 1:
        return None
    passed = (removed & ((1 << i) - 1)).bit_count() + (determinant & ((1 << j) - 1)).bit_count()
    return removed | (1 << i), -1 if passed % 2 else 1
