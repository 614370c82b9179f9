"""The model section of a run file: a schema per preset, made from its signature, and two for models written out."""

import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pydantic

from hofstadter._checks import fail
from hofstadter.models import CONTINUUM_PRESETS, PRESETS, Model, continuum, tight_binding
from hofstadter.models._abstract import Reference
from hofstadter.models.tight_binding import Number
from hofstadter.tasks._task import Section


def read_number(value: Any) -> float | complex:
    """Read a real number, or a complex one written "0.1+0.2j" or [0.1, 0.2].

    Raises:
        ValueError: If it is neither, or not finite.
    """
    number: float | complex | None = None
    if isinstance(value, int | float | complex) and not isinstance(value, bool):
        number = value if isinstance(value, complex) else float(value)
    elif isinstance(value, list) and len(value) == 2:
        real, imaginary = map(read_number, value)
        if not isinstance(real, complex) and not isinstance(imaginary, complex):
            number = complex(real, imaginary)
    elif isinstance(value, str):
        try:
            number = complex(re.sub(r"\s*([+-])\s*", r"\1", value).replace("i", "j"))
        except ValueError:
            number = None
    if number is None:
        raise ValueError(f'must be a number, or a complex one like "0.1+0.2j" or [0.1, 0.2], but is {value!r}.')
    if not (math.isfinite(number.real) and math.isfinite(number.imag)):
        raise ValueError(f"must be finite, but is {value!r}.")
    return number


def _write_number(number: float | complex) -> float | list[float]:
    return [number.real, number.imag] if isinstance(number, complex) else number


NumberText = Annotated[
    float | complex,
    pydantic.PlainValidator(read_number),
    pydantic.PlainSerializer(_write_number),
    pydantic.WithJsonSchema(
        {
            "anyOf": [
                {"type": "number"},
                {"type": "string", "examples": ["0.1+0.2j"]},
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
            ]
        }
    ),
]
"""A real or complex number in a run file."""

_Loose = pydantic.Strict(False)  # YAML has no tuples: lets a list in, not other types inside it
_Pair = Annotated[tuple[float, float], _Loose]
_Cell = Annotated[tuple[int, int], _Loose]
_Hopping = Annotated[tuple[NumberText, int, int, _Cell], _Loose]


class CustomModel(Section):
    """A tight-binding model written out as a hopping list."""

    name: Literal["tight_binding"]
    vectors: list[_Pair] = pydantic.Field(description="Primitive vectors a1 and a2.", min_length=2, max_length=2)
    positions: list[_Pair] = pydantic.Field(description="Orbitals, in units of a1 and a2.", min_length=1)
    hoppings: list[_Hopping] = pydantic.Field(description="Entries [amplitude, i, j, [R1, R2]].")
    label: str = pydantic.Field("tight binding", description="What to call the model in plots.")


_Term = Annotated[tuple[NumberText, int, int, _Cell], _Loose]


class CustomContinuum(Section):
    """A continuum model written out as kinetic terms and harmonics of a potential."""

    name: Literal["continuum"]
    vectors: list[_Pair] = pydantic.Field(description="Primitive vectors a1 and a2.", min_length=2, max_length=2)
    kinetic: list[_Term] = pydantic.Field(
        description="Entries [amplitude, α, β, [i, j]] for amplitude × π₊^i π₋^j from component β to α.", min_length=1
    )
    potential: list[_Term] = pydantic.Field(
        description="Entries [amplitude, α, β, [m1, m2]] for amplitude × exp(i (m1 b1 + m2 b2)·r) from β to α."
    )
    offsets: list[_Pair] = pydantic.Field(
        [(0.0, 0.0)], description="Momentum of each component's origin, in units of b1 and b2.", min_length=1
    )
    reference: Reference = pydantic.Field("bottom", description="Where bands are counted from.")
    bands_per_cell: Annotated[int, pydantic.Field(ge=1)] = pydantic.Field(
        6, description="Wanted bands per cell on each side of the reference."
    )
    label: str = pydantic.Field("continuum", description="What to call the model in plots.")
    energy_unit: str = pydantic.Field("E", description="Unit of the energies.")
    length_unit: str = pydantic.Field("a", description="Unit of the vectors.")


def build_model(section: Section) -> Model:
    """Make the model that a valid section describes.

    Raises:
        ValueError: If the numbers do not fit together, say a hopping list that is not Hermitian.
    """
    if isinstance(section, CustomModel):
        return tight_binding(section.vectors, section.positions, section.hoppings, name=section.label)
    values = {name: getattr(section, name) for name in type(section).model_fields}
    name = values.pop("name")
    if isinstance(section, CustomContinuum):
        return continuum(name=values.pop("label"), **values)
    return PRESETS[name](**values)


@dataclasses.dataclass(frozen=True)
class SectionBuilder:
    """Makes the model of a valid section, also with other values of some of its numbers.

    Attributes:
        section: The section. Its numbers are named by their keys, those of lists as in "hoppings.2.0".
    """

    section: Section

    def start(self, names: Sequence[str]) -> dict[str, float]:
        """The numbers of the section with these names.

        Raises:
            ValueError: If there is no such entry, or it is no real number.
        """
        found: dict[str, float] = {}
        for name in names:
            value: Any = self.section
            try:
                for part in _path(name):
                    value = getattr(value, part) if isinstance(part, str) else value[part]
            except (LookupError, AttributeError, TypeError):
                known = ", ".join(key for key in type(self.section).model_fields if key != "name")
                raise fail("parameters", f"made of entries of the model section ({known})", f"with {name}") from None
            if isinstance(value, bool) or not isinstance(value, float):
                raise fail("parameters", "made of real numbers of the model section", f"with {name} = {value!r}")
            found[name] = value
        return found

    def __call__(self, **values: Any) -> Model:
        """The model with these values, which may be traced."""
        section = self.section
        for name, value in values.items():
            key, *path = _path(name)
            section = section.model_copy(update={str(key): _replaced(getattr(section, str(key)), path, value)})
        return build_model(section)


def _path(name: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in name.split(".")]


def _replaced(old: Any, path: list[str | int], value: Any) -> Any:
    """A copy of nested lists and tuples with another value at one place."""
    if not path:
        return value
    place = int(path[0])
    return type(old)([*old[:place], _replaced(old[place], path[1:], value), *old[place + 1 :]])


@functools.cache
def model_schemas() -> dict[str, type[Section]]:
    """The schema of the model section for every name that `model.name` may be."""
    presets = {name: _preset_schema(name) for name in PRESETS}
    return {**presets, "tight_binding": CustomModel, "continuum": CustomContinuum}


def _preset_schema(name: str) -> type[Section]:
    preset = PRESETS[name]
    fields: dict[str, Any] = {"name": (Literal[name], ...)}
    for parameter in inspect.signature(preset).parameters.values():
        default = ... if parameter.default is inspect.Parameter.empty else parameter.default
        fields[parameter.name] = (_kind(parameter, name in CONTINUUM_PRESETS), default)
    summary = (preset.__doc__ or "").strip().partition("\n")[0]
    return pydantic.create_model(name, __base__=Section, __doc__=summary, **fields)


def _kind(parameter: inspect.Parameter, continuum: bool) -> Any:
    """What a preset's parameter may be in a run file."""
    if parameter.name == "valley":
        return Literal[1, -1]
    if parameter.annotation == Number:
        # Hoppings may be complex; angles, velocities and energies of continuum models are real.
        return float if continuum else NumberText
    if parameter.annotation == Number | None:
        return float | None
    return parameter.annotation
