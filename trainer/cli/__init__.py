"""The command line, one module for each group of commands.

TensorFlow takes seconds to import, so a command imports what it needs when it runs.
"""

from __future__ import annotations

import os
import sys

# The help lists the commands in this order.
# isort: off
from trainer.cli import data, training, evaluation, export, verification  # noqa: F401
from trainer.cli import pictures, home, fleet  # noqa: F401

# isort: on
from trainer.cli.app import app, errors
from trainer.errors import InputError

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; a user's mistake becomes a sentence and exit status 2."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        app()
    except InputError as error:
        errors.print(f"[red]error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)
