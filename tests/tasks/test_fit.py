"""Fits in run files."""

import dataclasses

import numpy as np
import pytest

import hofstadter as hof
from hofstadter.errors import Status
from hofstadter.io.config import parse_run_file
from hofstadter.sweep.plan import make_plan
from hofstadter.tasks.registry import TASKS
from hofstadter.tasks.registry import fit as registry

models = hof.models

FILE = """\
model: {name: honeycomb, t: 1.0, t2: 0.05, mass: 0.2}
task:
  name: fit
  parameters: [t2, mass]
  gaps:
    - {flux: 1/3, s: 1, t: 0, size: 0.63, error: 0.01}
    - {flux: 1/3, s: 0, t: 1, size: 1.13, error: 0.01}
  level_energies:
    - {flux: 1/3, band: 0, side: lower, energy: -3.1, error: 0.1}
output: {store: STORE}
"""

CUSTOM = """\
model:
  name: tight_binding
  vectors: [[1, 0], [0, 1]]
  positions: [[0, 0]]
  hoppings:
    - [-1, 0, 0, [1, 0]]
    - ["-0.5 - 0.25j", 0, 0, [0, 1]]
    - [0.3, 0, 0, [0, 0]]
task: {name: fit, parameters: [hoppings.0.0], level_energies: [{flux: 0, band: 0, side: upper, energy: 2, error: 0.1}]}
output: {store: STORE}
"""


@pytest.fixture
def parse(tmp_path):
    return lambda text: parse_run_file(text.replace("STORE", str(tmp_path / "a.zarr")), "f.yaml")


@pytest.fixture
def result():
    """A fit that was not made, with numbers that can be told apart."""
    covariance = np.array([[4e-4, 1e-5], [1e-5, 9e-4]])
    return hof.Fit(
        values={"t2": 0.1, "mass": 0.3},
        standard_errors={"t2": 0.02, "mass": 0.03},
        covariance=covariance,
        undetermined=(),
        model=models.honeycomb(t2=0.1, mass=0.3),
        predicted=np.array([0.61, 1.14, -3.0]),
        residuals=np.array([2.0, -1.0, 0.5]),
        observation_status=np.zeros(3, int),
        chi_squared=5.25,
        degrees_of_freedom=1,
        status=Status.OK,
        message="",
        steps=7,
        rounds=2,
    )


def test_dataset_of_a_fit(result, parse):
    observations = parse(FILE).at()[1].observations()
    data = hof.fit_dataset(result, observations)
    assert data.sizes == {"observation": 3, "parameter": 2, "with_parameter": 2}
    assert (data.fitted_t2, data.error_mass, data.chi_squared, data.status) == (0.1, 0.03, 5.25, 0)
    assert data.attrs["parameters"] == ["t2", "mass"]
    assert data.attrs["model"] == "honeycomb"
    np.testing.assert_array_equal(data.covariance, result.covariance)
    np.testing.assert_array_equal(data.is_level, [0, 0, 1])
    np.testing.assert_array_equal(data.s, [1, 0, np.nan])
    np.testing.assert_array_equal(data.side, [0, 0, -1])
    np.testing.assert_array_equal(data.measured, [0.63, 1.13, -3.1])
    np.testing.assert_array_equal(data.observed_q, [3, 3, 3])
    with pytest.raises(ValueError, match="`observations` must be the 3 that were fitted, but is 2"):
        hof.fit_dataset(result, observations[:2])


def test_a_run_file_is_the_call(parse, monkeypatch, result):
    """What the task hands to `fit`; the fit itself is tested elsewhere."""
    calls = []

    def fake(build, start, observations, **options):
        calls.append((build, start, observations, options))
        return result

    monkeypatch.setattr(registry, "fit", fake)
    run_file = parse(FILE.replace("parameters: [t2, mass]", "parameters: [t2, mass]\n  energy_scale: true"))
    model, parameters = run_file.at()
    points = run_file.task.points(model, parameters)
    assert points == [hof.Flux(1, 3)]
    assert run_file.task.sizes(model, parameters, points) == {"observation": 3, "parameter": 3, "with_parameter": 3}
    done = []
    data = run_file.task.compute(model, parameters, points, memory_gb=1.0, progress=done.append)
    assert done == [1]
    assert set(data.variables) - {"fitted_t2", "error_t2", "fitted_mass", "error_mass"} <= TASKS["fit"].names
    ((build, start, observations, options),) = calls
    assert start == {"t2": 0.05, "mass": 0.2}
    assert observations[0] == hof.GapSize("1/3", 1.0, 0.0, 0.63, 0.01)
    assert observations[2] == hof.LevelEnergy("1/3", 0, "lower", -3.1, 0.1)
    assert (options["energy_scale"], options["method"], options["memory_gb"]) == (True, "gauss_newton", 1.0)
    rebuilt, expected = build(t2=0.1, mass=0.3), models.honeycomb(t2=0.1, mass=0.3)
    np.testing.assert_array_equal(rebuilt.amplitudes, expected.amplitudes)
    np.testing.assert_array_equal(rebuilt.onsite, expected.onsite)
    # What a fit without an end found is not stored as if it were a result.
    for status in (Status.FIT_NOT_CONVERGED, Status.NOT_FINITE):
        result = dataclasses.replace(result, status=status)
        with pytest.raises(hof.CalculationError, match=r"t2 = 0\.1, mass = 0\.3: "):
            run_file.task.compute(model, parameters, points, memory_gb=1.0, progress=None)


