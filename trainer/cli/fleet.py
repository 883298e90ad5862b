"""The command of a fleet's nodes."""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.app import app


@app.command()
def watch(
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            help="picamera, /dev/video0, rtsp://..., a video file; NAME=SOURCE names it."
        ),
    ] = None,
    mqtt: Annotated[
        str | None, typer.Option(help="The broker: mqtt://host or, encrypted, mqtts://host.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML settings; options win.")] = None,
    privacy: Annotated[
        str | None, typer.Option(help="Who may see the counts: home or public.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the node; left out: the machine's.")] = None,
    username: Annotated[str | None, typer.Option(help="As the broker knows the node.")] = None,
    password: Annotated[
        str | None,
        typer.Option(
            "--password-file",
            envvar="AGEGENDER_MQTT_PASSWORD_FILE",
            help="A file; left out: the environment's AGEGENDER_MQTT_PASSWORD, if there.",
        ),
    ] = None,
    ca: Annotated[
        str | None, typer.Option("--ca-file", help="Who signed the broker's certificate.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(envvar="STATE_DIRECTORY", help="Folder of the totals.")
    ] = None,
) -> None:
    """Count people before cameras, without Home Assistant, and tell an MQTT broker.

    A Home Assistant with its MQTT integration discovers every camera. Only counts are sent,
    by the same rules as the integration's.
    """
    from trainer.watch.node import Node
    from trainer.watch.settings import load

    options = {
        "mqtt.password": os.environ.get("AGEGENDER_MQTT_PASSWORD"),
        "mqtt.url": mqtt,
        "mqtt.username": username,
        "mqtt.password_file": password,
        "mqtt.ca_file": ca,
        "privacy.mode": privacy,
        "name": name,
        "state": state,
    }
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    node = Node(load(config, options, sources or []))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: node.stop())
    node.run()
