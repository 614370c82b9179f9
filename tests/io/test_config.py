import pickle

import numpy as np
import pytest

from hofstadter import Flux
from hofstadter.errors import RunFileError
from hofstadter.io.config import parse_run_file, read_run_file
from hofstadter.io.identity import differences, run_hash

GOOD = """\
model: {name: honeycomb, t: 1.0, t2: 0.1+0.2j}
task: {name: butterfly, max_denominator: 4}
sweep:
  model.t3: [0.0, 0.1]
  task.min_gap: [1.0e-3, 2.0e-3, 3.0e-3]
numerics: {precision: single, device: cpu, memory_gb: 2}
output: {store: STORE, plots: [butterfly]}
"""

CUSTOM = """\
model:
  name: tight_binding
  vectors: [[1, 0], [0, 1]]
  positions: [[0, 0], [0.5, 0.5]]
  hoppings:
    - [-1, 0, 0, [1, 0]]
    - ["-0.5 - 0.25j", 0, 1, [0, 1]]
    - [[0.1, 0.2], 1, 0, [1, -1]]
    - [0.3, 1, 1, [0, 0]]
task: {name: bands, flux: -2/3, points: 10}
output: {store: STORE}
"""


@pytest.fixture
def parse(tmp_path):
    """Parse a run file; the word STORE in it becomes a store that can be written."""
    return lambda text: parse_run_file(text.replace("STORE", str(tmp_path / "a.zarr")), "f.yaml")


@pytest.fixture
def mistakes(parse):
    """The mistakes of a run file as (line, sentence)."""

    def find(text):
        with pytest.raises(RunFileError) as caught:
            parse(text)
        rows = [row.split(":", 2) for row in str(caught.value).splitlines()]
        assert all(row[0] == "f.yaml" for row in rows)
        return [(int(line), sentence.strip()) for _, line, sentence in rows]

    return find


def test_a_good_file(parse):
    run_file = parse(GOOD)
    model, parameters = run_file.at((1, 2))
    assert model.name == "honeycomb"
    assert np.asarray(model.amplitudes)[3] == pytest.approx(-(0.1 + 0.2j))
    assert np.asarray(model.amplitudes)[-1] == pytest.approx(-0.1)
    assert parameters.min_gap == 0.003
    assert run_file.task.points(model, parameters)[1] == Flux(1, 4)
    assert [axis.name for axis in run_file.sweep] == ["t3", "min_gap"]
    assert run_file.sweep_shape == (2, 3)
    assert run_file.numerics.memory_gb == 2.0


def test_a_run_file_travels_to_other_processes(parse):
    run_file = parse(GOOD)
    assert pickle.loads(pickle.dumps(run_file)) == run_file


def test_a_hopping_list(parse):
    model, parameters = parse(CUSTOM).at()
    assert model.hops == ((0, 0, 1, 0), (0, 1, 0, 1), (1, 0, 1, -1))
    np.testing.assert_allclose(model.amplitudes, [-1, -0.5 - 0.25j, 0.1 + 0.2j])
    np.testing.assert_allclose(model.onsite, [0, 0.3])
    assert parameters.flux == Flux(-2, 3)


def test_a_hopping_can_be_swept(parse):
    run_file = parse(CUSTOM + "sweep: {model.hoppings.0.0: [-1, -2]}\n")
    assert run_file.sweep[0].name == "hoppings_0_0"
    assert run_file.at((1,))[0].amplitudes[0] == -2


def test_the_identity_is_what_results_depend_on(parse):
    identity = parse(GOOD).identity
    same = GOOD.replace("t: 1.0", "t: 1, mass: 0").replace("memory_gb: 2", "memory_gb: 3").replace("cpu", "auto")
    assert run_hash(parse(same).identity) == run_hash(identity)
    other = parse(GOOD.replace("max_denominator: 4", "max_denominator: 5").replace("t3: [0.0,", "t3: [0.3,"))
    assert run_hash(other.identity) != run_hash(identity)
    assert differences(identity, other.identity) == [
        "`sweep.model.t3` is [0.0, 0.1] in the store and [0.3, 0.1] in the run file.",
        "`task.max_denominator` is 4 in the store and 5 in the run file.",
    ]


