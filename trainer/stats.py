"""A day or a month of counts, from the statistics that Home Assistant keeps itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
from hass_client import HomeAssistantClient
from hass_client.exceptions import AuthenticationFailed, BaseHassClientError, FailedCommand
from hass_client.utils import get_websocket_url
from numpy.typing import NDArray
from rich.table import Table

from trainer.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIMEOUT = 30
"""Seconds until Home Assistant must have answered."""
STEPS = {"day": "hour", "month": "day"}
"""The length of a bar, by the length of the period."""
IN_VIEW, VISITORS = "in view", "visitors"
UNKNOWN = "unknown"
GENDERS = {"female": "#cc79a7", "male": "#0072b2", UNKNOWN: "#b0b0b0"}
"""In colours that colour-blind people tell apart (Okabe and Ito, 2008)."""


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month, in Home Assistant's own time zone.

    Parameters
    ----------
    kind
        ``day`` or ``month``.
    day
        Any day in it; None for today.
    """

    kind: str
    day: date | None = None

    def bounds(self, zone: str) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Return its start and its end, which is outside, both at local midnight."""
        day = pd.Timestamp(self.day) if self.day else pd.Timestamp.now(zone).tz_localize(None)
        start = day.normalize() if self.kind == "day" else day.normalize().replace(day=1)
        length = pd.DateOffset(days=1) if self.kind == "day" else pd.DateOffset(months=1)
        # Where clocks change at midnight, a day begins with its first moment that exists.
        first, last = (
            midnight.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
            for midnight in (start, start + length)
        )
        return first, last

    def __str__(self) -> str:
        """Say which one."""
        if self.day is None:
            return "today" if self.kind == "day" else "this month"
        return f"{self.day:%Y-%m-%d}" if self.kind == "day" else f"{self.day:%Y-%m}"


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Counts over time, summed over cameras.

    Each table has one row for each step that has statistics, its index the step's start in
    Home Assistant's time zone; NaN where no camera has a number.

    Attributes
    ----------
    what
        `VISITORS` in each step, or people `IN_VIEW` on average.
    people
        One column, ``people``.
    age, gender
        One column for each band, or gender; ``unknown`` comes last.
    """

    what: str
    people: pd.DataFrame
    age: pd.DataFrame
    gender: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Cell:
    """What one of the integration's sensors counts.

    Parameters
    ----------
    what
        `IN_VIEW` or `VISITORS`.
    by
        ``people``, ``age`` or ``gender``.
    label
        ``people``, an age band such as ``13-19``, ``female``, ``male`` or ``unknown``.
    """

    what: str
    by: str
    label: str

    @classmethod
    def of(cls, key: str) -> Cell | None:
        """Return what the sensor of this key counts; None if it counts nobody."""
        # In public, the sensors of the last window show what those of the day add up.
        what = VISITORS if key.startswith("today_") else IN_VIEW
        rest = key.removeprefix("today_")
        if rest == "people":
            return cls(what, "people", rest)
        if rest.startswith("age_"):
            return cls(what, "age", rest.removeprefix("age_"))
        if (gender := rest.removeprefix("gender_")) in GENDERS:
            return cls(what, "gender", gender)
        return None


async def _fetch(
    url: str, token: str, period: Period, step: str, cameras: Sequence[str]
) -> Counted:
    async with HomeAssistantClient(get_websocket_url(url), token) as client:
        zone = (await client.get_config())["time_zone"]
        sensors = _sensors(
            await client.get_entity_registry(), await client.get_device_registry(), cameras
        )
        start, end = period.bounds(zone)
        rows = await client.send_command(
            "recorder/statistics_during_period",
            start_time=start.isoformat(),
            end_time=end.isoformat(),
            statistic_ids=list(sensors),
            period=step,
            types=["mean", "change"],
        )
    return counts(rows, sensors, zone)


