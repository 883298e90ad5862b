"""Commands that measure models and detectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from trainer.cli.app import app, errors, trained
from trainer.errors import InputError


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
    from trainer.evaluation.predictions import Predictions
    from trainer.models import heads, recipes
    from trainer.run import METRICS

    settings, network, temperatures = trained(model)
    held_out = faces.load(manifest or settings.data.manifests, [split], settings.data.limit)
    answers = recipes.outputs(network, held_out, settings)
    found = Predictions.from_outputs(heads.of(settings), answers, temperatures)
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
