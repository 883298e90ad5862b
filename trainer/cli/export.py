"""Commands that write the models that the integration runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trainer.cli.app import export_app
from trainer.errors import InputError


@export_app.command("estimator")
def export_estimator(
    run: Annotated[Path, typer.Argument(help="A finished run.")],
    output: Annotated[Path, typer.Argument(help="Folder for the exported files.")],
    to: Annotated[
        str, typer.Option("--to", help="artefact, litert, litert-int8, onnx, ncnn; any of them.")
    ] = "artefact",
    licence: Annotated[str, typer.Option(help="Terms of the model, for its users.")] = "Apache-2.0",
    manifest: Annotated[
        list[Path] | None,
        typer.Option(help="Compare on other faces than the run's own. Repeatable."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Compare on so many of each manifest.")] = 300,
    bare: Annotated[
        bool, typer.Option("--bare", help="Only the files, not checkpoint, figures and card.")
    ] = False,
) -> None:
    """Write a trained model in one or more formats, each compared with Keras on real faces.

    The `artefact` is what the integration runs. The table, also in OUTPUT/parity.json, gives
    the largest difference in a probability, what the mean error of age changes by, and the
    time for one view of a face on one thread. The word `estimator` may be left out.
    """
    from trainer.data import faces
    from trainer.evaluation.card import card
    from trainer.evaluation.models import trained
    from trainer.export import formats
    from trainer.export.artefact import ExportError
    from trainer.files import existing
    from trainer.models import heads
    from trainer.run import CALIBRATION, CHECKPOINT, CONFIG, INITIAL, METRICS, NOTES

    names = formats.parse(to)
    settings, network, temperatures = trained(run)
    seen = faces.load(settings.data.manifests, ["train"], limit=100)
    held_out = faces.load(manifest or settings.data.manifests, ["val"], limit)
    model = formats.Trained(settings, network, heads.of(settings), temperatures, licence, seen)
    try:
        found = formats.export(model, output, names, held_out)
    except ExportError as error:
        raise InputError(f"{run}: {error}") from error
    Console().print(formats.table(found, f"{run.name} on {len(held_out)} faces"))
    typer.echo(f"{output}: {', '.join(names)}, and {formats.REPORT}")
    if bare or "artefact" not in names:
        return
    for name in NOTES:
        (output / name).unlink(missing_ok=True)
    shutil.rmtree(output / INITIAL, ignore_errors=True)
    kept = (run / CONFIG, run / CHECKPOINT, run / CALIBRATION)
    noted = (run / name for name in NOTES)
    for path in (*kept, *(one for one in noted if one.exists()), *run.glob("*.png")):
        shutil.copyfile(path, output / path.name)
    if (run / INITIAL).exists():
        shutil.copytree(run / INITIAL, output / INITIAL)
    shutil.copyfile(existing(run / METRICS, "figures, from `agegender evaluate`"), output / METRICS)
    (output / "card.md").write_text(card(output), "utf-8")
    typer.echo(f"{output / 'card.md'}: the model card")


@export_app.command("mtcnn")
def export_mtcnn(
    output: Annotated[Path, typer.Argument(help="Folder for model.json and weights.npz.")],
) -> None:
    """Convert the weights of the installed `mtcnn` package (MIT) for our face detector."""
    from trainer.export.mtcnn import convert

    try:
        convert(output)
    except (ImportError, RuntimeError) as error:
        raise InputError(str(error)) from error
    typer.echo(f"{output}: the face detector")