def test_numbers_of_a_hopping_list_are_free(parse):
    _, parameters = parse(CUSTOM).at()
    assert parameters.builder.start(["hoppings.0.0", "hoppings.2.0"]) == {"hoppings.0.0": -1, "hoppings.2.0": 0.3}
    model = parameters.builder(**{"hoppings.0.0": -2.0, "hoppings.2.0": 0.7})
    np.testing.assert_array_equal(model.amplitudes, [-2, -0.5 - 0.25j])
    np.testing.assert_array_equal(model.onsite, [0.7])


@pytest.mark.parametrize(
    ("text", "change", "line", "message"),
    [
        (FILE, ("[t2, mass]", "[t2, mas]"), 4, r"entries of the model section \(t, t2, t3, mass\), but is with mas"),
        (FILE, ("[t2, mass]", "[t2, t2]"), 2, "t2 is there twice"),
        (FILE, ("[t2, mass]", "[t, t2, t3, mass]"), 4, "at most as many as the 3 observations"),
        (FILE, ("t: 1, size", "t: 6, size"), 7, r"gap \(0, 6\) at flux 1/3, r = 6"),
        (FILE, ("band: 0", "band: 6"), 9, "a band of the model, but is 6"),
        (FILE, ("error: 0.1}", "error: 0}"), 9, "greater than 0"),
        (FILE, ("error: 0.1}", "error: .nan}"), 9, "finite"),
        (FILE, ("s: 1,", "s: 1.2,"), 6, "multiple of 0.5"),
        (CUSTOM, ("hoppings.0.0", "hoppings.1.0"), 9, "real numbers of the model section"),
        (CUSTOM, ("hoppings.0.0", "hoppings.0.1"), 9, "real numbers of the model section"),
        (CUSTOM, ("hoppings.0.0", "hoppings.3.0"), 9, "entries of the model section"),
    ],
)
def test_mistakes_have_their_line(parse, text, change, line, message):
    assert change[0] in text
    with pytest.raises(hof.RunFileError, match=message) as caught:
        parse(text.replace(*change))
    assert str(caught.value).startswith(f"f.yaml:{line}: ")


def test_a_continuum_model_is_planned(parse):
    """`levels`, which other tasks have, means Landau levels to what plans a run."""
    text = FILE[: FILE.index("  gaps:")].replace("[t2, mass]", "[theta_deg]") + FILE[FILE.index("  level_energies:") :]
    text = text.replace("{name: honeycomb, t: 1.0, t2: 0.05, mass: 0.2}", "{name: bistritzer_macdonald}")
    run_file = parse(text.replace("band: 0", "band: -1"))
    assert make_plan(run_file).layout.sizes["observation"] == 1
    _, parameters = run_file.at()
    assert parameters.builder.start(parameters.parameters) == {"theta_deg": 1.05}
    with pytest.raises(hof.RunFileError, match="real numbers of the model section, but is with valley = 1"):
        parse(text.replace("theta_deg", "valley"))


def test_single_precision_is_refused(parse):
    model, parameters = parse(FILE).at()
    with pytest.raises(ValueError, match="`precision` must be double for a fit, but is single"):
        TASKS["fit"].compute(models.cast(model, "single"), parameters, [], memory_gb=1.0, progress=None)
    with pytest.raises(ValueError, match="jax_enable_x64"):
        hof.fit(lambda t: models.cast(models.square(t), "single"), {"t": 1.0}, [hof.GapSize("1/3", 0, 1, 1.0, 0.1)])


@pytest.mark.slow
def test_a_sweep_of_a_fixed_parameter(parse):
    """Every point of the sweep starts from its own model."""
    text = FILE.replace("output:", "sweep: {model.t3: [0.0, 0.1]}\noutput:")
    run_file = parse(text)
    found = []
    for index in range(2):
        model, parameters = run_file.at((index,))
        points = run_file.task.points(model, parameters)
        data = run_file.task.compute(model, parameters, points, memory_gb=1.0, progress=None)
        found.append(float(data.fitted_t2))
        assert data.status == Status.OK
    assert abs(found[0] - found[1]) > 0.01
