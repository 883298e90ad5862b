"""Commands that train."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trainer.cli.app import (
    ConfigOption,
    DryRunOption,
    LimitOption,
    ResumeOption,
    RunOption,
    SetOption,
    app,
    errors,
)
from trainer.errors import InputError
from trainer.files import existing

if TYPE_CHECKING:
    import pandas as pd


PageOption = Annotated[
    Path | None,
    typer.Option(help="A Markdown page to put plot and table into, between its marks."),
]


@app.command()
def pretrain(
    run: RunOption,
    config: ConfigOption = None,
    set_: SetOption = None,
    limit: LimitOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Pretrain the encoder as a stacked denoising autoencoder, on faces without labels."""
    from trainer.training.processor import prepare

    prepare()
    from trainer.run import open_run, settings_of
    from trainer.training.cluster import joined
    from trainer.training.pretrain import encoder_weights, faces_to_see, pretrain

    given = config, _settings(set_, limit)
    if dry_run:
        from trainer.training.dry_run import try_pretraining

        _tell(try_pretraining(settings_of(run, *given)))
        return
    with joined() as cluster:
        settings = cluster.first(
            lambda: open_run(run, *given, resume=resume), lambda: settings_of(run)
        )
        result = encoder_weights(run)
        if not result.exists():
            pretrain(settings, faces_to_see(settings), run, cluster)
    typer.echo(
        f"{result}: the pretrained encoder; go on with `agegender train --run {run} --resume`"
    )


@app.command()
def train(
    run: RunOption,
    config: ConfigOption = None,
    set_: SetOption = None,
    limit: LimitOption = None,
    resume: ResumeOption = False,
    dry_run: DryRunOption = False,
    scratch: Annotated[
        bool, typer.Option("--from-scratch", help="Start the encoder from random weights.")
    ] = False,
) -> None:
    """Train the heads on the pretrained encoder, and calibrate them."""
    from trainer.training.processor import prepare

    prepare()
    from trainer.models.recipes import recipe
    from trainer.run import CALIBRATION, CHECKPOINT, CONFIG, open_run, remember_first, settings_of
    from trainer.training.cluster import joined
    from trainer.training.pretrain import encoder_weights

    given = config, _settings(set_, limit)
    encoder = encoder_weights(run)
    if dry_run:
        from trainer.training.dry_run import try_training

        start = encoder if encoder.exists() and not scratch else None
        _tell(try_training(settings_of(run, *given), start))
        return
    with joined() as cluster:
        settings = cluster.first(
            lambda: open_run(run, *given, resume=resume), lambda: settings_of(run)
        )
        if not all((run / name).exists() for name in (CHECKPOINT, CALIBRATION)):
            first = settings.train.initial_weights
            if first is not None:
                existing(first, "a trained model")
            scratch = scratch or first is not None or not recipe(settings.recipe).pretrained
            if not scratch and not encoder.exists():
                raise InputError(
                    f"{encoder}: no pretrained encoder. Run `agegender pretrain --run {run}` "
                    "first, or add --from-scratch."
                )
            from trainer.config import save
            from trainer.data import faces
            from trainer.evaluation.calibration import calibrate_run
            from trainer.evaluation.figures import missing
            from trainer.models import heads
            from trainer.training.finetune import faces_to_see, train

            held_out = faces.load(settings.data.manifests, ["val"], settings.data.limit)
            seen = faces_to_see(settings)
            settings = heads.resolve(settings, seen.table)
            if cluster.chief:
                save(settings, run / CONFIG)
                if first is not None:
                    remember_first(run, first)
                for split, part in (("train", seen), ("val", held_out)):
                    for remark in missing(part, heads.of(settings)):
                        told = f"{split} split: {remark}; nothing is learned or told of that."
                        errors.print(told, highlight=False, soft_wrap=True)
                from_chance = scratch and first is None and "weights" not in settings.options
                if settings.train.frozen_epochs and from_chance:
                    told = (
                        "options.weights names no pretrained weights: the training starts from "
                        "random ones, and train.frozen_epochs does nothing."
                    )
                    errors.print(told, highlight=False, soft_wrap=True)
            train(settings, seen, held_out, run, None if scratch else encoder, cluster)
            if cluster.chief:
                calibrate_run(run, settings, held_out)
    typer.echo(f"{run / CHECKPOINT}: trained; go on with `agegender evaluate {run}`")


