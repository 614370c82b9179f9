"""Continuum models in run files: presets, models written out, and what is said about mistakes."""

import jax
import jsonschema
import numpy as np
import pytest
from ruamel.yaml import YAML

import hofstadter as hof
from hofstadter.errors import RunFileError, Status
from hofstadter.io.config import parse_run_file
from hofstadter.io.schema import json_schema
from hofstadter.io.store import FAILED, open_store
from hofstadter.models import CONTINUUM_PRESETS
from hofstadter.sweep.plan import make_plan
from hofstadter.sweep.run import run

PRESET = """\
model: {name: dirac_superlattice, valley: -1, lattice: triangular}
task: {name: bands, flux: 1, corners: [K, [0.1, 0.2]], points: 3, bands_per_cell: 2, levels: 8, rtol: 0.1}
sweep: {model.mass: [0.0, 0.5]}
output: {store: STORE}
"""

CUSTOM = """\
model:
  name: continuum
  vectors: [[1, 0], [0, 1]]
  kinetic:
    - [1.0, 0, 0, [1, 1]]
  potential:
    - ["0.5j", 0, 0, [1, 0]]
    - [0.3, 0, 0, [0, 0]]
  bands_per_cell: 2
  energy_unit: meV
task: {name: wilson, flux: 1/2, bands: [-2, -1], from_reference: false}
output: {store: STORE}
"""

LATTICE = """\
model: {name: square}
task: {name: chern, fluxes: [1/3], bands_per_cell: 2}
output: {store: STORE}
"""


@pytest.fixture
def parse(tmp_path):
    """Parse a run file; the word STORE in it becomes a store that can be written."""
    return lambda text: parse_run_file(text.replace("STORE", str(tmp_path / "a.zarr")), "f.yaml")


