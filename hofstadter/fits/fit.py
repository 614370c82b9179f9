"""`fit`: model parameters from measured gap sizes and level positions."""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hofstadter._checks import as_integer, fail, warn_if_single_precision
from hofstadter.errors import CalculationError, Status
from hofstadter.fits.minimize import METHODS, Method, load_packages, scaled_least_squares
from hofstadter.fits.observations import Observation, ObservationTable, tabulate
from hofstadter.fits.residuals import OFFSET, SCALE, EdgeSearch, with_nuisances
from hofstadter.fits.uncertainty import covariance
from hofstadter.models import AbstractContinuum, Model
from hofstadter.models.tight_binding import TightBinding

# How often momenta may be searched again. Two or three times are usual.
MAX_ROUNDS = 25
# Parameters have settled when a new search for the momenta moves them by less than this part of their standard errors.
SETTLED = 1e-4
# A gap counts as closed up to this part of its error, which is hundred times what its edges are searched to.
CLOSED = 1e-5
_DOUBLE = 'Call jax.config.update("jax_enable_x64", True) first.'
# Second derivatives are differences over this part of the standard errors.
DIFFERENCE = 0.1


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """The result of `fit`. Arrays are in the order of the observations, or of the keys of `values`.

    Attributes:
        values: The parameters.
        standard_errors: Their standard errors; infinite where the data do not determine them.
        covariance: Their covariance (parameter, parameter), NaN where they are not determined.
        undetermined: Combinations of parameters that the data do not determine, each as the parts of its parameters.
        model: The model with these parameters.
        predicted: What the model gives for each observation, offset and scale included.
        residuals: (measured − predicted)/error.
        observation_status: For each observation OK, GAP_CLOSED, EDGES_NOT_CONVERGED, CUTOFF_TOO_LOW or NOT_FINITE.
        chi_squared: Sum of the squares of the residuals.
        degrees_of_freedom: Number of observations minus that of parameters.
        status: OK, or the first that applies of NOT_FINITE, FIT_NOT_CONVERGED, GAP_CLOSED, NOT_DETERMINED,
            CUTOFF_TOO_LOW and EDGES_NOT_CONVERGED.
        message: What the status means here, in full sentences.
        steps: Steps of the optimizer.
        rounds: How often the momenta were searched for while it ran.
    """

    values: dict[str, float]
    standard_errors: dict[str, float]
    covariance: np.ndarray
    undetermined: tuple[dict[str, float], ...]
    model: Model
    predicted: np.ndarray
    residuals: np.ndarray
    observation_status: np.ndarray
    chi_squared: float
    degrees_of_freedom: int
    status: Status
    message: str
    steps: int
    rounds: int


