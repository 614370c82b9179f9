"""Fits of synthetic data, whose right answer is known."""

import dataclasses
import functools
import sys

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status

models = hof.models
TRUE = {"t2": 0.12, "mass": 0.35}
START = {"t2": 0.05, "mass": 0.2}
# Gaps of one matrix size, so that one program does them all.
LABELS = [("1/3", 1, 0), ("1/3", 2, -1), ("1/3", 0, 1), ("1/4", 1, 0), ("1/4", 0, 1), ("1/4", 2, -1), ("1/4", 0, 2)]


@functools.cache
def exact():
    gaps = [hof.GapSize(flux, s, t, 1.0, 1.0) for flux, s, t in LABELS]
    return gaps, hof.predict_observations(models.honeycomb(**TRUE), gaps)


def noisy(rng, share=0.01):
    """Gaps of the true model with noise that is a share of each."""
    gaps, sizes = exact()
    return [
        dataclasses.replace(gap, size=float(size * (1 + share * rng.normal())), error=float(share * size))
        for gap, size in zip(gaps, sizes, strict=True)
    ]


def pulls(result):
    """(found − true)/standard error of each parameter."""
    return [(result.values[name] - TRUE[name]) / result.standard_errors[name] for name in TRUE]


def test_both_methods_find_the_model_within_its_error_bars(rng):
    data = noisy(rng)
    newton = hof.fit(models.honeycomb, START, data)
    gradient = hof.fit(models.honeycomb, START, data, method="gradient")
    for result in (newton, gradient):
        assert (result.status, result.message) == (Status.OK, Status.OK.message)
        assert np.abs(pulls(result)).max() < 3
        assert result.degrees_of_freedom == 5
        # 5 ± 5 standard deviations of a chi² distribution.
        assert 0.2 < result.chi_squared < 5 + 5 * np.sqrt(10)
        np.testing.assert_allclose(result.residuals, (_sizes(data) - result.predicted) / _errors(data), atol=1e-12)
        assert result.chi_squared == pytest.approx(np.sum(result.residuals**2), rel=1e-6)
    for name in TRUE:
        assert abs(newton.values[name] - gradient.values[name]) < 1e-3 * newton.standard_errors[name]
    np.testing.assert_allclose(newton.covariance, gradient.covariance, rtol=1e-4)
    again = hof.predict_observations(newton.model, data)
    np.testing.assert_allclose(again, newton.predicted, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gauss_newton", "gradient"])
def test_error_bars_hold_over_many_noises(method, rng):
    results = [hof.fit(models.honeycomb, START, noisy(rng), method=method) for _ in range(60)]
    assert {result.status for result in results} == {Status.OK}
    pull = np.array([pulls(result) for result in results])
    # The mean of 60 normal numbers is wrong by 1/√60 = 0.13, their standard deviation by 1/√120 = 0.09.
    assert np.abs(pull.mean(axis=0)).max() < 4 * 0.13
    assert np.abs(pull.std(axis=0) - 1).max() < 4 * 0.09
    assert np.mean(np.abs(pull) < 1) == pytest.approx(0.683, abs=0.17)
    chi_squared = np.mean([result.chi_squared for result in results]) / results[0].degrees_of_freedom
    assert chi_squared == pytest.approx(1, abs=4 * np.sqrt(2 / (5 * 60)))


def test_without_noise_the_model_comes_back_exactly(rng):
    data = [dataclasses.replace(gap, size=float(size), error=0.01) for gap, size in zip(*exact(), strict=True)]
    result = hof.fit(models.honeycomb, START, data)
    assert result.values == pytest.approx(TRUE, abs=1e-7)
    assert result.chi_squared < 1e-8
    # The full second derivatives differ from Gauss-Newton's by residuals only, which are zero.
    full = hof.fit(models.honeycomb, result.values, data, full_hessian=True)
    np.testing.assert_allclose(full.covariance, result.covariance, rtol=1e-3)


@pytest.mark.slow
def test_the_full_hessian_is_that_of_chi_squared(rng):
    data = noisy(rng, share=0.05)
    result = hof.fit(models.honeycomb, START, data, full_hessian=True)
    center, step = np.array(list(result.values.values())), 0.1 * np.array(list(result.standard_errors.values()))

    def half_chi_squared(place):
        sizes = hof.predict_observations(models.honeycomb(t2=place[0], mass=place[1]), data)
        return np.sum(((sizes - _sizes(data)) / _errors(data)) ** 2) / 2

    hessian = np.zeros((2, 2))
    for i in range(2):
        for j in range(2):
            for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
                place = center + a * step * np.eye(2)[i] + b * step * np.eye(2)[j]
                hessian[i, j] += a * b * half_chi_squared(place) / (4 * step[i] * step[j])
    np.testing.assert_allclose(np.linalg.inv(hessian), result.covariance, rtol=2e-3)
    simple = hof.fit(models.honeycomb, START, data)
    assert np.abs(simple.covariance / result.covariance - 1).max() > 5e-3


@pytest.mark.slow
def test_unknown_offset_and_scale_of_measured_energies(rng):
    levels = [hof.LevelEnergy("1/3", band, side, 0.0, 0.02) for band in range(6) for side in ("lower", "upper")]
    energies = hof.predict_observations(models.honeycomb(mass=0.35), levels)
    noise = 0.02 * rng.normal(size=len(levels))
    data = [
        dataclasses.replace(level, energy=float(120 + 2.7 * energy + error))
        for level, energy, error in zip(levels, energies, noise, strict=True)
    ]
    result = hof.fit(models.honeycomb, {"mass": 0.3}, data, energy_offset=True, energy_scale=True)
    assert result.status is Status.OK
    truth = {"mass": 0.35, "energy_offset": 120.0, "energy_scale": 2.7}
    for name, value in truth.items():
        assert abs(result.values[name] - value) < 4 * result.standard_errors[name]
    assert result.standard_errors["energy_offset"] < 0.02
    assert result.predicted[0] == pytest.approx(data[0].energy, abs=0.1)


@pytest.mark.slow
def test_what_the_data_do_not_determine(rng):
    """Gaps fix energies in units of t only: a scale next to t is one parameter too many."""
    result = hof.fit(models.honeycomb, {**START, "t": 1.1}, noisy(rng), energy_scale=True)
    assert result.status is Status.NOT_DETERMINED
    (open_,) = result.undetermined
    ratio = {name: open_[name] / open_["energy_scale"] for name in open_}
    expected = {name: -result.values[name] / result.values["energy_scale"] for name in ("t", "t2", "mass")}
    assert ratio == pytest.approx({**expected, "energy_scale": 1.0}, rel=1e-3)
    assert set(result.standard_errors.values()) == {np.inf}
    assert "fix one of them, or add data. (-" in result.message
    assert "energy_scale" in result.message
    with pytest.raises(hof.CalculationError, match="do not determine"):
        hof.fit(models.honeycomb, {**START, "t": 1.1}, noisy(rng), energy_scale=True, throw=True)


@pytest.mark.slow
def test_a_metal_is_no_gap():
    """The levels fix a model whose bands overlap, so the gap that is asked for is closed."""
    levels = [(0, "lower"), (0, "upper"), (1, "lower"), (1, "upper")]
    data = [hof.LevelEnergy(0, band, side, 0.0, 1e-3) for band, side in levels]
    energies = hof.predict_observations(models.honeycomb(t2=0.5, mass=0.1), data)
    data = [dataclasses.replace(level, energy=float(e)) for level, e in zip(data, energies, strict=True)]
    result = hof.fit(models.honeycomb, {"t2": 0.4, "mass": 0.2}, [*data, hof.GapSize(0, 1, 0, 0.1, 1.0)])
    assert result.status is Status.GAP_CLOSED
    np.testing.assert_array_equal(result.observation_status, [0, 0, 0, 0, Status.GAP_CLOSED])
    assert result.predicted[4] < -0.1
    assert "(gap (1, 0) at flux 0/1)" in result.message


def test_a_gap_that_is_just_closed_at_the_start():
    with pytest.raises(ValueError, match=r"`start` must be where the gap \(1, 0\) at flux 0/1 is open"):
        hof.fit(models.honeycomb, {"mass": 0.0}, [hof.GapSize(0, 1, 0, 0.5, 0.01)])


@pytest.mark.slow
def test_an_edge_that_jumps_to_another_momentum():
    """The top of the square lattice's band is at (π, π) for small t2 and at (π, 0) for large."""
    data = [hof.LevelEnergy(0, 0, "lower", -6.8, 0.01), hof.LevelEnergy(0, 0, "upper", 2.8, 0.05)]
    result = hof.fit(models.square, {"t2": 0.2}, data)
    assert result.values["t2"] == pytest.approx(0.7, abs=1e-6)
    assert result.rounds > 2


@pytest.mark.slow
def test_too_few_steps():
    data = [hof.LevelEnergy(0, 0, "lower", -6.8, 0.01), hof.LevelEnergy(0, 0, "upper", 2.8, 0.05)]
    result = hof.fit(models.square, {"t2": 0.2}, data, max_steps=1)
    assert result.status is Status.FIT_NOT_CONVERGED
    assert "`max_steps`" in result.message


@pytest.mark.slow
def test_a_model_that_is_not_finite():
    def build(t):
        model = models.square(t=t)
        return dataclasses.replace(model, onsite=model.onsite + np.nan)

    result = hof.fit(build, {"t": 1.2}, [hof.GapSize("1/3", 0, 1, 1.5, 0.1)])
    assert result.status is Status.NOT_FINITE
    np.testing.assert_array_equal(result.observation_status, [Status.NOT_FINITE])
    assert np.isnan(result.standard_errors["t"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": {}}, "`start` must be a dictionary of at least one parameter"),
        ({"start": {"t4": 1.0}}, r"made of parameters of `build` \(t, t2, t3, mass\), but is with 't4'"),
        ({"start": {"t2": float("nan")}}, r"`start\['t2'\]` must be a finite real number, but is nan"),
        ({"start": {"t2": 0.1 + 0.2j}}, "must be a finite real number"),
        ({"observations": 1}, r"at least as many as parameters \(t2, mass\), but is 1"),
        ({"method": "simplex"}, '`method` must be "gauss_newton" or "gradient"'),
        ({"rtol": 0.0}, "`rtol` must be positive"),
        ({"max_steps": 0}, "`max_steps` must be at least 1"),
    ],
)
def test_wrong_arguments(options, message, unchecked_types):
    arguments = {"start": START, "observations": len(LABELS), **options}
    data = [hof.GapSize(flux, s, t, 1.0, 1.0) for flux, s, t in LABELS[: arguments.pop("observations")]]
    with pytest.raises(ValueError, match=message):
        hof.fit(models.honeycomb, observations=data, **arguments)


@pytest.mark.slow
def test_fixed_parameters_and_nuisances_keep_their_names(unchecked_types):
    def build(energy_scale):
        return models.square(t=energy_scale)

    with pytest.raises(ValueError, match="Ask for it by `energy_scale=True`"):
        hof.fit(build, {"energy_scale": 1.0}, [hof.GapSize("1/3", 0, 1, 1.0, 0.1)])
    with pytest.raises(TypeError, match="`build` must return a model"):
        hof.fit(lambda t: t, {"t": 1.0}, [hof.GapSize("1/3", 0, 1, 1.0, 0.1)])
    fixed = functools.partial(models.square, t2=0.1)
    result = hof.fit(fixed, {"t": 1.2}, [hof.GapSize("1/3", 0, 1, 1.5, 0.1)])
    assert result.chi_squared < 1e-6
    np.testing.assert_allclose(result.model.amplitudes[2:], -0.1)


@pytest.mark.parametrize("package", ["optimistix", "optax"])
def test_packages_that_are_not_installed(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'package {package}.*pip install "hofstadter\[fit\]"'):
        hof.fit(models.square, {"t": 1.2}, [hof.GapSize("1/3", 0, 1, 1.5, 0.1)])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gauss_newton", "gradient"])
def test_little_memory_gives_the_same_in_pieces(method, rng):
    data = noisy(rng)
    whole = hof.fit(models.honeycomb, START, data, method=method)
    # Room for three of the fourteen edges at a time.
    pieces = hof.fit(models.honeycomb, START, data, method=method, memory_gb=3 * 3 * 64 * 8**2 / 1e9)
    assert pieces.values == pytest.approx(whole.values, abs=1e-9)
    np.testing.assert_allclose(pieces.covariance, whole.covariance, rtol=1e-7)


@pytest.mark.slow
def test_matrices_of_many_sizes_in_one_program(rng):
    """Their LAPACK calls must not run side by side: that deadlocked XLA's CPU threads."""
    labels = [("1/3", 1, 0), ("1/5", 0, 1), ("1/8", 1, 0), ("1/12", 0, 1), ("1/12", 1, -1), ("1/20", 1, 0)]
    gaps = [hof.GapSize(flux, s, t, 1.0, 0.01) for flux, s, t in labels]
    sizes = hof.predict_observations(models.honeycomb(**TRUE), gaps)
    for method in ("gradient", "gauss_newton"):
        for repeat in range(3):
            data = [
                dataclasses.replace(gap, size=float(size + 0.01 * rng.normal()))
                for gap, size in zip(gaps, sizes, strict=True)
            ]
            result = hof.fit(models.honeycomb, START, data, method=method)
            assert result.status is Status.OK, repeat
            assert np.abs(pulls(result)).max() < 4


def _sizes(data):
    return np.array([gap.size for gap in data])


def _errors(data):
    return np.array([gap.error for gap in data])