@app.command()
def soup(
    model: Annotated[list[Path], typer.Argument(help="Two or more runs that differ in the seed.")],
    run: RunOption,
    start: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the weights that all went on from.")
    ] = 0.0,
) -> None:
    """Make one network of several trainings, by the mean of their weights; see "model soups".

    They must go on from the same `train.initial_weights`, with the same settings but for the seed.
    The network costs what one of them costs, and is often better than each. A share for the start
    keeps more of what that could, such as with faces unlike those trained on.
    """
    from trainer.config import load
    from trainer.data import faces
    from trainer.evaluation.calibration import calibrate_run
    from trainer.run import CONFIG
    from trainer.training.soup import soup as average

    made = average(model, run, start)
    settings = load(run / CONFIG)
    held_out = faces.load(settings.data.manifests, ["val"], settings.data.limit)
    calibrate_run(run, settings, held_out)
    typer.echo(f"{made}: the mean of {len(model)}; go on with `agegender evaluate {run}`")


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
    page: PageOption = None,
) -> None:
    """Train on ever fewer labels, from RUN's pretrained encoder and from random weights.

    Everything else is equal. Killed and called again, it does what is left.
    """
    from trainer.training.processor import prepare

    prepare()
    from trainer import config
    from trainer.data import faces
    from trainer.models import heads
    from trainer.run import CONFIG
    from trainer.training import label_efficiency
    from trainer.training.pretrain import encoder_weights

    settings = config.load(existing(run / CONFIG, "a run's settings"), set_ or [])
    encoder = existing(encoder_weights(run), "a pretrained encoder")
    try:
        wanted = [float(share) for share in shares.split(",")]
    except ValueError:
        wanted = []
    if not wanted or not all(0 < share <= 1 for share in wanted):
        raise InputError(f"--shares {shares}: give numbers above 0 up to 1, such as 0.01,0.1,1.")
    output = output or run / "labels"
    output.mkdir(parents=True, exist_ok=True)
    manifests, limit = settings.data.manifests, settings.data.limit
    seen = faces.load(manifests, ["train"], limit)
    found = label_efficiency.measure(
        heads.resolve(settings, seen.table),
        seen,
        faces.load(manifests, ["val"], limit),
        encoder,
        output,
        shares=wanted,
        seeds=seeds,
    )
    label_efficiency.plot(found, output / "labels.png")
    table = label_efficiency.summary(found)
    typer.echo(table.to_string(index=False))
    if page:
        _into_page(page, output / "labels.png", "Error by number of labels", table)
    typer.echo(f"{output / 'results.csv'}, {output / 'labels.png'}: each training, and the plot")


@app.command()
def ablate(
    ideas: Annotated[Path, typer.Argument(help="TOML: a table of settings for each idea.")],
    run: RunOption,
    output: Annotated[
        Path | None, typer.Option(help="Folder for table and plot; left out: RUN/ablation.")
    ] = None,
    set_: SetOption = None,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each idea.")] = 1,
    page: PageOption = None,
) -> None:
    """Train RUN's settings again, with one idea at a time, and tell what each bought.

    An idea is a table in IDEAS, such as

        ["no cutout"]
        set = ["train.augmentation.erase=0"]

        ["no pretraining"]
        from_scratch = true

    Everything else is equal, the budget too; --set shortens it for all. Killed and called
    again, it does what is left. One plot shows the error against what a face costs.
    """
    from trainer.training.processor import prepare

    prepare()
    from trainer.run import CONFIG
    from trainer.training import ablation
    from trainer.training.pretrain import encoder_weights

    output = output or run / "ablation"
    found = ablation.measure(
        ablation.read(ideas),
        existing(run / CONFIG, "a run's settings"),
        set_ or [],
        existing(encoder_weights(run), "a pretrained encoder"),
        output,
        seeds,
    )
    ablation.plot(found, output / "cost.png")
    table = ablation.summary(found)
    typer.echo(table.to_string(index=False))
    if page:
        _into_page(page, output / "cost.png", "Error by what a face costs", table)
    typer.echo(f"{output / 'results.csv'}, {output / 'cost.png'}: each training, and the plot")


def _into_page(page: Path, plot: Path, said: str, table: pd.DataFrame) -> None:
    from trainer.evaluation.compare import into_page, markdown

    picture = page.with_suffix(".png")
    into_page(page, f"![{said}]({picture.name})\n\n{markdown(table)}")
    picture.write_bytes(plot.read_bytes())
    typer.echo(f"{page}, {picture}: the table, and the plot")


def _settings(set_: list[str] | None, limit: int | None) -> list[str]:
    return [*(set_ or []), *([] if limit is None else [f"data.limit={limit}"])]


def _tell(steps: Iterable[str]) -> None:
    for step in steps:
        typer.echo(step)
    typer.echo("All of it works. Nothing was written.")
