"""Tasks that make their model again with other numbers, as a fit does."""

from collections.abc import Sequence
from typing import Protocol, TypeVar, runtime_checkable

import pydantic

from hofstadter.models import Model
from hofstadter.tasks._task import Section

AnyRebuild = TypeVar("AnyRebuild", bound="RebuildsModel")


@runtime_checkable
class ModelBuilder(Protocol):
    """Makes the model that a run file describes, with other values of some of its numbers."""

    def start(self, names: Sequence[str]) -> dict[str, float]:
        """The values in the run file of these entries of the model section.

        Raises:
            ValueError: If there is no such entry, or it is no real number.
        """
        ...

    def __call__(self, **values: float) -> Model:
        """The model with these values, which may be traced."""
        ...


class RebuildsModel(Section):
    """Parameters of a task that makes its model again. What reads a run file must say how, by `with_builder`."""

    _builder: ModelBuilder | None = pydantic.PrivateAttr(None)

    def with_builder(self: AnyRebuild, builder: ModelBuilder) -> AnyRebuild:
        """The same parameters, which know how to make the model."""
        bound = self.model_copy()
        bound._builder = builder
        return bound

    @property
    def builder(self) -> ModelBuilder:
        """How to make the model."""
        assert self._builder is not None  # `RunFile.at` binds it
        return self._builder
