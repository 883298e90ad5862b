"""Commands that make and look at manifests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from trainer.cli.app import data_app

if TYPE_CHECKING:
    from trainer.data.collection import Collection

ValOption = Annotated[float, typer.Option("--val", help="Share of the faces for validation.")]
TestOption = Annotated[float, typer.Option("--test", help="Share of the faces for the test.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the drawing.")]
LeaksOption = Annotated[
    bool,
    typer.Option(
        "--drop-leaks", help="Take out of training what is nearly the same as a held-out face."
    ),
]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, help="Processes; 0: one for each core.")
]
ManifestArgument = Annotated[
    Path, typer.Argument(help="A manifest, or the folder of a manifest.csv.")
]


@data_app.command()
def prepare(
    name: Annotated[
        str,
        typer.Argument(
            help="adience, afad, csv, fairface, fer2013, fgnet, folder, imdb-wiki, lfw, noface, "
            "utkface, or a plugin's."
        ),
    ],
    source: Annotated[Path, typer.Option(help="Where the downloaded data set is.")],
    output: Annotated[
        Path | None, typer.Option(help="Folder to write; left out: data/NAME.")
    ] = None,
    val: ValOption = 0.1,
    test: TestOption = 0.1,
    seed: SeedOption = 0,
    drop_leaks: LeaksOption = False,
    detector: Annotated[str, typer.Option(help="Face detector.")] = "mtcnn",
    min_face: Annotated[int, typer.Option(help="Smallest face looked for, pixels.")] = 20,
    side: Annotated[int, typer.Option(min=32, help="Side of the faces written, pixels.")] = 96,
    workers: WorkersOption = 0,
) -> None:
    """Find and align a data set's faces, and list them in OUTPUT/manifest.csv.

    Splits that the data set has are kept; others are drawn, nobody being in two of them.
    Stopped, and called again, it goes on.
    """
    from trainer.data.prepare import Pictures, Splits, prepare
    from trainer.data.registry import dataset

    output = output or Path("data") / name
    splits = Splits(val, test, seed, drop_leaks)
    pictures = Pictures(detector, min_face, side, workers)
    with prepare(dataset(name), source, output, splits, pictures) as found:
        _report(found, output)


@data_app.command()
def inspect(
    path: Annotated[
        Path,
        typer.Argument(help="A manifest or its folder; with --dataset, a downloaded data set."),
    ],
    name: Annotated[
        str | None,
        typer.Option("--dataset", help="Read the labels of this data set, not its pictures."),
    ] = None,
    workers: WorkersOption = 0,
) -> None:
    """Check a manifest and every picture in it, or the labels of a data set.

    The exit status is 1 if something is wrong with the manifest.
    """
    if name is not None:
        _inspect_source(path, name)
        return
    from trainer.data.prepare import problems, survey

    with survey(path, workers) as found:
        _show_counts(found)
        wrong = list(problems(found))
    for line in wrong:
        typer.echo(line)
    if wrong:
        raise typer.Exit(1)
    typer.echo(f"{path}: nothing is wrong")


@data_app.command()
def split(
    path: ManifestArgument,
    val: ValOption = 0.1,
    test: TestOption = 0.1,
    seed: SeedOption = 0,
    drop_leaks: LeaksOption = False,
    workers: WorkersOption = 0,
) -> None:
    """Draw a manifest's splits anew: by person, alike in gender and age.

    Pictures that are nearly the same count as one person. `unlabeled` stays.
    """
    from trainer.data import manifest
    from trainer.data.prepare import Splits, redraw

    with redraw(path, Splits(val, test, seed, drop_leaks), workers) as found:
        _report(found, manifest.folder(path))


@data_app.command()
def stats(
    paths: Annotated[list[Path], typer.Argument(help="Manifests, or their folders.")],
    output: Annotated[
        Path, typer.Option(help="The picture; its suffix says which kind: png, svg, pdf.")
    ] = Path("labels.png"),
) -> None:
    """Show how the labels are distributed, as tables and as histograms."""
    from trainer.data import histograms

    found = histograms.count(paths)
    for table in histograms.tables(found):
        Console().print(table)
    histograms.draw(found, ", ".join(path.name for path in paths), output)
    typer.echo(f"{output}: the same as a picture")


def _report(found: Collection, output: Path) -> None:
    _show_counts(found)
    typer.echo(f"{output / 'manifest.csv'}: {found.usable():,} faces")
    if rejected := len(found) - found.usable():
        typer.echo(f"{rejected:,} rejected, see {output / 'rejected.csv'}")
    if leaks := len({group for group, _, _ in found.leaks()}):
        typer.echo(
            f"{leaks:,} pictures are in two splits, nearly the same: see "
            f"{output / 'near-duplicates.csv'}; --drop-leaks takes them out of training"
        )


def _show_counts(found: Collection) -> None:
    table = Table("split", "faces", "people known", "female", "male", "with age")
    for row in found.counts():
        table.add_row(row[0], *(f"{number:,}" for number in row[1:]))
    Console().print(table)


def _inspect_source(source: Path, name: str) -> None:
    from trainer.data import adience
    from trainer.data.prepare import labels
    from trainer.data.registry import dataset

    reader = dataset(name)
    if reader is adience:
        table = Table("Adience's label files", "here", "published")
        for row in adience.counts(source):
            published = "" if row.published is None else f"{row.published:,}"
            table.add_row(row.what, f"{row.found:,}", published)
        Console().print(table)
    found, rejected = labels(reader.samples(source))
    table = Table("what the reader finds", "number")
    for what, number in found.items():
        table.add_row(what, f"{number:,}")
    for reason, number in rejected.most_common(20):
        table.add_row(f"rejected: {reason}", f"{number:,}")
    Console().print(table)
