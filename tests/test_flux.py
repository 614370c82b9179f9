import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hofstadter.flux import Flux, as_fluxes, farey, farey_neighbors, fluxes_near, simplest_flux


@pytest.mark.usefixtures("unchecked_types")
def test_reads_every_form():
    third = Flux(1, 3)
    assert Flux.of(third) is third
    for value in ("1/3", " 1 / 3 ", "+1/3", (1, 3), [1, 3], Fraction(1, 3), (np.int64(1), np.int32(3))):
        assert Flux.of(value) == third
    assert Flux.of("-7/3") == Flux.of(Fraction(-7, 3)) == Flux(-7, 3)
    assert Flux.of(2) == Flux.of("2") == Flux.of(np.int64(2)) == Flux(2) == Flux(2, 1)
    assert Flux.of(0) == Flux(0, 1)


@pytest.mark.parametrize(("p", "q", "reduced"), [(2, 4, "1/2"), (0, 5, "0/1"), (-6, 4, "-3/2"), (3, 3, "1/1")])
def test_refuses_common_divisors_and_says_what_to_write(p, q, reduced):
    with pytest.raises(ValueError, match=rf"Argument `flux` must be coprime, but is {p}/{q}\. Write {reduced}: "):
        Flux(p, q)


@pytest.mark.parametrize("q", [0, -3])
def test_refuses_denominators_below_one(q):
    with pytest.raises(ValueError, match=rf"Argument `q` must be at least 1, but is {q}\."):
        Flux(1, q)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("bad", [1.0, True, "1", None, np.float64(2), np.bool_(True)])
def test_refuses_what_is_not_an_integer(bad):
    with pytest.raises(TypeError, match="Argument `p` must be an integer, but is "):
        Flux(bad, 3)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("value", [1 / 3, np.float64(1 / 3)])
def test_refuses_floats_and_names_the_nearest_fraction(value):
    with pytest.raises(TypeError, match=r"must be an exact fraction, but is the float .* Write Flux\(1, 3\) if"):
        Flux.of(value)


@pytest.mark.parametrize("text", ["", "1/3/5", "a/b", "1/-3", "0.5", "1 3", "1/"])
def test_refuses_strings_that_are_no_fraction(text):
    with pytest.raises(ValueError, match='Argument `flux` must be a fraction written like "1/3", but is '):
        Flux.of(text)


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize("value", [None, object(), (1, 2, 3), {1: 2}])
def test_refuses_other_types(value):
    with pytest.raises(TypeError, match="Argument `flux` must be an integer, but is "):
        Flux.of(value)


def test_order_hash_and_text():
    fluxes = [Flux(1, 2), Flux(-3, 2), Flux(2, 3), Flux(0), Flux(5, 3)]
    assert sorted(fluxes) == [Flux(-3, 2), Flux(0), Flux(1, 2), Flux(2, 3), Flux(5, 3)]
    assert Flux(1, 2) <= Flux(1, 2) < Flux(2, 3) > Flux(1, 2)
    assert len({Flux(1, 2), Flux.of("1/2"), Flux(1, 3)}) == 2
    assert (str(Flux(-3, 2)), repr(Flux(-3, 2)), float(Flux(-3, 2))) == ("-3/2", "Flux(-3, 2)", -1.5)
    assert Flux.of(str(Flux(-3, 2))) == Flux(-3, 2)
    with pytest.raises(AttributeError):
        Flux(1, 2).p = 3


@pytest.mark.usefixtures("unchecked_types")
def test_fields_are_python_integers():
    flux = Flux(np.int64(2), np.int32(5))
    assert type(flux.p) is int
    assert type(flux.q) is int


@pytest.mark.usefixtures("unchecked_types")
def test_lists_of_fluxes():
    assert as_fluxes(["1/3", (2, 5), 1]) == [Flux(1, 3), Flux(2, 5), Flux(1)]
    assert as_fluxes("1/3") == as_fluxes(Flux(1, 3)) == [Flux(1, 3)]
    assert as_fluxes(2) == [Flux(2)]
    with pytest.raises(ValueError, match="Argument `fluxes` must be a list with at least one flux, but is empty"):
        as_fluxes([])


