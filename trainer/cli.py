"""The command line: `agegender data | pretrain | train | evaluate | export | predict | demo`.

TensorFlow takes seconds to import, so a command imports what it needs when it runs.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import json
import os
import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

from trainer.errors import InputError

if TYPE_CHECKING:
    import keras

    from trainer.config import Config

app = typer.Typer(
    help="Train, evaluate and export models that estimate age and gender from faces.\n\n"
    "The way of the data: data prepare -> pretrain -> train -> evaluate -> export; "
    "`predict` looks at your pictures with the finished model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data_app = typer.Typer(help="Make manifests, the tables of faces that training reads.")
export_app = typer.Typer(help="Write the model folders that the integration runs.")
app.add_typer(data_app, name="data", no_args_is_help=True)
app.add_typer(export_app, name="export", no_args_is_help=True)

errors = Console(stderr=True)

RunOption = Annotated[
    Path, typer.Option("--run", help="Folder of the run: settings, checkpoints, logs.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", help="TOML settings; left out: the defaults.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a setting: section.key=value. Repeatable."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Continue a run that was stopped or killed.")
]


@data_app.command()
def prepare(
    name: Annotated[str, typer.Argument(help="utkface, fairface, fgnet, lfw, or a plugin's.")],
    source: Annotated[Path, typer.Option(help="Folder with the pack: index.csv and shards.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder to write; left out: data/NAME.")
    ] = None,
) -> None:
    """Unpack a data set into OUTPUT/images and list it in OUTPUT/manifest.csv."""
    from trainer.data.registry import dataset

    output = output or Path("data") / name
    rejected = dataset(name).prepare(source, output)
    from trainer.data import manifest

    table = manifest.read(output)
    splits = ", ".join(
        f"{count:,} {split}" for split, count in table["split"].value_counts().items()
    )
    typer.echo(f"{output / 'manifest.csv'}: {len(table):,} faces ({splits})")
    if len(rejected):
        typer.echo(f"{len(rejected):,} files rejected, see {output / 'rejected.csv'}")


@app.command()
def pretrain(
    run: RunOption,
    config: ConfigOption = None,
    set_: SetOption = None,
    resume: ResumeOption = False,
) -> None:
    """Pretrain the encoder as a stacked denoising autoencoder, on faces without labels."""
    from trainer.run import open_run

    settings = open_run(run, config, set_ or [], resume=resume)
    from trainer.data import faces
    from trainer.training.allocator import keep_freed_memory
    from trainer.training.pretrain import pretrain

    keep_freed_memory()
    manifests = [*settings.data.manifests, *settings.data.unlabeled]
    seen = faces.load(manifests, ["train", "unlabeled"], settings.data.limit)
    result = pretrain(settings, seen, run)
    typer.echo(
        f"{result}: the pretrained encoder; go on with `agegender train --run {run} --resume`"
    )


@app.command()
def train(
    run: RunOption,
    config: ConfigOption = None,
    set_: SetOption = None,
    resume: ResumeOption = False,
    scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start the encoder from random weights.")
    ] = False,
) -> None:
    """Train the age and gender heads on the pretrained encoder, and calibrate them."""
    from trainer.run import CALIBRATION, open_run

    encoder = run / "pretrain" / "encoder.weights.h5"
    settings = open_run(run, config, set_ or [], resume=resume)
    if not scratch and not encoder.exists():
        raise InputError(
            f"{encoder}: no pretrained encoder. Run `agegender pretrain --run {run}` first, or "
            "add --from-scratch."
        )
    import keras

    from trainer.data import faces
    from trainer.evaluation.calibration import calibrate
    from trainer.evaluation.predictions import logits
    from trainer.training.allocator import keep_freed_memory
    from trainer.training.finetune import train

    keep_freed_memory()
    manifests, limit = settings.data.manifests, settings.data.limit
    held_out = faces.load(manifests, ["val"], limit)
    result = train(
        settings,
        faces.load(manifests, ["train"], limit),
        held_out,
        run,
        None if scratch else encoder,
    )
    model = keras.saving.load_model(result)
    images = faces.plain_views(held_out, settings.model.size)
    answers = logits(model, images, mirror=settings.model.mirror)
    found = calibrate(*answers, held_out.ages, held_out.female)
    (run / CALIBRATION).write_text(json.dumps(found) + "\n", "utf-8")
    typer.echo(f"{result}: trained; go on with `agegender evaluate {run}`")


@app.command("label-efficiency")
def label_efficiency(
    run: RunOption,
    output: Annotated[
        Path | None, typer.Option(help="Folder for table and plot; left out: RUN/labels.")
    ] = None,
    set_: SetOption = None,
    shares: Annotated[
        str, typer.Option(help="Shares of the labelled faces, separated by commas.")
    ] = "0.01,0.03,0.1,0.3,1",
    seeds: Annotated[int, typer.Option(min=1, help="Trainings at each point.")] = 3,
) -> None:
    """Train on ever fewer labels, from RUN's pretrained encoder and from random weights.

    Everything else is equal. Killed and called again, it does what is left.
    """
    from trainer import config
    from trainer.data import faces
    from trainer.run import CONFIG
    from trainer.training import label_efficiency
    from trainer.training.allocator import keep_freed_memory

    settings = config.load(_existing(run / CONFIG, "a run's settings"), set_ or [])
    encoder = _existing(run / "pretrain" / "encoder.weights.h5", "a pretrained encoder")
    try:
        wanted = [float(share) for share in shares.split(",")]
    except ValueError:
        wanted = []
    if not wanted or not all(0 < share <= 1 for share in wanted):
        raise InputError(f"--shares {shares}: give numbers above 0 up to 1, such as 0.01,0.1,1.")
    output = output or run / "labels"
    output.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    manifests, limit = settings.data.manifests, settings.data.limit
    found = label_efficiency.measure(
        settings,
        faces.load(manifests, ["train"], limit),
        faces.load(manifests, ["val"], limit),
        encoder,
        output,
        shares=wanted,
        seeds=seeds,
    )
    label_efficiency.plot(found, output / "labels.png")
    typer.echo(label_efficiency.summary(found).round(3).to_string())
    typer.echo(f"{output / 'results.csv'}, {output / 'labels.png'}: each training, and the plot")


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A run, or a folder under models/.")],
    split: Annotated[str, typer.Option(help="val or test.")] = "val",
    manifest: Annotated[
        list[Path] | None, typer.Option(help="Other manifests than the run's. Repeatable.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for metrics and plots; left out: MODEL.")
    ] = None,
) -> None:
    """Measure a trained model on held-out faces: tables, metrics.json and plots."""
    from trainer.data import faces
    from trainer.evaluation import report
    from trainer.evaluation.predictions import Predictions, logits
    from trainer.run import METRICS

    settings, network, temperatures = _trained(model)
    held_out = faces.load(manifest or settings.data.manifests, [split], settings.data.limit)
    images = faces.plain_views(held_out, settings.model.size)
    answers = logits(network, images, mirror=settings.model.mirror)
    found = Predictions.from_logits(*answers, **temperatures)
    result = report.report(held_out, found)
    output = output or model
    output.mkdir(parents=True, exist_ok=True)
    path = output / METRICS
    every = json.loads(path.read_text("utf-8")) if path.exists() else {}
    every[split] = {**every.get(split, {}), **result}
    path.write_text(json.dumps(every, indent=1) + "\n", "utf-8")
    for name, part, said in report.each_dataset(held_out, found):
        report.plot(part, said, output / f"{split}-{name}.png", f"{model.name} on {name} {split}")
    Console().print(report.table(result, f"{model} on {split}"))
    typer.echo(f"{path}: these and the figures by decade, gender and group")


@app.command("evaluate-detectors")
def evaluate_detectors(
    folder: Annotated[
        Path, typer.Argument(help="Photographs with images.csv and boxes.csv, true boxes.")
    ],
    detector: Annotated[
        list[str] | None, typer.Option(help="Only this one; repeatable. Left out: all.")
    ] = None,
    min_face: Annotated[int, typer.Option(help="Smallest face looked for, pixels.")] = 20,
) -> None:
    """Compare face detectors: average precision, recall, CPU time; the mtcnn package's too."""
    from trainer.evaluation import detection

    pictures = detection.photographs(folder)
    results = {}
    for name in detector or detection.names():
        try:
            detect = detection.detector(name, min_face)
        except InputError as error:
            if detector:
                raise
            errors.print(f"left out: {error}", highlight=False, soft_wrap=True)
            continue
        results[name] = detection.measure(detect, pictures)
    Console().print(detection.table(results, pictures))