@pytest.mark.parametrize("name", CONTINUUM_PRESETS)
def test_presets_without_parameters(parse, name):
    model, _ = parse(f"model: {{name: {name}}}\ntask: {{name: chern, fluxes: [0, 1]}}\noutput: {{store: STORE}}\n").at()
    expected = CONTINUUM_PRESETS[name]()
    assert jax.tree.structure(model) == jax.tree.structure(expected)  # and everything static
    for found, number in zip(jax.tree.leaves(model), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(found, number)


def test_a_preset_with_a_sweep(parse):
    run_file = parse(PRESET)
    model, _ = run_file.at((1,))
    assert abs(model.potential[-1]) == 0.5
    plan = make_plan(run_file)
    assert plan.layout.sizes == {"point": 3, "band": 4, "component": 2}
    problem = hof.at_flux(model, 1, levels=8, bands_per_cell=2)
    assert (plan.sizes, plan.sizes_known) == ((problem.basis_size,), True)
    assert not make_plan(parse(PRESET.replace("levels: 8, ", ""))).sizes_known
    jsonschema.validate(YAML(typ="safe").load(PRESET), json_schema())


def test_a_model_written_out(parse):
    text = CUSTOM.replace("[-2, -1]", "[1, 2]")
    model, _ = parse(text).at()
    assert (model.terms, model.harmonics) == (((0, 0, 1, 1),), ((0, 0, 1, 0), (0, 0, 0, 0)))
    np.testing.assert_array_equal(model.potential, [0.5j, 0.3])
    assert (model.name, model.reference, model.bands_per_cell, model.energy_unit) == ("continuum", "bottom", 2, "meV")
    jsonschema.validate(YAML(typ="safe").load(text), json_schema())


@pytest.mark.parametrize(
    ("text", "change", "line", "words"),
    [
        (PRESET, ("valley: -1", "valley: 2"), 1, "`model.valley` must be 1 or -1, but is 2."),
        (PRESET, ("valley: -1", "valley: K"), 1, "`model.valley` must be 1 or -1, but is 'K'."),
        (PRESET, ("valley", "vally"), 1, "Did you mean `valley`?"),
        (PRESET, ("triangular", "hexagonal"), 1, "must be 'square' or 'triangular', but is 'hexagonal'."),
        (PRESET, ("valley: -1", "potential: 1j"), 1, "`model.potential` must be a valid number"),
        (PRESET, ("dirac_superlattice", "dirac_superlatice"), 1, "Did you mean `dirac_superlattice`?"),
        (
            PRESET,
            ("name: dirac_superlattice, valley: -1, lattice: triangular", "name: twisted_tmd, material: WS2"),
            1,
            "`model.material` must be 'WSe2', 'MoTe2' or 'MoTe2 (Reddy 2023)', but is 'WS2'.",
        ),
        (PRESET, ("[K,", "[X,"), 3, "must be a momentum or one of Γ, K, K', M here, but is 'X'"),
        (PRESET, ("[K, [0.1, 0.2]]", "[K, [0.1]]"), 2, "must be a momentum [k1, k2] or a name such as K"),
        (PRESET, ("points: 3", "points: 3, labels: [a]"), 3, "`labels` must be as many as the 2 corners"),
        (PRESET, ("flux: 1", "flux: 0"), 3, "`levels` must be left out at zero flux"),
        (PRESET, ("flux: 1", "flux: -1"), 3, "must be zero or positive for a continuum model"),
        (PRESET, ("rtol: 0.1", "rtol: 2"), 2, "`task.rtol` must be less than 1"),
        (CUSTOM, ("", ""), 11, "To count from the model's reference, such as charge neutrality, add `from_reference"),
        (CUSTOM, ("false", "true"), 11, "within the 4 bands 0 … 3 at flux 1/2, but is [-2, -1]"),
        (CUSTOM, ("[0.3, 0, 0, [0, 0]]", "[1, 0, 0, [-1, 0]]"), 8, "repeats entry 0 or is its Hermitian partner"),
        (CUSTOM, ("[0.3, 0", "[0.3j, 0"), 8, "must be real, being its own Hermitian partner"),
        (
            CUSTOM,
            ("[1, 0]]\n    - [0.3", "[0.5, 0]]\n    - [0.3"),
            7,
            "`model.potential[0][3][0]` must be a valid integer",
        ),
        (CUSTOM, ("[0.3, 0, 0", "[0.3, 0, 1"), 8, "must be between components 0 and 0, but is about component 1."),
        (CUSTOM, ("[1, 1]]", "[1, -1]]"), 5, "must be a positive power of π"),
        (CUSTOM, ("bands_per_cell: 2", "reference: middle"), 9, "'bottom', 'neutrality' or 'top', but is 'middle'"),
        (CUSTOM, ("[[1, 0], [0, 1]]", "[[0, 1], [1, 0]]"), 3, "right-handed"),
        (LATTICE, ("", ""), 2, "`bands_per_cell` must be left out for a lattice model"),
    ],
)
def test_one_mistake(parse, text, change, line, words):
    assert change[0] in text
    with pytest.raises(RunFileError) as caught:
        parse(text.replace(*change, 1))
    rows = [row.split(":", 2)[1:] for row in str(caught.value).splitlines()]
    assert any(int(at) == line and words in sentence for at, sentence in rows), rows


def test_a_cutoff_that_is_too_low_keeps_its_data_but_fails(parse, tmp_path):
    text = PRESET.replace("rtol: 0.1", "rtol: 1.0e-9").replace("triangular", "square").replace("[K,", "[X,")
    summary = run(parse(text))
    assert summary.done == 0
    first, _ = summary.failures
    assert first.startswith(f"mass = 0.0, flux 1/1: CUTOFF_TOO_LOW: {Status.CUTOFF_TOO_LOW.message}")
    assert "with 8 levels; the results were kept" in first
    data = open_store(tmp_path / "a.zarr")
    assert (data["point_status"] == FAILED).all()
    assert np.isfinite(data["energy"]).all()
    np.testing.assert_array_equal(data["basis_status"], [Status.CUTOFF_TOO_LOW] * 2)
    np.testing.assert_array_equal(data["levels"], [8, 8])
    assert (data["cutoff_error"] > 0).all()
    # Not computed again, unless asked to.
    assert (run(parse(text)).computed, len(run(parse(text)).failures)) == (0, 2)
