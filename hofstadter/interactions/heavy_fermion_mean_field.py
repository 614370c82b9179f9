"""One-shot mean field of topological heavy fermions: occupied f orbitals shift the levels of everything else.

The occupation of the f orbitals is fixed, a density matrix ρ of f1 and f2 in both valleys for each spin, and the c
electrons fill half of their states. Hartree's and Fock's potentials of this are, in an orbital basis of one spin,

    f:         (U1 + 6 U2) ν_f − U1 (ρ − ½),
    c1, c2:    W1 ν_f,
    c3, c4:    W3 ν_f − J S ∘ (ρ − ½),    S_{ηα, η'α'} = (ηη' + (−1)^{α+α'})/2,

with ν_f = Σ tr ρ − 4 electrons per cell, element by element in the product with S, where c3 and c4 go with f1 and f2.
They do not depend on momentum or field. In the limit M = 0 all parents that a flat U(4) rotation connects have one
spectrum. Not verified against a published calculation: U1, U2 and J depend on how f orbitals are chosen, by some 15 %;
and at ν ≠ 0, where a self-consistent filling of the c electrons would reduce the relative shift of f and c levels, gaps
in energy depend on U2 and may come out negative. Chern numbers of gaps do not suffer from either.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from hofstadter._checks import check_finite, fail
from hofstadter.models.heavy_fermions import HeavyFermions

ValleyState = Literal["empty", "f1", "f2", "filled"]
SpinState = tuple[ValleyState, ValleyState] | Literal["K-IVC"]
"""What one spin has: a state of valley +1 and one of valley −1, or Kramers' intervalley-coherent state of both."""

OCCUPATION = {"empty": (0.0, 0.0), "f1": (1.0, 0.0), "f2": (0.0, 1.0), "filled": (1.0, 1.0)}
# What a state of valley −1 is in valley +1 after a rotation by 180°, which takes the orbitals into this order.
OTHER: dict[str, ValleyState] = {"empty": "empty", "f1": "f2", "f2": "f1", "filled": "filled"}
SWAPPED = [1, 0, 3, 2, 5, 4]
NAMES = {"empty": "empty", "f1": "f1 of K or f2 of K′", "f2": "f2 of K or f1 of K′", "filled": "filled"}
# η and α of f1+, f2+, f1−, f2−.
VALLEY, ORBITAL = np.array([1, 1, -1, -1]), np.array([1, 2, 1, 2])


@dataclasses.dataclass(frozen=True)
class HeavyFermionRepulsion:
    """Interactions of heavy fermions in meV.

    Attributes:
        u1: On-site repulsion of f electrons.
        u2: Repulsion of f electrons on neighboring sites; 0 leaves their shift at ν ≠ 0 out.
        w1: Repulsion of f electrons with c1, c2.
        w3: Repulsion of f electrons with c3, c4.
        exchange: J, ferromagnetic exchange of f electrons with c3, c4.
    """

    u1: float
    u2: float
    w1: float
    w3: float
    exchange: float


def heavy_fermion_repulsion(
    w0_over_w1: float = 0.8,
    u1_mev: float | None = None,
    u2_mev: float | None = None,
    w1_mev: float | None = None,
    w3_mev: float | None = None,
    exchange_mev: float | None = None,
) -> HeavyFermionRepulsion:
    """Interactions from the literature, with a double gate at 10 nm and a dielectric constant of 6; some may be given.

    For w0/w1 = 0.8 after Song and Bernevig, Phys. Rev. Lett. 129, 047601 (2022), quoted from memory; for 0.7 only U1
    and J are known to us, from a figure caption, so that only neutral parents can be computed. None of them is
    verified.

    Args:
        w0_over_w1: 0.7 or 0.8.
        u1_mev: U1 instead of the published one, and so on.
        u2_mev: U2.
        w1_mev: W1.
        w3_mev: W3.
        exchange_mev: J.

    Raises:
        ValueError: If nothing is known for `w0_over_w1`, or a number is not finite.
    """
    nan = float("nan")
    published = {0.8: (57.95, 2.329, 44.03, 50.20, 16.38), 0.7: (51.72, nan, nan, nan, 18.27)}
    if w0_over_w1 not in published:
        raise fail("w0_over_w1", "0.7 or 0.8", w0_over_w1)
    given = {"u1_mev": u1_mev, "u2_mev": u2_mev, "w1_mev": w1_mev, "w3_mev": w3_mev, "exchange_mev": exchange_mev}
    for name, value in given.items():
        if value is not None:
            check_finite(name, value)
    chosen = zip(given.values(), published[w0_over_w1], strict=True)
    return HeavyFermionRepulsion(*(known if value is None else value for value, known in chosen))


class MeanFieldFlavor(NamedTuple):
    """Electrons that no other ones couple to, in the mean field of a parent state.

    Attributes:
        name: What of it is occupied, "K-IVC" for both valleys together.
        model: Their model. That of valley −1 is replaced by its image in valley +1, which has the same spectrum and
            Chern numbers.
        degeneracy: How many valleys and spins have it.
        filling: f electrons per cell, counted from half filling.
        chern: t of its part of the parent, 0 where f orbitals are filled or empty in pairs; None for half-filled
            flavors, where it is to be computed.
    """

    name: str
    model: HeavyFermions
    degeneracy: int
    filling: int
    chern: int | None


