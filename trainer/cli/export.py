"""Commands that write the models that the integration runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.app import existing, export_app, trained
from trainer.errors import InputError


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
    from trainer.models import heads
    from trainer.run import CALIBRATION, CHECKPOINT, CONFIG, METRICS

    settings, network, temperatures = trained(run)
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
            network,
            output,
            description,
            heads.of(settings),
            temperatures,
            images,
            mirror=settings.model.mirror,
        )
    except ExportError as error:
        raise InputError(f"{run}: {error}") from error
    typer.echo(f"{output}: differs from Keras by {difference:.1e} on {len(images)} faces")
    if bare:
        return
    for path in (run / CONFIG, run / CHECKPOINT, run / CALIBRATION, *run.glob("*.png")):
        shutil.copyfile(path, output / path.name)
    shutil.copyfile(existing(run / METRICS, "figures, from `agegender evaluate`"), output / METRICS)
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