@export_app.command("estimator")
def export_estimator(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    output: Annotated[Path, typer.Argument(help="Folder for model.json and weights.npz.")],
    licence: Annotated[str, typer.Option(help="Terms of the model, for its users.")] = "Apache-2.0",
    bare: Annotated[
        bool, typer.Option("--bare", help="Only these two, not checkpoint, figures and card.")
    ] = False,
) -> None:
    """Write a trained model as an artefact, and check that it answers as Keras does."""
    from trainer.data import faces
    from trainer.evaluation.card import card
    from trainer.export.artefact import ExportError, export
    from trainer.run import CALIBRATION, CHECKPOINT, CONFIG, METRICS

    settings, network, temperatures = _trained(run)
    sample = faces.load(settings.data.manifests, ["val"], limit=100)
    sources = [*settings.data.manifests, *settings.data.unlabeled]
    description = {
        "name": settings.model.name,
        "licence": licence,
        "training_data": [path.name for path in sources],
    }
    images = faces.plain_views(sample, settings.model.size).astype("uint8")
    try:
        difference = export(
            network, output, description, temperatures, images, mirror=settings.model.mirror
        )
    except ExportError as error:
        raise InputError(f"{run}: {error}") from error
    typer.echo(f"{output}: differs from Keras by {difference:.1e} on {len(images)} faces")
    if bare:
        return
    for path in (run / CONFIG, run / CHECKPOINT, run / CALIBRATION, *run.glob("*.png")):
        shutil.copyfile(path, output / path.name)
    shutil.copyfile(
        _existing(run / METRICS, "figures, from `agegender evaluate`"), output / METRICS
    )
    (output / "card.md").write_text(card(output), "utf-8")
    typer.echo(f"{output / 'card.md'}: the model card")


@export_app.command("mtcnn")
def export_mtcnn(
    output: Annotated[Path, typer.Argument(help="Folder for model.json and weights.npz.")],
) -> None:
    """Convert the weights of the installed `mtcnn` package (MIT) for our face detector."""
    from trainer.export.mtcnn import convert

    convert(output)
    typer.echo(f"{output}: the face detector")


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


def _trained(folder: Path) -> tuple[Config, keras.Model, dict[str, Any]]:
    """Return the settings, the network and the temperatures of a finished run."""
    import keras

    from trainer import config
    from trainer.run import CALIBRATION, CHECKPOINT, CONFIG

    return (
        config.load(_existing(folder / CONFIG, "a run's settings")),
        keras.saving.load_model(_existing(folder / CHECKPOINT, "a trained model")),
        json.loads(_existing(folder / CALIBRATION, "a calibration").read_text("utf-8")),
    )


def _existing(path: Path, what: str) -> Path:
    if not path.exists():
        raise InputError(f"{path}: no such file; the folder should hold {what}.")
    return path


def main() -> None:
    """Run the command line; a user's mistake becomes a sentence and exit status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        app()
    except InputError as error:
        errors.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
