"""All that is told of one camera: its values, what they are called, and how they are read.

The integration makes entities of it and ``agegender watch`` messages of a broker, so a
camera looks the same whoever watches it. Kinds and classes go by Home Assistant's words,
as that is where both are shown; nothing of Home Assistant is needed for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeVar

from .census import (
    GENDERS,
    UNKNOWN,
    AgeBands,
    Counts,
    majority_band,
    majority_gender,
    mean_age,
)
from .privacy import Home, Mode, Publication


@dataclass(frozen=True, slots=True)
class Live:
    """What only those at home may know: it follows the frames.

    Attributes
    ----------
    children
        Somebody in view is a child.
    taken
        When the camera delivered the frame, aware.
    processing_ms
        Milliseconds from the frame to the people in it.
    frames_per_minute
        So many were analysed lately; None for the first frame.
    """

    children: bool
    taken: datetime
    processing_ms: float
    frames_per_minute: float | None


@dataclass(frozen=True, slots=True)
class Reading:
    """All that values of one camera are read from.

    Attributes
    ----------
    shown
        The counts, as the privacy mode publishes them.
    live
        None in public, and while there are no frames.
    """

    shown: Publication
    live: Live | None = None


class Status(StrEnum):
    """What a camera is doing."""

    STARTING = "starting"
    COUNTING = "counting"
    OVERLOADED = "overloaded"
    PAUSED = "paused"
    WAITING = "waiting"
    NO_FRAME = "no_frame"

    @classmethod
    def of(
        cls,
        mode: Mode,
        *,
        paused: bool,
        failing: bool,
        starting: bool,
        waiting: bool,
        overloaded: bool,
    ) -> Status:
        """Return the one that matters most; in public, none that depends on who is there."""
        if paused:
            return cls.PAUSED
        if failing:
            return cls.NO_FRAME
        if starting:
            return cls.STARTING
        if waiting and isinstance(mode, Home):
            return cls.WAITING
        if overloaded and isinstance(mode, Home):
            return cls.OVERLOADED
        return cls.COUNTING


Value = datetime | bool | float | str | None
_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What is told of a camera, as one entity.

    Attributes
    ----------
    platform
        Kind of the entity.
    key
        Its name among those of a camera.
    name
        Key of its name and icon in the translations; in that name ``{band}`` is `band`.
    category, device_class, state_class, unit, options, precision
        As Home Assistant has them; the precision is that of the display, in digits.
    enabled
        Rare ones are not, until somebody asks for them.
    always
        Available also while the camera delivers nothing.
    """

    platform: Literal["binary_sensor", "button", "sensor", "switch"] = "sensor"
    key: str
    name: str
    band: str | None = None
    category: Literal["config", "diagnostic"] | None = None
    device_class: str | None = None
    state_class: Literal["measurement", "total_increasing"] | None = None
    unit: str | None = None
    options: tuple[str, ...] | None = None
    precision: int | None = None
    enabled: bool = True
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure(Description):
    """What is read from a reading; None is unknown."""

    read: Callable[[Reading], Value]


STATUS = Description(
    key="status",
    name="status",
    category="diagnostic",
    device_class="enum",
    options=tuple(Status),
    always=True,
)
PAUSE = Description(platform="switch", key="pause", name="pause", always=True)
RESET = Description(
    platform="button", key="reset_totals", name="reset_totals", category="config", always=True
)


def measures(bands: AgeBands, mode: Mode) -> tuple[Measure, ...]:
    """Return what is told of a camera's readings in a privacy mode."""
    return tuple(_home(bands) if isinstance(mode, Home) else _public(bands))