def fetch(
    url: str, token: str, period: Period, *, step: str, cameras: Sequence[str] = ()
) -> Counted:
    """Ask Home Assistant for the counts of a period.

    Parameters
    ----------
    url
        Where Home Assistant is, such as ``http://homeassistant.local:8123``.
    token
        A long-lived access token; sent to this address alone.
    period
        Which day or month.
    step
        The length of a step: ``5minute`` (kept for ten days), ``hour`` or ``day``.
    cameras
        Names of cameras; empty for all of the integration's.

    Returns
    -------
    Counted
        Summed over the cameras.

    Raises
    ------
    InputError
        Nothing answers there, the token is refused, there is no such camera, or there are
        no statistics yet.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        raise InputError(f"{url}: no address; write it like http://homeassistant.local:8123.")
    try:
        found = asyncio.run(asyncio.wait_for(_fetch(url, token, period, step, cameras), TIMEOUT))
    except AuthenticationFailed as error:
        raise InputError(
            f"{url}: Home Assistant refuses the token. Make one in your profile: Security, "
            "Long-lived access tokens."
        ) from error
    except FailedCommand as error:
        raise InputError(f"{url}: Home Assistant cannot tell: {error}") from error
    except (BaseHassClientError, KeyError, TypeError, TimeoutError) as error:
        raise InputError(
            f"{url}: no Home Assistant answers there ({str(error) or type(error).__name__}). "
            "Give the address that you open in the browser, without a page."
        ) from error
    if found.people.empty:
        raise InputError(
            f"{url}: no statistics for {period} yet. Home Assistant writes them five minutes "
            "after a camera was added (--step 5minute), and each hour (--step hour)."
        )
    return found


def _sensors(
    entities: Iterable[Mapping[str, Any]],
    devices: Iterable[Mapping[str, Any]],
    cameras: Sequence[str],
) -> dict[str, Cell]:
    """Return what the integration's sensors count, by entity id."""
    names = {device["id"]: device["name_by_user"] or device["name"] for device in devices}
    ours = [entity for entity in entities if entity["platform"] == "agegender"]
    known = {str(names.get(entity["device_id"])) for entity in ours}
    if not ours:
        raise InputError("Home Assistant has no camera of Age and Gender Counts; add one there.")
    if missing := set(cameras) - known:
        raise InputError(
            f"no camera is called {min(missing)!r}; there are: {', '.join(sorted(known))}"
        )
    return {
        entity["entity_id"]: cell
        for entity in ours
        if not cameras or names.get(entity["device_id"]) in cameras
        if (cell := Cell.of(entity["unique_id"].removeprefix(f"{entity['config_subentry_id']}_")))
    }


def counts(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], sensors: Mapping[str, Cell], zone: str
) -> Counted:
    """Add up the statistics of several cameras: visitors where they are counted.

    Parameters
    ----------
    rows
        Home Assistant's answer: for each entity id rows with ``start`` (milliseconds since
        1970), ``mean`` of a measurement, ``change`` of a total.
    sensors
        What each entity counts.
    zone
        Home Assistant's time zone.
    """
    what = VISITORS if any(sensors[entity].what == VISITORS for entity in rows) else IN_VIEW
    kind = "change" if what == VISITORS else "mean"
    cells: dict[Cell, list[pd.Series[float]]] = {}
    for entity, found in rows.items():
        values = pd.Series({row["start"]: row.get(kind) for row in found}, dtype=float)
        values.index = pd.to_datetime(values.index, unit="ms", utc=True).tz_convert(zone)
        cells.setdefault(sensors[entity], []).append(values)

    def by(wanted: str) -> pd.DataFrame:
        columns = {
            cell.label: pd.concat(parts, axis=1).sum(axis=1, min_count=1)
            for cell, parts in cells.items()
            if (cell.what, cell.by) == (what, wanted)
        }
        table = pd.DataFrame({label: columns[label] for label in sorted(columns, key=_rank)})
        return table.sort_index().dropna(how="all")

    return Counted(what, by("people"), by("age"), by("gender"))


def _rank(label: str) -> tuple[bool, int, str]:
    start = label.rstrip("+").split("-")[0]
    return label == UNKNOWN, int(start) if start.isdigit() else 0, label