@pytest.mark.usefixtures("unchecked_types")
@pytest.mark.parametrize(("value", "expected"), [(Fraction(1, 3), Flux(1, 3)), (np.int64(2), Flux(2))])
def test_a_single_flux_of_any_kind_is_a_list_of_one(value, expected):
    assert as_fluxes(value) == [expected]


@pytest.mark.usefixtures("unchecked_types")
def test_a_single_float_is_refused_with_the_hint():
    with pytest.raises(TypeError, match=r"must be an exact fraction, but is the float 0\.5\. Write Flux\(1, 2\) if"):
        as_fluxes(0.5)


@pytest.mark.parametrize("order", [1, 2, 3, 7, 12])
@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 2)])
def test_farey_is_the_list_of_all_reduced_fractions(order, low, high):
    expected = {Fraction(p, q) for q in range(1, order + 1) for p in range(low * q, high * q + 1)}
    sequence = farey(order, low, high)
    assert [Fraction(f.p, f.q) for f in sequence] == sorted(expected)
    for left, right in itertools.pairwise(sequence):
        assert right.p * left.q - left.p * right.q == 1
    assert len(sequence) == 1 + (high - low) * sum(
        sum(math.gcd(n, m) == 1 for m in range(1, n + 1)) for n in range(1, order + 1)
    )


@pytest.mark.usefixtures("unchecked_types")
def test_farey_refuses_bad_limits():
    with pytest.raises(ValueError, match=r"Argument `max_denominator` must be at least 1, but is 0\."):
        farey(0)
    with pytest.raises(ValueError, match=r"Argument `high` must be above low = 2, but is 2\."):
        farey(5, 2, 2)
    with pytest.raises(TypeError, match=r"Argument `low` must be an integer, but is 0\.5"):
        farey(5, 0.5, 2)


@given(st.integers(1, 9).flatmap(lambda q: st.tuples(st.integers(-2 * q, 2 * q), st.just(q))), st.integers(1, 30))
def test_farey_neighbors_by_search(pair, min_denominator):
    fraction = Fraction(*pair)
    p, q = fraction.numerator, fraction.denominator
    left, right = farey_neighbors(Flux(p, q), min_denominator)
    for side, found in ((-1, left), (1, right)):
        candidates = (
            (p2, q2)
            for q2 in range(min_denominator, min_denominator + q + 1)
            for p2 in range(-3 * q2 - 1, 3 * q2 + 2)
            if p2 * q - p * q2 == side
        )
        assert (found.p, found.q) == next(candidates)
    assert left < Flux(p, q) < right


def test_simplest_flux_has_the_smallest_denominator(rng):
    for _ in range(200):
        low = rng.uniform(-2, 2)
        high = low + 10 ** rng.uniform(-4, 0)
        found = simplest_flux(low, high)
        assert low <= float(found) <= high
        for q in range(1, found.q):
            assert np.floor(high * q) < np.ceil(low * q), (low, high, q)
    assert simplest_flux(0.3, 0.35) == Flux(1, 3)
    assert simplest_flux(-0.35, -0.3) == Flux(-1, 3)
    assert simplest_flux(-0.1, 0.2) == Flux(0, 1)
    with pytest.raises(ValueError, match="must be at least low"):
        simplest_flux(0.3, 0.2)


def test_fluxes_near_even_numbers():
    values = np.linspace(1 / 200, 0.3, 80)
    fluxes = fluxes_near(values)
    step = values[1] - values[0]
    assert np.abs(np.array([float(flux) for flux in fluxes]) - values).max() <= step / 4
    assert fluxes == sorted(set(fluxes))
    assert max(flux.q for flux in fluxes) <= np.ceil(2 / step)
    assert fluxes_near([0.0, 0.1])[0] == Flux(0, 1)
    assert abs(float(fluxes_near([0.123])[0]) - 0.123) <= 0.123 / 4


def test_fluxes_near_refuses():
    for values in ([0.2, 0.1], [0.1, 0.1], [], np.array([[0.1]])):
        with pytest.raises(ValueError, match="ascending"):
            fluxes_near(values)
    with pytest.raises(ValueError, match="finite"):
        fluxes_near([0.1, np.nan])
    with pytest.raises(ValueError, match="tolerance"):
        fluxes_near([0.1, 0.2], tolerance=0.5)
    with pytest.raises(ValueError, match=r"`max_denominator` must be at least .* needs"):
        fluxes_near(np.linspace(0.001, 0.002, 10), max_denominator=50)
