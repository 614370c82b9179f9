"""Status codes of a calculation, and the few exceptions and warnings that a caller may want to catch."""

import enum


@enum.unique
class Status(enum.IntEnum):
    """How a calculation ended. Arrays of statuses hold these integers; `Status(code).message` explains one."""

    OK = 0
    NOT_FINITE = 1
    RESIDUAL_TOO_LARGE = 2
    EDGES_NOT_CONVERGED = 3
    GAP_CLOSED = 4
    MESH_TOO_COARSE = 5
    LABEL_NOT_ESTABLISHED = 6
    LABEL_CONFLICT = 7
    ABSENT = 8
    PATCH_TOO_SMALL = 9
    CUTOFF_TOO_LOW = 10
    OUT_OF_RANGE = 11
    FIT_NOT_CONVERGED = 12
    NOT_DETERMINED = 13
    WINDOW_INCOMPLETE = 14
    UNSTABLE = 15
    HARTREE_FOCK_NOT_CONVERGED = 16

    @property
    def message(self) -> str:
        """One full sentence that says what happened and what to do."""
        return _MESSAGES[self]


_MESSAGES = {
    Status.OK: "The result passed its checks.",
    Status.NOT_FINITE: "Matrix or eigenvalues are not finite: look for NaN or infinity in the model's parameters.",
    Status.RESIDUAL_TOO_LARGE: "The eigenvectors do not satisfy H v = E v to the working precision.",
    Status.EDGES_NOT_CONVERGED: "The band edges still moved in the last refinement of k: raise `max_refinements`.",
    Status.GAP_CLOSED: "The group of bands, or of Wannier bands, touches its neighbors: it has no topology of its own.",
    Status.MESH_TOO_COARSE: "The finest mesh of momenta tried is too coarse for this result: allow a finer one.",
    Status.LABEL_NOT_ESTABLISHED: "Neither Berry flux nor Středa slope could certify the Chern number of this gap.",
    Status.LABEL_CONFLICT: "The Berry flux and the Středa slope of this gap disagree, so no label is given.",
    Status.ABSENT: "There is no entry here: this flux has fewer bands or gaps than the longest one of the dataset.",
    Status.PATCH_TOO_SMALL: "The finite patch is too small for this result, or its Fermi energy lies in a band.",
    Status.CUTOFF_TOO_LOW: "The wanted bands still move when more states are kept: keep more levels or waves.",
    Status.OUT_OF_RANGE: "The bands that were computed do not hold this density or energy: ask for more of them.",
    Status.FIT_NOT_CONVERGED: "The parameters still moved in the last step: raise `max_steps` or start closer.",
    Status.NOT_DETERMINED: "The data do not determine this combination of parameters: fix one of them, or add data.",
    Status.WINDOW_INCOMPLETE: "Levels as near to the energy may be missing: ask for more of them, or use `solve`.",
    Status.UNSTABLE: "The state has excitations of negative energy, so it is not the ground state at this filling.",
    Status.HARTREE_FOCK_NOT_CONVERGED: "The mean field still moved in the last step: raise `max_steps`.",
}


class CalculationError(RuntimeError):
    """A calculation did not succeed and the caller asked for an exception (`throw=True`)."""

    def __init__(self, status: Status, where: str = ""):
        """Keep `status`; `where` names the place, such as the flux and k that failed."""
        self.status = status
        super().__init__(f"{where + ': ' if where else ''}{status.message}")


class RunFileError(ValueError):
    """A run file is not valid. The message lists every mistake with its line."""


class StoreError(RuntimeError):
    """A store cannot be opened, written, or belongs to another run file."""


class PrecisionWarning(UserWarning):
    """JAX's 64-bit mode is off, so the calculation runs in single precision."""