def _home(bands: AgeBands) -> Iterator[Measure]:
    """Describe what those at home see: who is in view, and today's visitors."""
    yield from _counts("", _in_view, bands, "measurement")
    yield from _counts("today_", _today, bands, "total_increasing", unknown=False)
    yield Measure(
        key="majority_band",
        name="majority_band",
        device_class="enum",
        options=bands.labels,
        read=_value(_in_view, majority_band),
    )
    yield Measure(
        key="majority_gender",
        name="majority_gender",
        device_class="enum",
        options=GENDERS,
        read=_value(_in_view, majority_gender),
    )
    yield Measure(
        key="mean_age",
        name="mean_age",
        state_class="measurement",
        unit="y",
        precision=0,
        read=_value(_in_view, lambda counts: mean_age(counts, bands)),
    )
    yield Measure(
        platform="binary_sensor",
        key="children",
        name="children",
        device_class="occupancy",
        read=_value(_live, lambda live: live.children),
    )
    yield Measure(
        key="processing_time",
        name="processing_time",
        category="diagnostic",
        device_class="duration",
        state_class="measurement",
        unit="ms",
        precision=0,
        enabled=False,
        read=_value(_live, lambda live: live.processing_ms),
    )
    yield Measure(
        key="frames_per_minute",
        name="frames_per_minute",
        category="diagnostic",
        state_class="measurement",
        precision=0,
        enabled=False,
        read=_value(_live, lambda live: live.frames_per_minute),
    )
    yield Measure(
        key="last_frame",
        name="last_frame",
        category="diagnostic",
        device_class="timestamp",
        enabled=False,
        read=_value(_live, lambda live: live.taken),
    )


def _public(bands: AgeBands) -> Iterator[Measure]:
    """Describe what anybody may see: the last completed window, and today's sum of them.

    Nothing else, for whatever changes with the frames tells who is there.
    """
    yield from _counts("window_", _in_view, bands, "measurement")
    yield from _counts("today_", _today, bands, "total_increasing", unknown=False)
    yield Measure(
        key="window_end",
        name="window_end",
        device_class="timestamp",
        read=lambda reading: reading.shown.end,
    )


def _counts(
    prefix: str,
    of: Callable[[Reading], Counts | None],
    bands: AgeBands,
    state_class: Literal["measurement", "total_increasing"],
    *,
    unknown: bool = True,
) -> Iterator[Measure]:
    """Describe one set of counts: people, genders, bands.

    Parameters
    ----------
    prefix
        What their keys begin with.
    of
        The counts in a reading, None if there are none.
    bands
        Age bands that people are counted in.
    state_class
        Whether the counts come and go or only rise.
    unknown
        Whether those for unknown age and gender are enabled from the start.
    """

    def measure(
        name: str,
        number: Callable[[Counts], int],
        *,
        band: str | None = None,
        enabled: bool = True,
    ) -> Measure:
        return Measure(
            key=f"{prefix}{name}" if band is None else f"{prefix}age_{band}",
            name=f"{prefix}{name}",
            band=band,
            state_class=state_class,
            enabled=enabled,
            read=_value(of, number),
        )

    def of_gender(gender: str) -> Callable[[Counts], int]:
        return lambda counts: counts.by_gender[gender]

    def of_band(band: str) -> Callable[[Counts], int]:
        return lambda counts: counts.by_band[band]

    yield measure("people", lambda counts: counts.people)
    for gender in GENDERS:
        yield measure(gender, of_gender(gender))
    yield measure("gender_unknown", of_gender(UNKNOWN), enabled=unknown)
    for band in bands.labels:
        yield measure("age_band", of_band(band), band=band)
    yield measure("age_unknown", of_band(UNKNOWN), enabled=unknown)


def _in_view(reading: Reading) -> Counts | None:
    """Return the people in view; in public, those of the last completed window."""
    return reading.shown.current


def _today(reading: Reading) -> Counts | None:
    """Return the visitors of the day so far."""
    return reading.shown.today


def _live(reading: Reading) -> Live | None:
    """Return what only those at home may know."""
    return reading.live


def _value(
    part: Callable[[Reading], _Part | None], value: Callable[[_Part], _Result]
) -> Callable[[Reading], _Result | None]:
    """Return what reads a value from a part of a reading: None without that part."""

    def read(reading: Reading) -> _Result | None:
        found = part(reading)
        return None if found is None else value(found)

    return read
