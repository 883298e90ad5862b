"""What the documentation tells to type exists, and what exists is told."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from trainer.cli import app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def commands() -> Iterator[Any]:
    """Yield the arguments of every `scripts/agegender` that a page tells to type."""
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))):
        for block in re.findall(r"(?ms)^```sh\n(.*?)^```", page.read_text("utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0].endswith("agegender"):
                    yield pytest.param(words[1:], id=f"{page.name}: {' '.join(words[1:3])}")


@pytest.mark.parametrize("arguments", list(commands()))
def test_every_command_that_is_shown_exists_with_its_options(arguments: list[str]) -> None:
    command: Any = typer.main.get_command(app)
    while isinstance(command, TyperGroup) and arguments != ["--help"]:
        context = command.make_context("agegender", list(arguments))
        _, command, arguments = command.resolve_command(context, list(arguments))
    if arguments != ["--help"]:
        command.make_context("agegender", arguments)  # raises if an option is unknown


def test_every_model_has_its_card_among_the_pages() -> None:
    included = "".join(page.read_text("utf-8") for page in (DOCS / "models").glob("*.md"))
    for card in (ROOT / "models").glob("*/card.md"):
        name, line = card.parent.name, f'--8<-- "{card.relative_to(ROOT)}"'
        assert line in included, (
            f"write {line} into docs/models/{name}.md, list that page in zensical.toml, and "
            "link it in docs/models/index.md"
        )


def test_the_readme_leads_to_files_that_exist() -> None:
    targets = re.findall(r"\]\((?!https://)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert len(targets) > 10
    assert [target for target in targets if not (ROOT / target).is_file()] == []
