import numpy as np
import pytest

from hofstadter.hamiltonian.batch import padded_cells
from hofstadter.sweep import plan
from hofstadter.sweep.plan import make_plan, measured_speed


def test_units_cover_every_point_once(run_file):
    layout = make_plan(run_file(task="{name: butterfly, max_denominator: 20}")).layout
    seen = np.zeros((2, len(layout.points)), int)
    for unit in layout.units:
        seen[unit.sweep][unit.start : unit.stop] += 1
        assert unit.start == unit.number * layout.unit_size
        assert 0 < unit.stop - unit.start <= layout.unit_size == 4
    assert (seen == 1).all()


def test_fluxes_of_one_program_follow_each_other(run_file):
    asked = run_file(task="{name: butterfly, max_denominator: 40}")
    made = make_plan(asked)
    sizes = [padded_cells(flux.q) for flux in made.layout.points]
    assert sizes == sorted(sizes)
    assert set(made.layout.points) == set(asked.task.points(*asked.at()))
    starts = [unit.start for unit in made.layout.units]
    assert starts == sorted(starts)  # all points of the sweep at one size before the next size


def test_the_plan_is_always_the_same(run_file):
    asked = run_file(task="{name: butterfly, max_denominator: 30}")
    assert make_plan(asked) == make_plan(asked)


@pytest.mark.parametrize(("denominator", "model"), [(10, "square"), (60, "square"), (60, "kagome"), (400, "kagome")])
def test_a_unit_takes_some_seconds_at_most(run_file, monkeypatch, denominator, model):
    monkeypatch.setattr(plan, "LARGEST_UNIT", 64)
    task = f"{{name: butterfly, fluxes: [1/{denominator - 1}, 1/{denominator}]}}"
    made = make_plan(run_file(model=f"{{name: {model}}}", task=task, sweep=""))
    longest = max(made.unit_seconds(unit) for unit in made.layout.units)
    assert longest < 2 * plan.SECONDS_PER_UNIT or made.layout.unit_size == 1


def test_work_grows_like_the_cube(run_file):
    made = make_plan(run_file(task="{name: butterfly, fluxes: [1/160, 1/320]}"))
    assert made.sizes == (320, 640)
    assert made.work[1] / made.work[0] == pytest.approx(8, rel=0.1)


def test_the_speed_of_this_machine_is_a_number():
    assert 0.01 < measured_speed() < 100
