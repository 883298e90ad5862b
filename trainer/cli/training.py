"""Commands that train."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.app import ConfigOption, ResumeOption, RunOption, SetOption, app, existing
from trainer.errors import InputError


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
    """Train the heads on the pretrained encoder, and calibrate them."""
    from trainer.config import save
    from trainer.models.recipes import outputs, recipe
    from trainer.run import CALIBRATION, CONFIG, open_run

    encoder = run / "pretrain" / "encoder.weights.h5"
    settings = open_run(run, config, set_ or [], resume=resume)
    scratch = scratch or not recipe(settings.recipe).pretrained
    if not scratch and not encoder.exists():
        raise InputError(
            f"{encoder}: no pretrained encoder. Run `agegender pretrain --run {run}` first, or "
            "add --from-scratch."
        )
    import keras

    from trainer.data import faces
    from trainer.evaluation.calibration import calibrate
    from trainer.models import heads
    from trainer.training.allocator import keep_freed_memory
    from trainer.training.finetune import train

    keep_freed_memory()
    manifests, limit = settings.data.manifests, settings.data.limit
    held_out = faces.load(manifests, ["val"], limit)
    seen = faces.load(manifests, ["train"], limit)
    settings = heads.resolve(settings, seen.table)
    save(settings, run / CONFIG)
    result = train(settings, seen, held_out, run, None if scratch else encoder)
    answers = outputs(keras.saving.load_model(result), held_out, settings)
    found = calibrate(heads.of(settings), answers, held_out.table)
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
    from trainer.models import heads
    from trainer.run import CONFIG
    from trainer.training import label_efficiency
    from trainer.training.allocator import keep_freed_memory

    settings = config.load(existing(run / CONFIG, "a run's settings"), set_ or [])
    encoder = existing(run / "pretrain" / "encoder.weights.h5", "a pretrained encoder")
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
    typer.echo(label_efficiency.summary(found).round(3).to_string())
    typer.echo(f"{output / 'results.csv'}, {output / 'labels.png'}: each training, and the plot")