def table(counted: Counted, title: str) -> Table:
    """Return the counts in a form for the terminal, one row for each step.

    Parameters
    ----------
    counted
        What to show.
    title
        Above the table.
    """
    age = counted.age.rename(columns={UNKNOWN: "age unknown"})
    gender = counted.gender.rename(columns={UNKNOWN: "gender unknown"})
    cells = pd.concat([counted.people, age, gender], axis=1)
    starts = pd.DatetimeIndex(cells.index)
    whole_days = bool((starts == starts.normalize()).all())
    shown = Table("day" if whole_days else "from", title=f"{counted.what}: {title}")
    for label in cells:
        shown.add_column(str(label), justify="right")
    form = "{:.0f}" if counted.what == VISITORS else "{:.2f}"
    for start, row in zip(starts, cells.to_numpy(), strict=True):
        time = f"{start:%d %b}" if whole_days else f"{start:%H:%M}"
        shown.add_row(time, *("" if pd.isna(number) else form.format(number) for number in row))
    if counted.what == VISITORS:
        shown.add_section()
        shown.add_row("total", *(form.format(number) for number in cells.sum()))
    return shown


def plot_people(people: pd.DataFrame, ax: Axes) -> None:
    """Draw the number of people over time, each step as long as it is.

    Parameters
    ----------
    people
        `Counted.people`.
    ax
        To draw on.
    """
    start, width = _bars(people)
    ax.bar(start, people["people"], width, align="edge", color="#56b4e9")


def plot_stack(cells: pd.DataFrame, ax: Axes) -> None:
    """Stack the cells of each step on each other, with a legend.

    Parameters
    ----------
    cells
        `Counted.age` or `Counted.gender`.
    ax
        To draw on.
    """
    import matplotlib as mpl  # noqa: PLC0415  (takes long, and only a picture needs it)

    start, width = _bars(cells)
    bands = [label for label in cells if label not in GENDERS]
    shades = mpl.colormaps["viridis"].resampled(max(len(bands), 2))
    base = np.zeros(len(cells))
    for label, numbers in cells.fillna(0).items():
        colour = shades(bands.index(label)) if label in bands else GENDERS[str(label)]
        ax.bar(start, numbers, width, base, align="edge", color=colour, label=str(label))
        base += numbers.to_numpy()
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, reverse=True)


def _bars(cells: pd.DataFrame) -> tuple[NDArray[np.float64], float]:
    """Return where the bars of a table begin, and their width, in matplotlib's days."""
    from matplotlib.dates import date2num  # noqa: PLC0415

    starts = pd.DatetimeIndex(cells.index)
    step = starts.to_series().diff().min() if len(starts) > 1 else pd.Timedelta(hours=1)
    left = date2num(starts.to_pydatetime())  # type: ignore[no-untyped-call]
    return np.asarray(left), 0.9 * step / pd.Timedelta(days=1)


def figure(counted: Counted, title: str) -> Figure:
    """Draw people over time, and by age and gender.

    Parameters
    ----------
    counted
        What to draw.
    title
        For the whole picture.
    """
    from matplotlib.dates import AutoDateLocator, DateFormatter  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    # A figure of its own, not pyplot's: no window, and no display is needed.
    drawn = Figure(figsize=(9, 8), layout="constrained")
    unit = "visitors" if counted.what == VISITORS else "people in view, on average"
    stacks = {f"{unit}, by age": counted.age, f"{unit}, by gender": counted.gender}
    stacks = {name: cells for name, cells in stacks.items() if not cells.empty}
    people, *others = axes = drawn.subplots(1 + len(stacks), sharex=True, squeeze=False)[:, 0]
    plot_people(counted.people, people)
    for ax, cells in zip(others, stacks.values(), strict=True):
        plot_stack(cells, ax)
    for ax, what in zip(axes, (unit, *stacks), strict=True):
        ax.set_title(what, loc="left")
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(axis="y", alpha=0.3)
        ax.set_axisbelow(True)
    start, width = _bars(counted.people)
    people.set_xlim(start[0], start[-1] + width)
    zone, days = pd.DatetimeIndex(counted.people.index).tz, width > 0.5
    locator = AutoDateLocator(tz=zone)  # type: ignore[no-untyped-call]
    people.xaxis.set_major_locator(locator)
    people.xaxis.set_major_formatter(DateFormatter("%d %b" if days else "%H:%M", tz=zone))  # type: ignore[no-untyped-call]
    drawn.suptitle(title)
    return drawn


def save(counted: Counted, title: str, path: Path) -> None:
    """Write the picture.

    Parameters
    ----------
    counted, title
        As for `figure`.
    path
        Its suffix says which kind of picture.

    Raises
    ------
    InputError
        There is no such kind, or the file cannot be written.
    """
    try:
        figure(counted, title).savefig(path, dpi=150)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: the picture cannot be written: {error}") from error
