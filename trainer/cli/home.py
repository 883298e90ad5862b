"""Commands that talk to Home Assistant."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from trainer.cli.app import app


@app.command()
def stats(
    url: Annotated[
        str, typer.Option(envvar="HASS_SERVER", help="Where Home Assistant is.")
    ] = "http://homeassistant.local:8123",
    period: Annotated[Literal["day", "month"], typer.Option(help="How much to show.")] = "day",
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Any day in it; left out: today."),
    ] = None,
    step: Annotated[
        Literal["5minute", "hour", "day"] | None,
        typer.Option(help="Length of a step; left out: an hour of a day, a day of a month."),
    ] = None,
    camera: Annotated[
        list[str] | None, typer.Option(help="A camera's name; left out: all. Repeatable.")
    ] = None,
    output: Annotated[
        Path, typer.Option(help="The picture; its suffix says which kind: png, svg, pdf.")
    ] = Path("counts.png"),
) -> None:
    """Show a day or a month of counts, from the statistics that Home Assistant keeps.

    The long-lived access token of your Home Assistant profile is taken from the environment
    variable HASS_TOKEN, or asked for.
    """
    from trainer import stats

    token = os.environ.get("HASS_TOKEN") or typer.prompt("Access token", hide_input=True, err=True)
    wanted = stats.Period(period, day.date() if day else None)
    found = stats.fetch(url, token, wanted, step=step or stats.STEPS[period], cameras=camera or [])
    title = ", ".join([*(camera or ["all cameras"]), str(wanted)])
    Console().print(stats.table(found, title))
    stats.save(found, title, output)
    typer.echo(f"{output}: the same as a picture")