def fit(
    build: Callable[..., Model],
    start: Mapping[str, float | int],
    observations: Sequence[Observation],
    *,
    method: Method = "gauss_newton",
    energy_offset: bool = False,
    energy_scale: bool = False,
    full_hessian: bool = False,
    max_steps: int = 200,
    rtol: float = 1e-7,
    memory_gb: float = 4.0,
    throw: bool = False,
) -> Fit:
    """Fit the parameters of a model to measured gap sizes and level energies, by least squares.

    The size of a gap is the lowest energy of the band above it minus the highest one of the band below it, over the
    whole magnetic zone. The momenta of these extrema are searched for without derivatives; the energies there are
    differentiated (envelope theorem), the parameters improved, and the momenta searched for again until neither moves.
    All momenta found so far stay, of which the most extreme one counts: an edge that jumps between momenta, and a gap
    that is indirect, are no special cases.

    Gap sizes do not tell signs that leave them unchanged, such as that of a staggered potential: the sign of the start
    stays.

    Args:
        build: Makes the model from the parameters as keyword arguments: a preset such as `hofstadter.models.honeycomb`,
            or any function that JAX can trace. Other arguments are fixed by `functools.partial`.
        start: Where the parameters start; its keys say which ones are free.
        observations: `GapSize` and `LevelEnergy` objects. Their errors are taken as given, not scaled to the scatter.
        method: "gauss_newton" (damped by Levenberg and Marquardt) or "gradient" (L-BFGS).
        energy_offset: Whether the measured level energies have an unknown common zero: measured = offset + scale ×
            model. It becomes the parameter `energy_offset`.
        energy_scale: Whether all measured values have an unknown common scale, which becomes the parameter
            `energy_scale`.
        full_hessian: Whether standard errors come from all second derivatives of chi², by differences of its gradient,
            instead of from the first derivatives of the model (Gauss-Newton), which neglect the curvature of the model
            times the residuals.
        max_steps: Most steps of the optimizer between two searches for the momenta.
        rtol: Continuum models only: accuracy of the energies relative to the range of the bands that are needed.
        memory_gb: Working memory.
        throw: Raise if the status is not OK.

    Returns:
        Parameters, covariance, residuals and statuses.

    Raises:
        ValueError: If the model is in single precision, there are fewer observations than parameters, an unknown
            parameter, a gap that is not among the model's bands, or one that is just closed at the start, where its
            size has no derivative.
        ImportError: If optimistix or optax (extra `fit`) is not installed.
        hofstadter.CalculationError: With `throw`, if the status is not OK.

    Examples:
        >>> import functools
        >>> import hofstadter as hof
        >>> graphene = functools.partial(hof.models.honeycomb, t=2.7)
        >>> data = [hof.GapSize("1/20", 0, 2, 0.95, 0.02), hof.GapSize("1/20", 1, 0, 0.21, 0.02)]
        >>> result = hof.fit(graphene, {"t2": 0.0, "mass": 0.1}, data)
    """
    warn_if_single_precision()
    load_packages()
    names, values = _parameters(build, start, energy_offset, energy_scale)
    if method not in METHODS:
        raise fail("method", " or ".join(f'"{name}"' for name in METHODS), repr(method))
    as_integer("max_steps", max_steps, minimum=1)
    for name, value in (("rtol", rtol), ("memory_gb", memory_gb)):
        if not (math.isfinite(value) and value > 0):
            raise fail(name, "positive", value)
    model = build(**{name: float(start[name]) for name in start})
    if not isinstance(model, TightBinding | AbstractContinuum):
        raise TypeError(f"Argument `build` must return a model, but returned {model!r}.")
    if model.vectors.dtype.itemsize < 8:
        raise fail("build", "a function that returns models in double precision", "one for single", _DOUBLE)
    table = tabulate(model, observations)
    if len(table.measured) < len(names):
        raise fail("observations", f"at least as many as parameters ({', '.join(names)})", len(table.measured))
    search = EdgeSearch(build, names, table, rtol, memory_gb)
    progress = _improve(search, values, method, max_steps)
    result = _result(search, progress, full_hessian)
    if throw and result.status != Status.OK:
        raise CalculationError(result.status, result.message)
    return result


def predict_observations(
    model: Model, observations: Sequence[Observation], *, rtol: float = 1e-7, memory_gb: float = 4.0
) -> Float[np.ndarray, " observation"]:
    """What a model gives for each observation: its gap sizes and level energies; measured values are not used.

    Args:
        model: The model.
        observations: The gaps and levels.
        rtol: Continuum models only: accuracy of the energies relative to the range of the bands that are needed.
        memory_gb: Working memory.

    Returns:
        Sizes and energies in the model's energy unit. A negative size says by how much the bands overlap.
    """
    warn_if_single_precision()
    table = tabulate(model, observations)
    search = EdgeSearch(lambda: model, (), table, rtol, memory_gb)
    return table.weights @ search.search(np.zeros(0)).energies


