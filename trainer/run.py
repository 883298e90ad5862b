"""A run's folder: its resolved configuration and where it came from."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from trainer import config
from trainer.errors import InputError
from trainer.files import write_json

CONFIG = "config.toml"
CHECKPOINT = "checkpoint.keras"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
SEEDS = "seeds.json"
"""What other seeds make of the same settings, see :mod:`trainer.evaluation.seeds`."""
BUDGET = "budget.csv"
SOUP = "soup.json"
"""Folder and seed of each run whose weights a model is the mean of."""
NOTES = (BUDGET, SEEDS, SOUP)
"""What only some runs have."""
INITIAL = "initial"
"""Folder with what is known of the run that `train.initial_weights` are from."""
PACKAGES = ("agegender", "keras", "numpy", "pillow", "tensorflow-cpu", "tensorflow")


def open_run(
    folder: Path, path: Path | None, overrides: Sequence[str], *, resume: bool
) -> config.Config:
    """Begin or continue a run.

    A new run resolves its configuration and saves it; a continued one uses what was saved,
    so that it cannot drift.

    Parameters
    ----------
    folder
        The run's folder; made if absent.
    path, overrides
        See :func:`trainer.config.load`.
    resume
        Continue what is there.

    Raises
    ------
    InputError
        The folder holds a run and `resume` is false, or the settings given with `resume`
        are not the run's own.
    """
    saved = folder / CONFIG
    if saved.exists():
        settings = config.load(saved)
        given = path is not None or bool(overrides)
        other = config.difference(settings, config.load(path, overrides)) if given else None
        if other:
            msg = (
                f"{folder}: holds a run with other settings ({saved}): {other}. Give another "
                "--run, or leave --config and --set away to continue this one."
            )
            raise InputError(msg)
        if not resume:
            msg = f"{folder}: holds a run already. Add --resume, or give another --run."
            raise InputError(msg)
        return settings
    settings = config.load(path, overrides)
    _describe(settings, folder / "run.json")
    config.save(settings, saved)
    return settings


def remember_first(folder: Path, weights: Path) -> None:
    """Note what the run was given whose `weights` the run in `folder` starts from.

    Its settings and its budget, and those of the run before that, are copied; nothing is, if
    the weights are no run's.
    """
    first, initial = weights.parent, folder / INITIAL
    if (first / CONFIG).exists():
        initial.mkdir(exist_ok=True)
        for path in (first / CONFIG, *first.glob(BUDGET), *first.glob(SOUP)):
            shutil.copyfile(path, initial / path.name)
        if (first / INITIAL).exists():
            shutil.copytree(first / INITIAL, initial / INITIAL, dirs_exist_ok=True)


def first_run(settings: config.Config, folder: Path) -> Path:
    """Return the run in `folder`, or the one that it goes back to by `train.initial_weights`."""
    weights = settings.train.initial_weights
    if weights is None:
        return folder
    above = weights.parent / CONFIG
    return first_run(config.load(above), weights.parent) if above.exists() else weights.parent


def settings_of(
    folder: Path, path: Path | None = None, overrides: Sequence[str] = ()
) -> config.Config:
    """Return the settings that :func:`open_run` would take, and write nothing."""
    saved = folder / CONFIG
    return config.load(saved) if saved.exists() else config.load(path, overrides)


def _describe(settings: config.Config, path: Path) -> None:
    manifests = [*settings.data.manifests, *settings.data.unlabeled]
    about = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": settings.seed,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "revision": _revision(),
        "manifests": {str(name): _sha256(name) for name in manifests},
    }
    write_json(path, about)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except ModuleNotFoundError:
        return None


def _revision() -> str | None:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"],  # noqa: S607  (any git will do)
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _sha256(manifest: Path) -> str | None:
    path = manifest / "manifest.csv" if manifest.is_dir() else manifest
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
