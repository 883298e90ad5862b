"""Commands that measure models and detectors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from trainer.cli.app import (
    ConfigOption,
    LimitOption,
    ResumeOption,
    RunOption,
    SetOption,
    app,
    errors,
)
from trainer.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trainer.data.faces import Faces
    from trainer.evaluation.predictions import Predictions


ManifestOption = Annotated[
    list[Path] | None, typer.Option(help="Other manifests than the run's. Repeatable.")
]
SplitOption = Annotated[str, typer.Option(help="val or test.")]


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A run, or a folder under models/.")],
    split: SplitOption = "val",
    manifest: ManifestOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for metrics and plots; left out: MODEL.")
    ] = None,
    set_: SetOption = None,
    baselines: Annotated[
        bool, typer.Option(help="Also fit linear probes on the encoder before training (minutes).")
    ] = False,
) -> None:
    """Measure a trained model on held-out faces: tables, metrics.json and plots."""
    from trainer.evaluation import figures, models, report
    from trainer.files import write_json
    from trainer.run import METRICS

    opened = models.load(model, set_ or [])
    held_out = _held_out(model, split, manifest, set_ or [])
    found = opened.answer(held_out)
    parts = list(figures.each_dataset(held_out, found))
    result = {name: figures.describe(part, said, opened.heads) for name, part, said in parts}
    for name, probed in _probed(model, parts) if baselines else ():
        result[name]["figures"] |= probed
    output = output or model
    path = output / METRICS
    every = json.loads(path.read_text("utf-8")) if path.exists() else {}
    every[split] = {**every.get(split, {}), **result}
    write_json(path, every)
    for name, held, said in parts:
        report.overview(
            held, said, output / f"{split}-{name}.png", f"{model.name} on {name} {split}"
        )
        for remark in figures.missing(held, opened.heads):
            told = f"{name}: {remark}; the figures say nothing about that."
            errors.print(told, highlight=False, soft_wrap=True)
    shown = {name: part["figures"] for name, part in result.items()}
    Console().print(figures.table(shown, f"{model} on {split}"))
    for name, part in result.items():
        for answer, curve in part["unknown"].items():
            chosen = curve["chosen"]
            typer.echo(
                f"{name}, {answer} unknown below {chosen['threshold']:g}: "
                f"{100 * chosen['answered']:.1f} % answered, "
                f"{100 * chosen['right']:.1f} % of these right"
            )
    typer.echo(f"{path}: these and the figures by decade, gender and group")


@app.command()
def compare(
    model: Annotated[list[Path], typer.Argument(help="Runs and exported models.")],
    manifest: Annotated[list[Path], typer.Option(help="Whose faces. Repeatable.")],
    split: SplitOption = "test",
    limit: LimitOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for compare.csv, .json and .md.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="A Markdown page to put the table into, between its marks.")
    ] = None,
) -> None:
    """Put several models into one table: errors with bootstrap intervals, costs, training.

    Differences are from the first model, on the same faces. The last row gives everybody the
    median age and the commoner gender: what a model has to beat. Times are of one thread, the
    models in turn. In a narrow terminal the models stand side by side.
    """
    from trainer.data import faces
    from trainer.evaluation import baselines, cost, models
    from trainer.evaluation import compare as comparison
    from trainer.files import atomically

    held_out = faces.load(manifest, [split], limit)
    answers = {}
    for folder in model:
        if str(folder) in answers:
            raise InputError(f"{folder}: named twice.")
        answers[str(folder)] = models.load(folder).answer(held_out)
    answers["always the same"] = baselines.constant(held_out)
    found = comparison.compare(held_out, answers, cost.table(model))
    wide = comparison.wide(found)
    console = Console()
    console.print(comparison.view(wide, f"{len(held_out):,} faces of {split}", console.width))
    if page:
        comparison.into_page(page, comparison.markdown(wide))
        typer.echo(f"{page}: the table")
    if output:
        texts = {
            "compare.csv": found.to_csv(index=False),
            "compare.json": found.to_json(orient="records", indent=1) + "\n",
            "compare.md": comparison.markdown(wide),
        }
        for name, text in texts.items():
            atomically(output / name, partial(Path.write_text, data=text, encoding="utf-8"))
        typer.echo(f"{output}: {', '.join(texts)}")


@app.command()
def ensemble(
    model: Annotated[list[Path], typer.Argument(help="Two or more runs or exported models.")],
    output: Annotated[Path, typer.Option(help="Folder for the ensemble; made if absent.")],
    rule: Annotated[str, typer.Option(help="majority, or mean of the probabilities.")] = "majority",
) -> None:
    """Let several models answer together: a folder that evaluate, compare and report take."""
    from pydantic import ValidationError

    from trainer.evaluation import ensemble as together
    from trainer.evaluation import models

    for folder in model:
        models.load(folder)
    try:
        asked = together.Ensemble.model_validate({"models": model, "rule": rule})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise InputError(f"{wrong['loc'][0]} = {wrong['input']!r}: {wrong['msg']}.") from error
    typer.echo(f"{together.write(asked, output)}: go on with `agegender evaluate {output}`")


@app.command()
def crossval(
    run: RunOption,
    config: ConfigOption = None,
    set_: SetOption = None,
    limit: LimitOption = None,
    folds: Annotated[
        int, typer.Option(min=2, help="How many; a manifest's column `fold` decides instead.")
    ] = 5,
    resume: ResumeOption = False,
    scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start the encoders from random weights.")
    ] = False,
) -> None:
    """Train and judge a model for each fold; nobody is in two of them.

    Faces of `train` and `val` take part, those of `test` only where the manifest has folds.
    """
    from trainer.training.processor import prepare

    prepare()
    from trainer.data import faces
    from trainer.evaluation import crossval as protocol
    from trainer.evaluation import figures, spread
    from trainer.files import write_json
    from trainer.run import open_run

    overrides = [*(set_ or []), *([] if limit is None else [f"data.limit={limit}"])]
    settings = open_run(run, config, overrides, resume=resume)
    few = settings.data.limit
    seen = faces.load(settings.data.manifests, ["train", "val"], few)
    if "fold" in seen.table:
        seen = faces.load(settings.data.manifests, ["train", "val", "test"], few)
    more = settings.data.unlabeled
    unlabeled = faces.load(more, ["train", "unlabeled"], few) if more and not scratch else None
    results = protocol.run(settings, seen, unlabeled, run, folds, scratch=scratch)
    found = spread.summary(results, "fold")
    heading = f"{results['fold'].nunique()} folds, mean ± deviation"
    Console().print(figures.table(found, heading, spread.told))
    path = run / "crossval.json"
    write_json(path, found)
    typer.echo(f"{path}: the same; {run / protocol.RESULTS}: each fold")


@app.command()
def seeds(
    run: Annotated[list[Path], typer.Argument(help="Two or more runs.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder for seeds.json; left out: the first run.")
    ] = None,
) -> None:
    """Tell how far the figures lie apart when only the seed differs: mean ± standard deviation.

    Train a run again with --set seed=2 and another --run, and `evaluate` it on what the first was
    evaluated on. Where seeds.json is in a run, `export` puts the table into the model's card.
    """
    from trainer.evaluation import figures, spread
    from trainer.evaluation import seeds as others
    from trainer.files import write_json
    from trainer.run import SEEDS

    found = others.gather(run)
    heading = f"{len(run)} seeds, mean ± deviation"
    Console().print(figures.table(found["figures"], heading, spread.told))
    if found["shared"]:
        typer.echo(
            f"All go on from {found['shared']}; what its own seed changed is not in the deviations."
        )
    folder = output or run[0]
    path = folder / SEEDS
    write_json(path, found)
    typer.echo(f"{path}: the same; `agegender export {folder} MODEL` puts it into the card")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run, or a folder under models/.")],
    split: SplitOption = "val",
    manifest: ManifestOption = None,
    output: Annotated[Path | None, typer.Option(help="Folder; left out: RUN/report.")] = None,
    show_faces: Annotated[
        bool, typer.Option("--faces/--no-faces", help="Show mistakes and rebuilt faces.")
    ] = True,
) -> None:
    """Write all about a model as one HTML file, as JSON, and each figure as a PNG."""
    from trainer.evaluation import models
    from trainer.evaluation import report as page

    opened = models.load(run)
    held_out = _held_out(run, split, manifest)
    output = output or run / "report"
    page.write(output, opened, held_out, opened.answer(held_out), split, with_faces=show_faces)
    typer.echo(f"{output / 'report.html'}: open it in a browser; all else is beside it")


def _probed(
    model: Path, parts: list[tuple[str, Faces, Predictions]]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what linear probes reach on each data set's faces."""
    from trainer.data import faces
    from trainer.evaluation import baselines, figures, models

    settings, *_ = models.trained(model)
    taught = faces.load(settings.data.manifests, ["train"], settings.data.limit)
    for probe, answer in baselines.probes(settings, model, taught).items():
        for name, held, _ in parts:
            found = figures.figures(held, answer(held))
            yield (
                name,
                {
                    f"{probe}_{figure}": round(found[figure], 4)
                    for figure in ("mae", "gender")
                    if figure in found
                },
            )


