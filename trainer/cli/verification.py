"""Commands that tell people apart by their faces: for research, never for the integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from trainer.cli.app import LimitOption, app, errors
from trainer.errors import InputError

RESULT = "verification.json"
ModelArgument = Annotated[Path, typer.Argument(help="A run, or a folder under models/.")]
ModelOption = Annotated[Path, typer.Option("--model", help="A run, or a folder under models/.")]
DetectorOption = Annotated[
    str, typer.Option(help="Face detector; `none` takes pictures for aligned faces.")
]


@app.command("verify-pairs")
def verify_pairs(
    model: ModelArgument,
    manifest: Annotated[list[Path], typer.Option(help="Faces with subjects. Repeatable.")],
    split: Annotated[str, typer.Option(help="val or test.")] = "test",
    layer: Annotated[
        str, typer.Option(help="Layer of the network whose outputs are compared.")
    ] = "encoder",
    limit: LimitOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the figures and plots; left out: MODEL.")
    ] = None,
) -> None:
    """Measure how well distances between faces tell people apart: EER, ROC, rank 1.

    For research. `agegender verify` takes its threshold from what this writes.
    """
    from trainer.data import faces
    from trainer.evaluation import models, plots, verification
    from trainer.files import atomically, write_json

    held_out, people = verification.known_people(faces.load(manifest, [split], limit))
    settings, network, _ = models.trained(model)
    features = verification.embed(network, held_out, settings, layer)
    figures, curve, matches = verification.judge(features, people)
    output = output or model
    about = {"layer": layer, "data": [path.name for path in manifest], "split": split, **figures}
    write_json(output / RESULT, about)
    figure = plots.figure(9, 4)
    left, right = figure.subplots(1, 2)
    plots.roc(left, curve)
    plots.matches(right, matches)
    picture = output / "verification.png"
    atomically(picture, lambda file: figure.savefig(file, dpi=110))
    for line in verification.lines(figures):
        typer.echo(line)
    typer.echo(f"{output / RESULT}: the same; {picture}: the curves")


@app.command()
def verify(
    first: Annotated[Path, typer.Argument(help="A picture of one person.")],
    second: Annotated[Path, typer.Argument(help="A picture of the same person, or another.")],
    model: ModelOption,
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=2, help="Largest distance; left out: that of `verify-pairs`."),
    ] = None,
    detector: DetectorOption = "mtcnn",
) -> None:
    """Say how far apart two faces are, and whether that is near enough for one person.

    For research, with the consent of those in the pictures. The answer is often wrong: how
    often, `verify-pairs` measures.
    """
    from trainer.evaluation import verification

    known = _measured(model)
    if threshold is None and not known:
        raise InputError(
            f"{model / RESULT}: not there, so no threshold is known. Choose one on pairs: "
            f"`agegender verify-pairs {model} --manifest data/fgnet`, or give --threshold."
        )
    features = _features([first, second], model, detector)
    (distance,) = verification.distances(features, np.array([0]), np.array([1])).tolist()
    limit = known["threshold"] if threshold is None else threshold
    said = {"distance": round(distance, 4), "threshold": round(limit, 4)}
    typer.echo(json.dumps({**said, "same": distance <= limit}))
    if threshold is None:
        errors.print(
            f"At this threshold {100 * known['eer']:.0f} of 100 pairs are judged wrongly "
            f"({', '.join(known['data'])}).",
            highlight=False,
        )


@app.command("identify")
def identify_(
    picture: Annotated[Path, typer.Argument(help="A picture of one person.")],
    gallery: Annotated[list[Path], typer.Argument(help="Pictures of people; folders of them.")],
    model: ModelOption,
    detector: DetectorOption = "mtcnn",
) -> None:
    """List the pictures of a gallery, the nearest face first, one JSON object per picture.

    For research, with the consent of those in the pictures. The nearest face is often
    another person's: how often, `verify-pairs` measures.
    """
    from trainer import predict
    from trainer.evaluation import verification

    others = predict.files(gallery)
    features = _features([picture, *others], model, detector)
    second = np.arange(1, len(features))
    apart = verification.distances(features, np.zeros_like(second), second)
    for place in apart.argsort(kind="stable"):
        line = {"file": str(others[place]), "distance": round(float(apart[place]), 4)}
        typer.echo(json.dumps(line))


def _measured(model: Path) -> dict[str, Any]:
    path = model / RESULT
    if not path.exists():
        return {}
    try:
        known: dict[str, Any] = json.loads(path.read_text("utf-8"))
        known["threshold"], known["eer"], known["data"], known["layer"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not what `agegender verify-pairs` writes ({error}); write it anew."
        ) from error
    return known


def _features(files: list[Path], model: Path, detector: str) -> Any:
    from trainer import predict  # noqa: F401  it knows the detector `none`
    from trainer.evaluation import models, verification

    settings, network, _ = models.trained(model)
    layer = _measured(model).get("layer", verification.LAYER)
    faces = verification.portraits(files, detector)
    return verification.embed(network, faces, settings, layer)
