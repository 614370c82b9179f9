"""A group of bands in a run file: [first, last], the last one not included."""

from collections.abc import Sequence
from typing import Annotated

import pydantic

from hofstadter.tasks._task import Section

BandRange = Annotated[list[int], pydantic.Field(min_length=2, max_length=2)]
"""First band and the one after the last, in a run file."""


class CountedBands(Section):
    """The part of a task's section that says how bands are counted."""

    from_reference: bool = pydantic.Field(
        False,
        description="Whether bands are counted from where the model has its zero (charge neutrality, or the top or "
        "bottom of its bands): [-1, 1] is the pair around it. By default the lowest band is 0.",
    )


class BandGroup(CountedBands):
    """The part of a task's section that names one group of bands."""

    bands: BandRange = pydantic.Field(description="First band and the one after the last, such as [0, 1].")

    @pydantic.model_validator(mode="after")
    def _check_bands(self) -> "BandGroup":
        check_band_range("bands", self.bands, self.from_reference)
        return self

    def band_pair(self) -> tuple[int, int]:
        """The bands as the calculation takes them."""
        return self.bands[0], self.bands[1]


def check_band_range(name: str, bands: Sequence[int], from_reference: bool) -> None:
    """Refuse ranges that are empty whatever the model."""
    first, last = bands
    if first >= last:
        raise ValueError(f"`{name}` must be [first, last] with first < last, but is {list(bands)}.")
    if first < 0 and not from_reference:
        raise ValueError(
            f"`{name}` must be [first, last] with 0 <= first < last, but is {list(bands)}. To count from the model's "
            "reference, such as charge neutrality, add `from_reference: true`."
        )
