"""What hypothesis draws: fluxes, momenta, and recipes for models without symmetry."""

import math

from hypothesis import strategies as st

from tests import systems


def fluxes(max_q: int = systems.CELLS, max_quanta: int = 3):
    """Coprime pairs (p, q), several quanta in both directions."""
    return (
        st.integers(1, max_q)
        .flatmap(lambda q: st.tuples(st.integers(-max_quanta * q, max_quanta * q), st.just(q)))
        .filter(lambda flux: math.gcd(*flux) == 1)
    )


def momenta():
    """Reduced momenta, also outside the zone."""
    component = st.floats(-2, 2, allow_nan=False, width=32)
    return st.tuples(component, component)


def recipes():
    """Arguments (structure, seed) of `systems.random_model`; the test itself builds the model.

    Run-time type checks use Python's `random`, which hypothesis does not allow while it draws.
    """
    return st.tuples(st.integers(0, len(systems.RANDOM_STRUCTURES) - 1), st.integers(0, 2**16))
