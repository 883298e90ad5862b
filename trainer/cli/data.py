"""Commands that make manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trainer.cli.app import data_app


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
