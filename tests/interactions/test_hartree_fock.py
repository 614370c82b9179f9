"""Hartree–Fock: against second quantization written out, its own laws, and states that are known exactly."""

import itertools
from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status
from hofstadter.interactions.coulomb import DoubleGateCoulomb, double_gate_coulomb
from hofstadter.interactions.flat_bands import flat_bands, moire_flat_bands
from hofstadter.interactions.form_factors import form_factors
from hofstadter.interactions.hartree_fock import _solve as hartree_fock_program
from hofstadter.interactions.hartree_fock import (
    component_field,
    electrons,
    flavor_field,
    hartree_fock,
    random_field,
)
from hofstadter.interactions.interacting_bands import interacting_bands
from hofstadter.interactions.mean_field_label import mean_field_labels

CUTOFF = 7.0
REPULSION = DoubleGateCoulomb(0.3, 2.0)
K_THETA = 0.031204274638213132


def haldane_bands(mesh=(2, 2), flux=0, valleys=1, spins=1, repulsion=REPULSION):
    """All bands of Haldane's model, valleys related by time reversal."""
    models = [hof.models.haldane(t2=0.15, phase=sign * np.pi / 2) for sign in (1.0, -1.0)[:valleys]]
    problems = [hof.at_flux(model, flux) for model in models]
    group = (0, problems[0].basis_size)
    return interacting_bands(flat_bands(problems, group, repulsion, copies=spins, points=mesh, cutoff=CUTOFF))


def graphene_bands(kappa, points, levels, kinetic=False, flux=1):
    """Both valleys of twisted bilayer graphene."""
    model = hof.models.bistritzer_macdonald(w0_over_w1=kappa)
    repulsion = double_gate_coulomb(model, separation_nm=10.0, dielectric=6.0)
    bands = moire_flat_bands(model, repulsion, flux=flux, points=points, levels=levels, cutoff=8.0 * K_THETA)
    return interacting_bands(bands, kinetic=kinetic)


@pytest.fixture(scope="module")
def haldane():
    """Two valleys with two spins on 2 × 2 momenta."""
    return haldane_bands(valleys=2, spins=2)


def annihilators(count):
    """Matrices of fermion operators in Fock space (Jordan and Wigner)."""
    lower, sign, one = np.array([[0.0, 1.0], [0.0, 0.0]]), np.diag([1.0, -1.0]), np.eye(2)
    found = []
    for site in range(count):
        matrix = np.eye(1)
        for other in range(count):
            matrix = np.kron(matrix, sign if other < site else lower if other == site else one)
        found.append(matrix)
    return found


def fock_space_hamiltonian(bands):
    """H = Σ h0 c†c + (1/2A) Σ_p V(p) O(−p) O(p) of one flavor, as a matrix in Fock space."""
    group = bands.bands.kinds[0]
    points, size = bands.points, bands.orbitals
    c = annihilators(points * size)
    reciprocal = np.asarray(hof.lattice.reciprocal_vectors(group.problem.vectors))
    steps = np.asarray(group.k) - np.asarray(group.k)[0]
    shifts = np.array(list(itertools.product(range(-3, 4), repeat=2)))
    momenta = (steps[:, None, :] + shifts[None, :, :]).reshape(-1, 2)
    length = np.linalg.norm(momenta @ reciprocal, axis=1)
    momenta, length = momenta[length <= CUTOFF], length[length <= CUTOFF]
    factors = np.asarray(form_factors(group, jnp.asarray(momenta)))
    energies = np.asarray(bands.kinetic[0]).reshape(-1)
    total = sum(e * a.T @ a for e, a in zip(energies, c, strict=True)).astype(complex)
    area = float(group.area)
    for p, distance, m in zip(momenta, length, factors, strict=True):
        target = [int(np.argmin(np.abs((k + p - np.asarray(group.k) + 0.5) % 1 - 0.5).sum(axis=1))) for k in group.k]
        density = np.zeros_like(total)
        for k, to in enumerate(target):
            for i, j in itertools.product(range(size), repeat=2):
                density += m[k, i, j] * c[to * size + i].T @ c[k * size + j]
                if to == k and i == j:
                    density -= m[k, i, j] / 2 * np.eye(len(total))
        potential = np.pi * 0.3 * 2.0 * (np.tanh(distance) / distance if distance > 0 else 1.0)
        total += potential / (2 * area) * density.conj().T @ density
    return total, c


def test_energy_of_slater_determinants_in_fock_space():
    """⟨Φ|H|Φ⟩ of random determinants with independent orbitals at each momentum, by second quantization."""
    bands = haldane_bands(mesh=(2, 1))
    hamiltonian, c = fock_space_hamiltonian(bands)
    vacuum = np.zeros(len(hamiltonian))
    vacuum[0] = 1.0
    generator = np.random.default_rng(3)
    for filled in ((0, 1), (1, 1), (2, 1), (2, 0)):
        density = np.zeros((bands.points, 2, 2), complex)
        state = vacuum.astype(complex)
        for k, number in enumerate(filled):
            orbitals = np.linalg.qr(generator.normal(size=(2, 2)) + 1j * generator.normal(size=(2, 2)))[0][:, :number]
            density[k] = orbitals @ orbitals.conj().T
            for column in orbitals.T:
                state = sum(x * c[2 * k + i].T for i, x in enumerate(column)) @ state
        expected = (state.conj() @ hamiltonian @ state).real
        assert float(bands.energy(jnp.asarray(density))) == pytest.approx(expected, abs=1e-12)


