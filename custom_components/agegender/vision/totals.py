"""The totals of cameras on disk: one file with a census for each, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from .census import AgeBands, Census, CensusError
from .privacy import Mode

SAVE_DELAY = 15
"""Seconds from a vote to its saving; with the time that a disk takes, well under 30."""


class Damage(NamedTuple):
    """A file, or a part of it, that could not be understood.

    Attributes
    ----------
    aside
        Where the file is now.
    reason
        What is wrong with it.
    """

    aside: Path
    reason: str


def load(
    path: Path, cameras: Mapping[str, str], mode: Mode, bands: AgeBands, now: datetime
) -> tuple[dict[str, Census], Damage | None]:
    """Return each camera's census as it was saved last, or one of nobody.

    A file that cannot be understood is set aside; what of it is sound is used.

    Parameters
    ----------
    path
        The file; it need not exist.
    cameras
        What cameras are called, by the name that `save` was given for them.
    mode, bands
        Under which counting goes on.
    now
        Aware, in the user's time zone.

    Raises
    ------
    OSError
        The file exists and cannot be read, or not be set aside.
    """
    stored, damages = _read(path)
    censuses = {}
    for camera, title in cameras.items():
        censuses[camera] = mode.start(bands, now)
        if camera in stored:
            try:
                censuses[camera] = mode.restore(stored[camera], bands, now)
            except CensusError as error:
                damages.append(f"{title}: {error!s:.200}")
    if not damages:
        return censuses, None
    aside = path.with_name(f"{path.name}.corrupt.{now.astimezone(UTC):%Y%m%dT%H%M%S}")
    path.replace(aside)
    return censuses, Damage(aside, "; ".join(damages))


def _read(path: Path) -> tuple[Mapping[str, Any], list[str]]:
    """Return what the file holds, and what is wrong with it."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}, []
    except (ValueError, RecursionError) as error:
        return {}, [str(error)]
    if not isinstance(content, Mapping):
        return {}, [f"it holds no object but {content!r:.50}"]
    return content, []


def save(path: Path, censuses: Mapping[str, Census]) -> None:
    """Replace the file; after a power cut it is the old one or the new one.

    Parameters
    ----------
    path
        The file; its folder is made if need be. Nobody else may read it: an open window
        is in it, which is not published yet.
    censuses
        By camera.

    Raises
    ------
    OSError
        It cannot be written; the old file is still there.
    """
    content = json.dumps(
        {camera: census.to_dict() for camera, census in censuses.items()}, separators=(",", ":")
    )
    new = path.with_name(f"{path.name}.new")
    new.parent.mkdir(parents=True, exist_ok=True)
    with open(new, "wb", opener=_private) as file:
        file.write(content.encode())
        file.flush()
        # Else a power cut might leave the new name with nothing behind it.
        os.fsync(file.fileno())
    new.replace(path)


def remove(path: Path) -> None:
    """Delete the file, and those that were set aside."""
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
