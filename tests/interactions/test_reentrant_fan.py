"""The predicted fan: steps and slopes of each insulator on either side of its flux."""

import numpy as np

from hofstadter.errors import Status
from hofstadter.interactions.charge_edges import ChargeEdge, ChargeGap
from hofstadter.interactions.reentrant_fan import fan_lines


def insulator(filling, electron, hole, status=Status.OK):
    edges = [ChargeEdge(charge, 1.0, (), count) for charge, count in ((1, electron), (-1, hole))]
    return ChargeGap(filling, filling / 2, *edges, 2.0, status)


def slopes(lines, side, charge):
    return [line.t for line in lines if (line.side, line.charge) == (side, charge)]


def test_steps_of_the_pair_without_chern_number():
    neutral = fan_lines([insulator(0.0, 2, 2)], steps=3)
    assert slopes(neutral, 1, 1) == [2, 4, 6]
    assert slopes(neutral, 1, -1) == [-2, -4, -6]
    assert slopes(neutral, -1, 1) == [-2, -4, -6]
    assert slopes(neutral, 1, 0) == slopes(neutral, -1, 0) == [0]
    two, minus_two = (fan_lines([insulator(*one)], steps=2) for one in ((2.0, 1, 3), (-2.0, 3, 1)))
    assert slopes(two, 1, 1) == [1, 2]
    assert slopes(two, 1, -1) == [-3, -6]
    assert slopes(minus_two, 1, 1) == [3, 6]
    assert slopes(minus_two, 1, -1) == [-1, -2]


def test_lines_start_from_their_insulator_and_count_added_charges():
    for line in fan_lines([insulator(2.0, 1, 3)], flux=2 / 3, steps=4):
        assert abs(line.s + line.t * 2 / 3 - 2) < 1e-12
        away = 2 / 3 + 0.1 * line.side
        added = line.s + line.t * away - 2
        np.testing.assert_allclose(added, 0.1 * line.charge * line.step * {1: 1, -1: 3, 0: 0}[line.charge], atol=1e-12)


def test_a_chern_number_of_the_group_tilts_everything_by_the_filled_flavors():
    lines = fan_lines([insulator(2.0, 1, 3), insulator(0.0, 2, 2)], chern=2.0, steps=1)
    assert [line.t for line in lines if line.filling == 2.0 and line.side > 0] == [2, 3, -1]
    assert [line.t for line in lines if line.filling == 0.0 and line.side > 0] == [0, 2, -2]


def test_full_groups_have_one_side_and_statuses_are_kept():
    lines = fan_lines([insulator(4.0, 0, 4, Status.UNSTABLE)], steps=2)
    assert {line.charge for line in lines} == {0, -1}
    assert {line.status for line in lines} == {Status.UNSTABLE}