def test_fock_matrix_is_the_derivative_of_the_energy(haldane):
    """E(P + tD) − E(P) = t tr F[P] D + O(t²), exactly quadratic."""
    keys = jax.random.split(jax.random.key(2), 2)
    density, change = (random_field(haldane, key) / 8 for key in keys)

    def energy(t):
        return float(haldane.energy(density + t * change))

    slope = (energy(1.0) - energy(-1.0)) / 2
    assert slope == pytest.approx(float(jnp.einsum("kmn,knm->", haldane.fock(density), change).real), rel=1e-12)


def test_runs_conserve_what_they_must(haldane):
    """Number, projector, Hermiticity; the energy never rises; the Fock matrix commutes with the density matrix."""
    starts = jnp.stack([random_field(haldane, jax.random.key(i)) for i in range(3)])
    found = hartree_fock(haldane, 1, starts)
    assert np.all(np.asarray(found.status) == int(Status.OK))
    density = np.asarray(found.density)
    adjoint = density.conj().swapaxes(-1, -2)
    np.testing.assert_allclose(density, adjoint, atol=1e-12)
    np.testing.assert_allclose(np.einsum("akii->a", density).real, electrons(haldane, 1), atol=1e-9)
    np.testing.assert_allclose(density @ density, density, atol=1e-6)
    assert np.max(np.diff(np.asarray(found.history), axis=1)) < 1e-12
    fock = jax.vmap(haldane.fock)(found.density)
    commutator = fock @ found.density - found.density @ fock
    assert np.max(np.abs(commutator)) < 1e-6 * np.max(np.abs(fock))
    alone = hartree_fock(haldane, 1, starts[1])
    assert float(alone.energy[0]) == pytest.approx(float(found.energy[1]), rel=1e-9)


def test_flavors_that_start_apart_stay_apart(haldane):
    """The number in each valley and spin is conserved, and no coherence grows between them."""
    starts = random_field(haldane, jax.random.key(5), mix_valleys=False, mix_spins=False)
    found = hartree_fock(haldane, 0, starts)
    parts = np.asarray(found.density[0]).reshape(haldane.points, 4, 2, 4, 2)
    off_diagonal = parts * (1 - np.eye(4))[None, :, None, :, None]
    assert np.max(np.abs(off_diagonal)) < 1e-12


def test_unfinished_runs_say_so(haldane):
    """A single step from noise does not converge, and nothing is hidden."""
    found = hartree_fock(haldane, 1, random_field(haldane, jax.random.key(0)), max_steps=1)
    assert int(found.status[0]) == int(Status.HARTREE_FOCK_NOT_CONVERGED)
    assert float(found.residual[0]) > 1e-3


@pytest.mark.parametrize(
    ("filling", "message"), [("1/7", "whole number"), (4, "between"), (-9, "between")], ids=["fraction", "full", "less"]
)
def test_impossible_fillings(haldane, filling, message):
    """Fillings without a whole number of electrons, or beyond the bands, are refused."""
    with pytest.raises(ValueError, match=message):
        electrons(haldane, filling)


def test_starts_of_the_wrong_shape(haldane):
    """The message says which shape is wanted."""
    with pytest.raises(ValueError, match="shape"):
        hartree_fock(haldane, 0, jnp.zeros((3, 2, 2), complex))
    with pytest.raises(ValueError, match="energies"):
        flavor_field(haldane, jnp.zeros((3, 2)))


@pytest.mark.parametrize(
    ("flux", "mesh"), [((1, 3), (6, 2)), pytest.param(0, (6, 6), marks=pytest.mark.slow)], ids=["third", "zero"]
)
def test_labels_of_nearly_free_electrons(flux, mesh):
    """Without repulsion the label is the band's own Chern number."""
    bands = haldane_bands(mesh=mesh, flux=flux, repulsion=DoubleGateCoulomb(1e-9, 2.0))
    problem = bands.bands.kinds[0].problem
    p, q = int(problem.p), int(problem.q)
    filling = Fraction(1 - q, q)
    found = hartree_fock(bands, filling, bands.one_body)
    labels = mean_field_labels(bands, found)
    chern = hof.chern(problem, bands=(0, 1)).value
    assert int(labels.status[0]) == int(Status.OK)
    assert float(labels.t[0]) == chern
    assert chern != 0
    assert float(labels.s[0]) == pytest.approx(float(filling - Fraction(int(chern) * p, q)), abs=1e-12)


