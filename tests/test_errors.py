import pytest

import hofstadter as hof
from hofstadter._checks import as_integer, check_finite, fail


@pytest.mark.parametrize("status", hof.Status)
def test_every_status_has_a_sentence(status):
    assert status.message.endswith(".")
    assert status.message[0].isupper()
    assert hof.Status(int(status)) is status


def test_ok_is_zero():
    assert hof.Status.OK == 0


def test_calculation_error_names_the_place():
    error = hof.CalculationError(hof.Status.GAP_CLOSED, "flux 1/3")
    assert error.status is hof.Status.GAP_CLOSED
    assert str(error) == f"flux 1/3: {hof.Status.GAP_CLOSED.message}"
    assert str(hof.CalculationError(hof.Status.GAP_CLOSED)) == hof.Status.GAP_CLOSED.message
    assert isinstance(error, RuntimeError)
    assert issubclass(hof.RunFileError, ValueError)
    assert issubclass(hof.StoreError, RuntimeError)


def test_one_wording():
    assert str(fail("x", "positive", -1)) == "Argument `x` must be positive, but is -1."
    assert str(fail("x", "positive", -1, "Use |x|.")) == "Argument `x` must be positive, but is -1. Use |x|."
    assert as_integer("n", 3, minimum=3) == 3
    check_finite("x", [1.0, 2.0])
    with pytest.raises(ValueError, match=r"Argument `x` must be finite, but is \[1\.0, nan\]\."):
        check_finite("x", [1.0, float("nan")])
