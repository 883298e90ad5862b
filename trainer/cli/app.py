"""What the commands share: the program itself, its options, and how it opens a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

app = typer.Typer(
    help="Train, evaluate and export models that estimate age and gender from faces.\n\n"
    "The way of the data: data prepare -> pretrain -> train -> evaluate -> export; "
    "`predict` looks at your pictures with the finished model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data_app = typer.Typer(help="Make manifests, the tables of faces that training reads.")


class _Export(TyperGroup):
    """Commands that export; one that is not named is `estimator`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        given = args if args[0] in self.commands else ["estimator", *args]
        return super().resolve_command(ctx, given)


export_app = typer.Typer(
    cls=_Export,
    context_settings={"ignore_unknown_options": True},  # they are `estimator`'s
    help="Write trained models for the integration, and for other programs.",
)
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
LimitOption = Annotated[
    int | None,
    typer.Option("--limit", min=1, help="At most so many faces of each manifest and split."),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Continue a run that was stopped or killed.")
]
DryRunOption = Annotated[
    bool,
    typer.Option("--dry-run", help="Check all, do a step on a few faces, and write nothing."),
]