def test_runs_go_on_from_a_density_matrix(haldane):
    """Minus the density matrix of a converged run is a start that has nothing left to do."""
    found = hartree_fock(haldane, 1, random_field(haldane, jax.random.key(0))[None].repeat(3, axis=0))
    again = hartree_fock(haldane, 1, -found.density)
    assert np.all(np.asarray(again.steps) <= 1)
    np.testing.assert_allclose(np.asarray(again.energy), np.asarray(found.energy), rtol=1e-12)


@pytest.mark.parametrize("platform", ["cpu", "cuda", "tpu"])
@pytest.mark.usefixtures("unchecked_types")
def test_runs_lower_for_accelerators(haldane, platform):
    """A whole run is one program; for TPUs in single precision."""
    single = platform == "tpu"
    narrow = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64, np.dtype(np.int64): np.int32}
    arrays, static = eqx.partition((haldane, random_field(haldane, jax.random.key(0))[None]), eqx.is_array)
    shapes = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, narrow.get(x.dtype, x.dtype) if single else x.dtype), arrays
    )

    def run(arrays):
        bands, starts = eqx.combine(arrays, static)
        return hartree_fock_program(bands, 12, starts, 50, 1e-6)

    with jax.enable_x64(not single):
        text = jax.export.export(jax.jit(run), platforms=[platform])(shapes).mlir_module()
    assert ("f64" in text) != single


@pytest.mark.slow
def test_full_flavors_at_one_quantum_are_exact():
    """At neutrality every full flavor is an eigenstate: zero energy, and the levels ± those of half the exchange."""
    bands = graphene_bands(0.8, (2, 2), 20)
    polarized = flavor_field(bands, jnp.array([[0.0, 2.0], [1.0, 3.0]]))
    sublattice = component_field(bands, jnp.array([1.0, -1.0, 1.0, -1.0]))
    found = hartree_fock(bands, 0, jnp.stack([polarized, sublattice]))
    assert np.all(np.asarray(found.status) == int(Status.OK))
    assert int(found.steps[0]) == 1
    assert float(found.energy[0]) == pytest.approx(0, abs=1e-10)
    half = [np.linalg.eigvalsh(np.asarray(tables.exchange)) for tables in bands.bands.on_mesh]
    levels = np.sort(np.concatenate(half, axis=1), axis=1)
    energies = np.asarray(found.energies[0])
    np.testing.assert_allclose(energies[:, 4:], levels, atol=1e-9)
    np.testing.assert_allclose(energies[:, :4], -levels[:, ::-1], atol=1e-9)
    # The same orbital filled in all flavors costs Hartree energy and is no ground state.
    assert float(found.energy[1]) > 1
    assert float(jnp.einsum("kmn,knm->", found.density[1], sublattice).real) < 0


@pytest.mark.slow
def test_twisted_bilayer_graphene_at_one_quantum():
    """Charge gaps of the exact states; at ν = 2 and w0/w1 = 0.8 the filled flavor is not the ground state."""
    bands = graphene_bands(0.8, (6, 6), 80)
    polarized = flavor_field(bands, jnp.array([[0.0, 1.0], [2.0, 3.0]]))
    noise = random_field(bands, jax.random.key(1))
    found = hartree_fock(bands, 0, jnp.stack([polarized, noise]))
    np.testing.assert_allclose(np.asarray(found.energy), 0, atol=1e-6)
    np.testing.assert_allclose(np.asarray(found.gap), 30.268, atol=1e-3)
    exact = hartree_fock(bands, 2, polarized, max_steps=1).history[0, 0]
    lower = hartree_fock(bands, 2, jnp.stack([polarized, noise]))
    assert float(lower.energy[0]) < float(exact) + 1e-9
    assert float(lower.energy[1]) < float(exact) - 1
    gapped = graphene_bands(0.7, (6, 6), 80)
    found = hartree_fock(gapped, 2, flavor_field(gapped, jnp.array([[0.0, 1.0], [2.0, 3.0]])))
    assert float(found.gap[0]) == pytest.approx(2.28, abs=0.005)
    assert int(found.steps[0]) == 1


@pytest.mark.slow
def test_intervalley_coherence_gains_from_the_kinetic_energy():
    """At half a quantum and neutrality: flat bands leave all flavors degenerate, their dispersion favors coherence."""
    starts = {}
    for kinetic in (False, True):
        bands = graphene_bands(0.8, (6, 3), 120, kinetic=kinetic, flux=(1, 2))
        fields = [flavor_field(bands, jnp.array([[0.0, 1.0], [2.0, 3.0]]))]
        fields += [random_field(bands, jax.random.key(i)) for i in range(2)]
        fields += [random_field(bands, jax.random.key(7), mix_valleys=False)]
        starts[kinetic] = hartree_fock(bands, 0, jnp.stack(fields))
        assert np.all(np.asarray(starts[kinetic].status) == int(Status.OK))
    np.testing.assert_allclose(np.asarray(starts[False].energy), 0, atol=1e-6)
    np.testing.assert_allclose(np.asarray(starts[True].energy)[[0, 3]], 0, atol=1e-6)
    assert np.all(np.asarray(starts[True].energy)[1:3] < -0.1)
