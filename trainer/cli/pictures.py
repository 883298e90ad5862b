"""Commands that look at pictures, with a finished model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trainer.cli.app import app, errors
from trainer.errors import InputError


@app.command()
def predict(
    paths: Annotated[
        list[Path], typer.Argument(help="Images, videos, folders of them, patterns in quotes.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="JSON lines; left out: the standard output.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where an interrupted --output ended.")
    ] = False,
    detector: Annotated[
        str, typer.Option(help="Face detector; `none` takes images for aligned faces.")
    ] = "mtcnn",
    model: Annotated[
        Path | None, typer.Option(help="Model folder; left out: the bundled one.")
    ] = None,
    runtime: Annotated[
        str, typer.Option(help="What computes; `auto`: the fastest installed.")
    ] = "numpy",
    bands: Annotated[
        str, typer.Option(help="A preset (household, fairface, ...) or ages: 18,65.")
    ] = "household",
    min_face: Annotated[int, typer.Option(help="Smallest face looked for, pixels.")] = 20,
    every: Annotated[int, typer.Option(min=1, help="Of a video, take every Nth picture.")] = 1,
    annotate: Annotated[
        Path | None, typer.Option(help="Folder for copies with the answers drawn in.")
    ] = None,
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="Cover the heads in these copies.")
    ] = False,
) -> None:
    """Write one JSON object per face: box, age with interval, band, p_female.

    A file without a face gets an object with "faces": 0, an unreadable one an object with
    "error"; the exit status is 1 then, after all other files were done. A video gets these
    for each picture, and at last one that counts its people.
    """
    from agegender_vision.artefact import ArtefactError
    from agegender_vision.census import AgeBands
    from agegender_vision.plugins import PluginError
    from trainer import predict
    from trainer.album import Album

    if anonymise and not annotate:
        raise InputError("--anonymise covers heads in copies: add --annotate FOLDER for them.")
    if resume and not output:
        raise InputError("--resume goes on with a file: add --output FILE.")
    try:
        predictor = predict.Predictor(
            model,
            detector=detector,
            runtime=runtime,
            bands=AgeBands.parse(bands),
            min_face_size=min_face,
            every=every,
        )
    except (ArtefactError, PluginError, ValueError) as error:
        raise InputError(str(error)) from error
    for name, reason in predictor.engine.rejected.items():
        errors.print(f"The runtime {name} is not used: {reason}.", highlight=False)
    files = predict.files(paths, leave_out=annotate)
    album = Album(annotate, files, anonymise=anonymise) if annotate else None
    failed = predict.write(predictor, files, output, errors, resume=resume, album=album)
    if failed:
        errors.print(f"{failed} of the files could not be read; see their `error`.")
        raise typer.Exit(1)


@app.command()
def demo(
    host: Annotated[
        str, typer.Option(help="Address to listen on; another than this opens it to a network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8111,
    model: Annotated[
        Path | None, typer.Option(help="Model folder; left out: the bundled one.")
    ] = None,
    detector: Annotated[str, typer.Option(help="Face detector.")] = "mtcnn",
    runtime: Annotated[str, typer.Option(help="What computes.")] = "auto",
    min_face: Annotated[int, typer.Option(help="Smallest face looked for, pixels.")] = 32,
) -> None:
    """Show a page in the browser that looks at photos and at your camera.

    Pictures are looked at in memory and forgotten; nothing is stored or sent elsewhere.
    """
    import socket
    from ipaddress import ip_address

    from agegender_vision.artefact import ArtefactError
    from agegender_vision.engine import Engine
    from agegender_vision.plugins import PluginError
    from trainer.demo import server

    try:
        listener = server.listen(host, port)
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}, port {port}: {error.strerror}. Choose another --port "
            "(0 takes a free one), or leave out --host."
        ) from error
    try:
        engine = Engine.load(model, detector=detector, runtime=runtime, min_face_size=min_face)
    except (ArtefactError, PluginError, ValueError) as error:
        raise InputError(str(error)) from error
    address, number = listener.getsockname()[:2]
    name = socket.gethostname().lower()
    if not ip_address(address).is_loopback:
        errors.print(
            "Everyone in your network can open this page and send it pictures, unencrypted. "
            "Browsers give their camera only to pages from the same computer.",
            soft_wrap=True,
        )
    shown = name if ip_address(address).is_unspecified else f"[{host}]" if ":" in host else host
    typer.echo(f"The demo is at http://{shown}:{number}/ until you press Ctrl-C.")
    server.serve(engine, listener, frozenset({host, name, f"{name}.local"}))


@app.command()
def bench(
    picture: Annotated[
        Path | None,
        typer.Argument(help="A photograph with faces; left out: a drawn frame without any."),
    ] = None,
    runtime: Annotated[str, typer.Option(help="What computes.")] = "auto",
) -> None:
    """Measure load, time per frame and memory here, beside the thesis's published figures."""
    from tempfile import TemporaryDirectory

    from agegender_vision.plugins import PluginError
    from trainer import bench as benchmark

    try:
        with TemporaryDirectory() as folder:
            costs = benchmark.bench(picture, runtime, Path(folder))
    except PluginError as error:
        raise InputError(str(error)) from error
    Console().print(benchmark.table(costs))