def test_a_swept_name_that_the_results_use_gets_its_section(parse):
    text = GOOD.replace("model.t3: [0.0, 0.1]", "model.t: [0.5, 0.7]")
    assert parse(text).sweep[0].name == "model_t"


def test_all_mistakes_at_once(mistakes):
    text = """\
model: {name: honeycomb, tt: 1.0, t2: x}
task:
  name: butterfly
  fluxes: [1/3, 2/4, 1/0, 0.5,
           foo, 3]
  labels: 1
sweep:
  model.t9: [1]
  task.min_gap: []
  modl.t: [1]
  model.t3: [1, 1, .nan, a]
numerics: {precision: half, memory_gb: -1}
output: {plots: [butterfy]}
extra: 3
extra: 4
"""
    assert mistakes(text) == [
        (1, "`model.t2` must be a number, or a complex one like \"0.1+0.2j\" or [0.1, 0.2], but is 'x'."),
        (1, "`model.tt` is not a parameter of honeycomb. Did you mean `t`? Possible: t, t2, t3, mass."),
        (
            4,
            "`task.fluxes[1]`: Argument `flux` must be coprime, but is 2/4. "
            "Write 1/2: the magnetic cell then has 2 primitive cells.",
        ),
        (4, "`task.fluxes[2]`: Argument `q` must be at least 1, but is 0."),
        (4, "`task.fluxes[3]` must be an exact fraction written like 1/3, but is the decimal number 0.5."),
        (5, "`task.fluxes[4]`: Argument `flux` must be a fraction written like \"1/3\", but is 'foo'."),
        (6, "`task.labels` must be a valid boolean, but is 1."),
        (8, "`model.t9` cannot be swept: there is no such parameter. Did you mean `t`? Possible: t, t2, t3, mass."),
        (9, "The sweep of `task.min_gap` must be a list of at least one number, but is []."),
        (10, "`modl.t` cannot be swept: write `model.` or `task.` and the name of a parameter."),
        (11, "The sweep of `model.t3` has 1 twice."),
        (11, "The sweep of `model.t3` must be over finite real numbers, but has 'a'."),
        (11, "The sweep of `model.t3` must be over finite real numbers, but has nan."),
        (12, "`numerics.memory_gb` must be greater than 0, but is -1."),
        (12, "`numerics.precision` must be 'single' or 'double', but is 'half'."),
        (13, "`output.store` is missing."),
        (15, "`extra` is not a section of a run file. Possible: model, task, sweep, numerics, output."),
        (15, "`extra` is there twice, first on line 14."),
    ]


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("name: honeycomb", "name: honecomb"), 1, "There is no model called 'honecomb'. Did you mean `honeycomb`?"),
        (("name: honeycomb, ", ""), 1, "`model.name` is missing."),
        (("name: butterfly", "name: butterflies"), 2, "There is no task called 'butterflies'. Did you mean"),
        (("t: 1.0", "t: .nan"), 1, "`model.t` must be finite, but is nan."),
        (("t: 1.0", "t: 1e999"), 1, "`model.t` must be finite, but is inf."),
        (("t: 1.0", "t: true"), 1, "`model.t` must be a number"),
        (("t: 1.0", "t: [1, 2, 3]"), 1, "`model.t` must be a number"),
        (("t: 1.0", "t: __import__('os')"), 1, "`model.t` must be a number"),
        (("t: 1.0", "mass: 1j"), 1, "`model`: Argument `hoppings[9]` must be real"),
        (("max_denominator: 4", "max_denominator: four"), 2, "`task.max_denominator` must be a valid integer"),
        (("max_denominator: 4", 'max_denominator: "4"'), 2, "`task.max_denominator` must be a valid integer"),
        (("max_denominator: 4", "max_denominator: 100000"), 2, "must be less than or equal to 1000"),
        (("max_denominator: 4", "fluxes: [1/3], max_denominator: 4"), 2, "either `fluxes` or `max_denominator`"),
        (("max_denominator: 4", "labels: true"), 2, "either `fluxes` or `max_denominator`"),
        (("max_denominator: 4", "fluxes: [1/3, 1/2, 1/3]"), 2, "but 1/3 is there twice"),
        (("max_denominator: 4", "fluxes: []"), 2, "at least 1 item"),
        (("max_denominator: 4", "max_denominator: 4, low: 2"), 2, "`high` must be above `low` = 2, but is 1."),
        (("[1.0e-3, 2.0e-3, 3.0e-3]", "[0.1, 0.2, -0.3]"), 5, "`task.min_gap[2]` must be greater than 0"),
        (("task.min_gap: [1.0e-3, 2.0e-3, 3.0e-3]", "task.max_denominator: [3, 4]"), 5, "changes the fluxes"),
        (("task.min_gap: [1.0e-3, 2.0e-3, 3.0e-3]", "model.name: [1]"), 5, "there is no such parameter"),
        (("task.min_gap: [1.0e-3, 2.0e-3, 3.0e-3]", "model: [1]"), 5, "write `model.` or `task.`"),
        (("[0.0, 0.1]", "0.1"), 4, "must be a list of at least one number, but is 0.1"),
        (("[0.0, 0.1]", '["0.1j"]'), 4, "must be over finite real numbers, but has '0.1j'"),
        (("device: cpu", "device: tpu"), 6, "`numerics.device` must be 'auto', 'cpu' or 'gpu'"),
        (("[butterfly]", "[bands]"), 7, "There is no plot 'bands' of the task butterfly."),
        (("STORE", "/dev/null/a.zarr"), 7, "`output.store` cannot be written to: /dev/null: Not a directory."),
        (("output:", "outputs:"), 7, "`outputs` is not a section of a run file. Did you mean `output`?"),
    ],
)
def test_one_mistake(mistakes, change, line, words):
    assert change[0] in GOOD
    found = mistakes(GOOD.replace(*change))
    assert any(at == line and words in sentence for at, sentence in found), found


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("[1, -1]]", "[1, -1.5]]"), 8, "`model.hoppings[2][3][1]` must be a valid integer"),
        (("0, 1, [0, 1]]", "0, 7, [0, 1]]"), 7, "must be between orbitals 0 and 1, but is about orbital 7."),
        (("[0.3, 1, 1, [0, 0]]", "[0.3]"), 9, "`model.hoppings[3][1]` is missing."),
        (("[[0.1, 0.2], 1, 0, [1, -1]]", "[0.1, 1, 0, [0, -1]]"), 8, "is its Hermitian partner"),
        (("[[1, 0], [0, 1]]", "[[0, 1], [1, 0]]"), 3, "right-handed"),
        (("[[1, 0], [0, 1]]", "[[1, 0]]"), 3, "at least 2 items"),
        (("points: 10", "points: 1"), 10, "`task.points` must be greater than or equal to 2"),
        (("flux: -2/3", "flux: 2/4"), 10, "must be coprime"),
        (("flux: -2/3, ", ""), 10, "`task.flux` is missing."),
        (("output:", "sweep: {model.hoppings.9.0: [1]}\noutput:"), 11, "the run file has no such entry"),
        (("output:", "sweep: {model.hoppings.0.1: [0.5]}\noutput:"), 11, "must be a valid integer"),
        (("output:", "sweep: {}\noutput:"), 11, "`sweep` must be a section such as"),
        (("output:", "sweep:\noutput:"), 11, "`sweep` must be a section such as"),
    ],
)
def test_one_mistake_in_a_hopping_list(mistakes, change, line, words):
    assert change[0] in CUSTOM
    found = mistakes(CUSTOM.replace(*change, 1))
    assert any(at == line and words in sentence for at, sentence in found), found


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(RunFileError, match=r"nothing\.yaml cannot be read: No such file"):
        read_run_file(tmp_path / "nothing.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RunFileError, match="is not a text file"):
        read_run_file(tmp_path / "binary.yaml")
    with pytest.raises(RunFileError, match="must have the sections"):
        parse_run_file("")
