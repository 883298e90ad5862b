"""Counts out of Home Assistant's statistics. tests/e2e/test_statistics.py asks a real one."""

from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pandas as pd
import pytest
from rich.console import Console

from trainer import stats
from trainer.errors import InputError
from trainer.stats import Cell, Period

NINE, TEN = (pd.Timestamp(f"2026-11-20 {hour}", tz="Europe/Berlin") for hour in ("09:00", "10:00"))


def rows(kind: str, *numbers: float | None) -> list[dict[str, float | None]]:
    """What Home Assistant answers about one entity from nine o'clock on."""
    return [
        {"start": (NINE.timestamp() + 3600 * hour) * 1000, kind: number}
        for hour, number in enumerate(numbers)
    ]


SENSORS = {
    "sensor.door_people": Cell("in view", "people", "people"),
    "sensor.yard_people": Cell("in view", "people", "people"),
    "sensor.door_60": Cell("in view", "age", "60+"),
    "sensor.door_5": Cell("in view", "age", "5-59"),
    "sensor.door_0": Cell("in view", "age", "0-4"),
    "sensor.door_unknown": Cell("in view", "age", "unknown"),
    "sensor.door_female": Cell("in view", "gender", "female"),
}
IN_VIEW = {
    "sensor.door_people": rows("mean", 1.5, 3.0),
    "sensor.yard_people": rows("mean", 0.5),
    "sensor.door_60": rows("mean", 1.0, 1.0),
    "sensor.door_unknown": rows("mean", 0.25, 0.0),
    "sensor.door_5": rows("mean", 0.0, 2.0),
    "sensor.door_0": rows("mean", 0.25, 0.0),
    "sensor.door_female": rows("mean", 1.5, None),
}


@pytest.mark.parametrize(
    ("key", "cell"),
    [
        ("people", Cell("in view", "people", "people")),
        ("age_13-19", Cell("in view", "age", "13-19")),
        ("female", Cell("in view", "gender", "female")),
        ("gender_unknown", Cell("in view", "gender", "unknown")),
        ("today_people", Cell("visitors", "people", "people")),
        ("today_age_unknown", Cell("visitors", "age", "unknown")),
        ("today_male", Cell("visitors", "gender", "male")),
        ("window_people", None),
        ("mean_age", None),
        ("processing_time", None),
    ],
)
def test_what_a_sensor_counts(key: str, cell: Cell | None) -> None:
    assert Cell.of(key) == cell


def test_cameras_are_added_up_in_home_assistants_own_time() -> None:
    found = stats.counts(IN_VIEW, SENSORS, "Europe/Berlin")
    assert found.what == "in view"
    assert list(found.people.index) == [NINE, TEN]
    assert found.people["people"].to_list() == [2, 3]


def test_bands_rise_and_the_unknown_comes_last() -> None:
    found = stats.counts(IN_VIEW, SENSORS, "Europe/Berlin")
    assert list(found.age) == ["0-4", "5-59", "60+", "unknown"]
    assert list(found.age.loc[TEN]) == [0, 2, 1, 0]


def test_visitors_are_shown_where_they_are_counted() -> None:
    sensors = SENSORS | {"sensor.door_visitors": Cell("visitors", "people", "people")}
    answer = IN_VIEW | {"sensor.door_visitors": rows("change", 4, 7)}
    found = stats.counts(answer, sensors, "Europe/Berlin")
    assert found.what == "visitors"
    assert found.people["people"].to_list() == [4, 7]


def test_the_table_leaves_open_what_was_not_counted() -> None:
    console = Console(width=120, record=True)
    console.print(stats.table(stats.counts(IN_VIEW, SENSORS, "Europe/Berlin"), "door"))
    nine, ten = (line.split("│") for line in console.export_text().splitlines() if ":00" in line)
    assert [cell.strip() for cell in nine[1:]] == [
        *("09:00", "2.00", "0.25", "0.00", "1.00", "0.25", "1.50"),
        "",
    ]
    assert [cell.strip() for cell in ten[-3:]] == ["0.00", "", ""]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_picture_is_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"counts.{suffix}"
    stats.save(stats.counts(IN_VIEW, SENSORS, "Europe/Berlin"), "door", path)
    assert path.read_bytes()[:4] in {b"\x89PNG", b"<?xm"}


def test_cameras_whose_ages_and_genders_are_disabled_are_shown(tmp_path: Path) -> None:
    answer = {"sensor.door_people": IN_VIEW["sensor.door_people"]}
    found = stats.counts(answer, SENSORS, "Europe/Berlin")
    stats.save(found, "door", tmp_path / "counts.png")
    assert stats.table(found, "door").row_count == 2


def test_bars_stand_on_each_other() -> None:
    figure = stats.figure(stats.counts(IN_VIEW, SENSORS, "Europe/Berlin"), "door")
    _, age, _ = figure.axes
    tops = [bar.get_y() + bar.get_height() for bar in age.containers[-1]]
    assert tops == [1.5, 3.0]
    assert (legend := age.get_legend())
    assert [text.get_text() for text in legend.get_texts()] == [*("unknown", "60+", "5-59", "0-4")]


def test_a_day_whose_midnight_is_skipped_begins_at_one() -> None:
    start, end = Period("day", date(2026, 4, 24)).bounds("Africa/Cairo")
    assert (start.hour, end.hour) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "day", "hours"),
    [
        ("day", date(2026, 11, 20), 24),
        ("day", date(2026, 10, 25), 25),  # summer time ends
        ("month", date(2026, 2, 14), 28 * 24),
    ],
)
def test_a_period_lasts_from_midnight_to_midnight(kind: str, day: date, hours: int) -> None:
    start, end = Period(kind, day).bounds("Europe/Berlin")
    assert (start.hour, end.hour) == (0, 0)
    assert (end - start) / pd.Timedelta(hours=1) == hours


@pytest.mark.parametrize("url", ["homeassistant.local:8123", "ftp://home"])
def test_an_address_without_a_scheme_is_refused(url: str) -> None:
    with pytest.raises(InputError, match=r"write it like http://homeassistant\.local:8123"):
        stats.fetch(url, "token", Period("day"), step="hour")


def test_an_address_where_nobody_listens_is_named() -> None:
    with pytest.raises(InputError, match=r"http://127.0.0.1:9: no Home Assistant answers there"):
        stats.fetch("http://127.0.0.1:9", "token", Period("day"), step="hour")


def test_an_address_where_something_else_answers_is_named() -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as other:
        Thread(target=other.handle_request, daemon=True).start()
        with pytest.raises(InputError, match=r"no Home Assistant answers there .* without a page"):
            stats.fetch(f"http://127.0.0.1:{other.server_port}", "token", Period("day"), step="day")


def test_an_unknown_kind_of_picture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"counts.docx: the picture cannot be written"):
        stats.save(stats.counts(IN_VIEW, SENSORS, "UTC"), "door", tmp_path / "counts.docx")