def parent_filling(parent: Sequence[SpinState]) -> int:
    """ν_f of a parent state: f electrons per cell, from −4 to 4."""
    return round(sum(float(np.trace(_density(spin))) for spin in _checked(parent))) - 4


def mean_field_flavors(
    model: HeavyFermions, parent: Sequence[SpinState], repulsion: HeavyFermionRepulsion
) -> list[MeanFieldFlavor]:
    """The flavors of charged excitations above a parent state, equal ones counted once.

    Args:
        model: One valley without a potential; the other one is its partner under time reversal.
        parent: What each of the two spins has. (("filled", "empty"), ("filled", "empty")) is valley-polarized at
            neutrality, ("K-IVC", "K-IVC") intervalley-coherent; "f1" and "f2" are half-filled flavors.
        repulsion: The interactions.

    Raises:
        ValueError: If the parent is not two such states, the model has a potential or two valleys, or an interaction
            that counts at this filling is not known.
    """
    spins = _checked(parent)
    if model.valleys != (1,):
        raise fail("model", "of valley +1", f"of {model.valleys}")
    if np.any(np.asarray(model.potential)):
        raise fail("model", "without a potential", "one with a potential")
    filling = parent_filling(parent)
    for name in ("u1", "exchange") if filling == 0 else ("u1", "u2", "w1", "w3", "exchange"):
        if not np.isfinite(getattr(repulsion, name)):
            raise fail("repulsion", f"known at filling {filling}", f"one without {name}", "Give it.")
    found: dict[str, MeanFieldFlavor] = {}
    for spin in spins:
        potential = _potential(_density(spin), filling, repulsion)
        if spin == "K-IVC":
            parts = [("K-IVC", (1, -1), potential, 0)]
        else:
            # A rotation by 180° takes valley −1 at k to valley +1 at −k, and exchanges orbitals 1 and 2.
            swapped = potential[6:, 6:][np.ix_(SWAPPED, SWAPPED)]
            states = (spin[0], OTHER[spin[1]])
            parts = [
                (NAMES[state], (1,), part, round(sum(OCCUPATION[state])) - 1)
                for state, part in zip(states, (potential[:6, :6], swapped), strict=True)
            ]
        for name, valleys, part, electrons in parts:
            if name in found:
                found[name] = found[name]._replace(degeneracy=found[name].degeneracy + 1)
                continue
            changed = dataclasses.replace(
                model,
                valleys=valleys,
                potential=jnp.asarray(part, model.potential.dtype),
                bands_per_cell=model.bands_per_cell * len(valleys),
            )
            paired = spin == "K-IVC" or electrons != 0
            found[name] = MeanFieldFlavor(name, changed, 1, electrons, 0 if paired else None)
    return list(found.values())


def _checked(parent: Sequence[SpinState]) -> list[SpinState]:
    spins: list[SpinState] = []
    for spin in parent:
        fits = spin == "K-IVC" if isinstance(spin, str) else len(spin) == 2 and all(own in OCCUPATION for own in spin)
        if not fits:
            states = ", ".join(OCCUPATION)
            raise fail("parent", f'for each spin "K-IVC" or a state of each valley ({states})', repr(spin))
        spins.append(spin if isinstance(spin, str) else (spin[0], spin[1]))
    if len(spins) != 2:
        raise fail("parent", "states of each of the two spins", f"{len(spins)} states")
    return spins


def _density(spin: SpinState) -> np.ndarray:
    """ρ of f1+, f2+, f1−, f2−."""
    if spin != "K-IVC":
        return np.diag([*OCCUPATION[spin[0]], *OCCUPATION[spin[1]]])
    density = np.eye(4) / 2
    density[0, 3] = density[3, 0] = 0.5
    density[1, 2] = density[2, 1] = -0.5
    return density


def _potential(density: np.ndarray, filling: int, repulsion: HeavyFermionRepulsion) -> np.ndarray:
    """The potential of one spin in the orbitals c1, c2, c3, c4, f1, f2 of valley +1, then of valley −1."""
    deviation = density - np.eye(4) / 2
    signs = (np.outer(VALLEY, VALLEY) + (-1.0) ** np.add.outer(ORBITAL, ORBITAL)) / 2
    # A neutral parent has no Hartree shifts, whatever the interactions that make them are.
    f_shift, w1_shift, w3_shift = (
        (filling * (repulsion.u1 + 6 * repulsion.u2), filling * repulsion.w1, filling * repulsion.w3)
        if filling
        else (0.0, 0.0, 0.0)
    )
    result = np.zeros((12, 12))
    c12, c34, f12 = (np.array([first, first + 1, first + 6, first + 7]) for first in (0, 2, 4))
    result[c12, c12] = w1_shift
    result[np.ix_(c34, c34)] = w3_shift * np.eye(4) - repulsion.exchange * signs * deviation
    result[np.ix_(f12, f12)] = f_shift * np.eye(4) - repulsion.u1 * deviation
    return result
