"""The part of a task's section that says how electrons repel each other."""

from typing import Annotated, Literal

import pydantic

from hofstadter.interactions.coulomb import (
    AbstractInteraction,
    bare_coulomb,
    double_gate_coulomb,
    single_gate_coulomb,
)
from hofstadter.models.continuum import Continuum
from hofstadter.tasks._task import Section

Positive = Annotated[float, pydantic.Field(gt=0)]


class Repulsion(Section):
    """Coulomb repulsion, screened by metal gates."""

    dielectric: Positive = pydantic.Field(6.0, description="Relative dielectric constant.")
    gates: Literal[0, 1, 2] = pydantic.Field(2, description="Number of gates; without any, results converge slowly.")
    gate_distance_nm: Positive = pydantic.Field(
        10.0, description="Distance between two gates, or of a single one from the electrons."
    )
    momentum_rtol: Annotated[float, pydantic.Field(gt=0, lt=1)] = pydantic.Field(
        1e-6, description="Exchange energy that momenta beyond the cut-off may have, relative to the largest."
    )

    @pydantic.model_validator(mode="after")
    def _check_gates(self) -> "Repulsion":
        if self.gates == 0 and "gate_distance_nm" in self.model_fields_set:
            raise ValueError("`gate_distance_nm` goes with `gates` 1 or 2.")
        return self

    def interaction(self, model: Continuum) -> AbstractInteraction:
        """The repulsion in the units of a model."""
        if self.gates == 2:
            return double_gate_coulomb(model, separation_nm=self.gate_distance_nm, dielectric=self.dielectric)
        if self.gates == 1:
            return single_gate_coulomb(model, distance_nm=self.gate_distance_nm, dielectric=self.dielectric)
        return bare_coulomb(model, dielectric=self.dielectric)