def _parameters(
    build: Callable[..., Model], start: Mapping[str, float | int], energy_offset: bool, energy_scale: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    """Names and start values of all parameters, checked."""
    try:
        known = inspect.signature(build).parameters
    except (TypeError, ValueError):  # some callables do not say
        known = None
    for name, value in start.items():
        if known is not None and name not in known and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
            raise fail("start", f"made of parameters of `build` ({', '.join(known)})", f"with {name!r}")
        if name in (OFFSET, SCALE):
            raise fail("start", f"without {name!r}", f"with {name!r}", f"Ask for it by `{name}=True`.")
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not math.isfinite(value):
            raise fail(f"start[{name!r}]", "a finite real number", repr(value))
    values = {name: float(value) for name, value in start.items()}
    values |= {OFFSET: 0.0} if energy_offset else {}
    values |= {SCALE: 1.0} if energy_scale else {}
    if not values:
        raise fail("start", "a dictionary of at least one parameter and its value", dict(start))
    return tuple(values), np.array(list(values.values()))


class _Progress(NamedTuple):
    """Parameters when the optimizer ended, whether they had settled, and what it took."""

    values: np.ndarray
    settled: bool
    steps: int
    rounds: int


def _improve(search: EdgeSearch, values: np.ndarray, method: Method, max_steps: int) -> _Progress:
    """Search for momenta and improve the parameters in turns, until neither moves."""
    steps, rounds = 0, 0
    for rounds in range(1, MAX_ROUNDS + 1):
        extrema = search.search(values)
        if rounds == 1:
            _check_open(search.table, extrema.energies)
        if not np.all(np.isfinite(extrema.energies)):
            break
        _, jacobian = search.linearized(values)
        step, settled, taken = scaled_least_squares(search.residuals(values), jacobian, method, max_steps)
        steps += taken
        if not np.all(np.isfinite(step)):
            break
        values = values + step
        if settled and np.linalg.norm(jacobian @ step) < SETTLED:
            return _Progress(values, True, steps, rounds)
    return _Progress(values, False, steps, rounds)


def _check_open(table: ObservationTable, energies: np.ndarray) -> None:
    """Refuse gaps that are exactly closed at the start: their size |x| has no derivative at x = 0."""
    for number in np.flatnonzero(_closed(table, np.abs(table.weights @ energies))):
        name = table.names[number]
        raise fail("start", f"where the {name} is open", "where it is just closed", "Start beside it.")


def _closed(table: ObservationTable, size: np.ndarray) -> np.ndarray:
    """Which observations are gaps of no size."""
    return ~table.is_level & (size <= CLOSED * table.error)


def _result(search: EdgeSearch, progress: _Progress, full_hessian: bool) -> Fit:
    """Judge the parameters at which the optimizer ended."""
    table, names, values = search.table, search.names, progress.values
    extrema = search.search(values)
    residuals, jacobian = search.linearized(values)
    curvature = jacobian.T @ jacobian
    if full_hessian:
        curvature = _hessian(search, values, curvature)
    uncertainty = covariance(curvature)
    by_name = dict(zip(names, values.tolist(), strict=True))
    of_model = table.weights @ extrema.energies
    predicted = with_nuisances(by_name, of_model, table.is_level)
    edge_status = [extrema.status[row != 0].max() for row in table.weights]
    observation_status = np.where(_closed(table, of_model), int(Status.GAP_CLOSED), edge_status)
    undetermined = tuple(
        {name: float(part) for name, part in zip(names, direction, strict=True) if abs(part) > 0}
        for direction in uncertainty.undetermined
    )
    status, message = _judge(table, observation_status, progress.settled, undetermined)
    return Fit(
        values=by_name,
        standard_errors=dict(zip(names, np.sqrt(np.diag(uncertainty.covariance)).tolist(), strict=True)),
        covariance=uncertainty.covariance,
        undetermined=undetermined,
        model=search.build_at(values),
        predicted=predicted,
        residuals=(table.measured - predicted) / table.error,
        observation_status=observation_status,
        chi_squared=float(np.sum(residuals**2)),
        degrees_of_freedom=len(residuals) - len(names),
        status=status,
        message=message,
        steps=progress.steps,
        rounds=progress.rounds,
    )


def _hessian(search: EdgeSearch, values: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Half of the second derivatives of chi², by differences of its gradient; momenta are searched for each time."""
    hessian = np.zeros_like(curvature)
    for column, own in enumerate(np.diag(curvature)):
        step = DIFFERENCE / math.sqrt(own) if own > 0 else DIFFERENCE * max(1.0, abs(values[column]))
        for sign in (-1, 1):
            beside = values.copy()
            beside[column] += sign * step
            search.search(beside)
            residuals, jacobian = search.linearized(beside)
            hessian[:, column] += sign * jacobian.T @ residuals / (2 * step)
    return (hessian + hessian.T) / 2


def _judge(
    table: ObservationTable, observed: np.ndarray, settled: bool, undetermined: tuple[dict[str, float], ...]
) -> tuple[Status, str]:
    """The status of a fit, and what it means in sentences."""
    found = {Status(code) for code in observed.tolist()}
    found |= {Status.NOT_DETERMINED} if undetermined else set()
    found |= set() if settled else {Status.FIT_NOT_CONVERGED}
    order = (Status.NOT_FINITE, Status.FIT_NOT_CONVERGED, Status.GAP_CLOSED, Status.NOT_DETERMINED)
    order += (Status.CUTOFF_TOO_LOW, Status.EDGES_NOT_CONVERGED, Status.OK)
    reasons = [status for status in order if status in found - {Status.OK}] or [Status.OK]
    sentences = []
    for status in reasons:
        where = [name for name, code in zip(table.names, observed, strict=True) if code == status != Status.OK]
        if status == Status.NOT_DETERMINED:
            where = [" ".join(f"{part:+.3g} {name}" for name, part in parts.items()) for parts in undetermined]
        sentences.append(status.message + (f" ({'; '.join(where)})" if where else ""))
    return reasons[0], " ".join(sentences)
