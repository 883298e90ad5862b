"""Faces and their labels in memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from agegender_vision.frame import FrameError, decode
from trainer.data import manifest
from trainer.data.geometry import aligned
from trainer.errors import InputError

STORED_SIDE = 96
"""Faces are held at this side in pixels, so that random views have something to crop."""


@dataclass(frozen=True)
class Faces:
    """Decoded faces with their labels.

    Attributes
    ----------
    images
        uint8 RGB (N, 96, 96, 3).
    ages
        float32 (N, 2): lowest and highest possible age in years, equal where it is known
        exactly, NaN where it is not known at all.
    female
        float32 (N,): 1 female, 0 male, NaN unknown.
    table
        The manifest's rows, in the same order, with the column `dataset` added.
    """

    images: NDArray[np.uint8]
    ages: NDArray[np.float32]
    female: NDArray[np.float32]
    table: pd.DataFrame

    def __len__(self) -> int:
        return len(self.images)

    def subset(self, indices: NDArray[np.int64]) -> Faces:
        """Return the faces at `indices`, in that order."""
        return Faces(
            self.images[indices],
            self.ages[indices],
            self.female[indices],
            self.table.iloc[indices].reset_index(drop=True),
        )

    def and_those(self, others: Faces) -> Faces:
        """Return these faces and behind them the others."""
        return Faces(
            np.concatenate([self.images, others.images]),
            np.concatenate([self.ages, others.ages]),
            np.concatenate([self.female, others.female]),
            pd.concat([self.table, others.table], ignore_index=True),
        )


def rows(
    manifests: Sequence[Path], splits: Sequence[str], limit: int | None = None
) -> pd.DataFrame:
    """Return the rows of some splits of some manifests, with the column `dataset`.

    Parameters
    ----------
    manifests
        Files or folders, see :func:`trainer.data.manifest.read`.
    splits
        Which splits to take.
    limit
        At most so many faces of each manifest, evenly spread over its rows.

    Raises
    ------
    InputError
        A manifest is wrong, or no row is left.
    """
    tables = []
    for path in manifests:
        table = manifest.read(path)
        table["dataset"] = path.name if path.is_dir() else path.stem
        table = table[table["split"].isin(splits)]
        if limit is not None and len(table) > limit:
            table = table.iloc[np.linspace(0, len(table) - 1, limit).astype(int)]
        tables.append(table)
    table = pd.concat(tables, ignore_index=True)
    if table.empty:
        names = ", ".join(str(path) for path in manifests)
        msg = f"{names}: no row has a split among {', '.join(splits)}."
        raise InputError(msg)
    return table


def load(manifests: Sequence[Path], splits: Sequence[str], limit: int | None = None) -> Faces:
    """Decode the faces of :func:`rows`.

    Raises
    ------
    InputError
        A manifest is wrong, no row is left, or an image cannot be read; the message
        names the file.
    """
    table = rows(manifests, splits, limit)
    images = np.empty((len(table), STORED_SIDE, STORED_SIDE, 3), np.uint8)
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(_decode, table["file"])
        for index, image in enumerate(
            track(decoded, f"reading {'+'.join(splits)} faces", total=len(table))
        ):
            images[index] = image
    female = table["gender"].map({"female": 1.0, "male": 0.0}).to_numpy(np.float32)
    ages = table[["age_low", "age_high"]].to_numpy(np.float32)
    return Faces(images, ages, female, table)


def _decode(file: str) -> NDArray[np.uint8]:
    try:
        rgb = Image.fromarray(decode(Path(file).read_bytes()))
    except (OSError, FrameError) as error:
        msg = f"{file}: cannot be read as an image ({error}). Prepare the data set again."
        raise InputError(msg) from error
    if rgb.size != (STORED_SIDE, STORED_SIDE):
        rgb = rgb.resize((STORED_SIDE, STORED_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(rgb)


def plain_views(faces: Faces, size: int) -> NDArray[np.float32]:
    """Return every face once, as the engine would cut it: float32 (N, size, size, 3)."""
    return np.stack([aligned(face, size) for face in faces.images]).astype(np.float32)