def _held_out(
    model: Path, split: str, manifest: list[Path] | None, overrides: Sequence[str] = ()
) -> Faces:
    from trainer import config
    from trainer.data import faces
    from trainer.run import CONFIG

    if not (model / CONFIG).exists():
        if not manifest:
            raise InputError(f"{model}: was trained elsewhere. Say whose faces: --manifest DATA.")
        return faces.load(manifest, [split])
    data = config.load(model / CONFIG, overrides).data
    return faces.load(manifest or data.manifests, [split], data.limit)


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


@app.command("evaluate-wider")
def evaluate_wider(
    folder: Annotated[
        Path, typer.Argument(help="WIDER FACE: WIDER_val, wider_face_split, wider_*_val.mat.")
    ],
    detector: Annotated[
        list[str] | None, typer.Option(help="Detectors to run and to judge. Repeatable.")
    ] = None,
    predictions: Annotated[
        list[Path] | None,
        typer.Option(help="Folders with text files of other programs to judge. Repeatable."),
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Folder for what the detectors find; goes on where it ended.")
    ] = Path("runs/wider-face"),
    min_face: Annotated[int, typer.Option(help="Smallest face looked for, pixels.")] = 10,
) -> None:
    """Give face detectors' average precision on WIDER FACE, easy, medium and hard."""
    from trainer.evaluation import detection, wider

    if not detector and not predictions:
        raise InputError("Nothing to judge: name a --detector, or a folder of --predictions.")
    pictures = wider.truth(folder / wider.ANNOTATIONS)
    faces = wider.counted(folder)
    results = {}
    for name in detector or ():
        found = output / f"{name}-{min_face}".replace(" ", "-")
        detect = detection.detector(name, min_face)
        wider.detect_all(detect, pictures, folder / wider.IMAGES, found)
        results[name] = wider.judge(pictures, faces, found)
    for other in predictions or ():
        results[str(other)] = wider.judge(pictures, faces, other)
    Console().print(wider.table(results))
