"""Data sets from a pack of aligned faces: an `index.csv` beside uncompressed zip shards.

The pack's faces are aligned already, so preparing one of its data sets means unpacking
it, checking each image, dropping byte-identical duplicates and translating the labels.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image
from rich.progress import track

from trainer.data import manifest
from trainer.errors import InputError

GENDERS = {"F": "female", "M": "male"}


@dataclass(frozen=True)
class PackSource:
    """One data set inside a pack: the rows of `index.csv` whose `source` is `name`."""

    name: str

    def prepare(self, source: Path, output: Path) -> pd.DataFrame:
        """Unpack into `output`/images and write `output`/manifest.csv.

        Parameters
        ----------
        source
            Folder with `index.csv` and the zip shards it names.
        output
            Folder to write; made if absent, completed if an earlier run was stopped.

        Returns
        -------
        pandas.DataFrame
            What was rejected: columns `file` and `reason`; also in `output`/rejected.csv.

        Raises
        ------
        InputError
            `source` is not such a pack, or a shard is missing.
        """
        index = _index(source)
        index = index[index["source"] == self.name]
        if index.empty:
            msg = f"{source / 'index.csv'}: holds no rows of source {self.name!r}."
            raise InputError(msg)
        images = output / "images"
        images.mkdir(parents=True, exist_ok=True)
        rows: list[dict[str, object]] = []
        rejected: list[tuple[str, str]] = []
        seen: dict[str, str] = {}
        shards = {name: _open(source / str(name)) for name in index["shard"].unique()}
        # Test and validation come first, so that a duplicate leaves the training part.
        order = index["split"].map({"test": 0, "val": 1}).fillna(2).argsort(kind="stable")
        for row in track(
            index.iloc[order].itertuples(), f"{self.name}: unpacking", total=len(index)
        ):
            try:
                data = shards[row.shard].read(str(row.file))
                with Image.open(io.BytesIO(data)) as image:
                    image.load()
            except (KeyError, OSError, zipfile.BadZipFile) as error:
                rejected.append((str(row.file), f"unreadable: {error}"))
                continue
            digest = hashlib.sha256(data).hexdigest()
            if digest in seen:
                rejected.append((str(row.file), f"same bytes as {seen[digest]}"))
                continue
            seen[digest] = str(row.file)
            name = Path(str(row.file)).name  # a name in a table must not leave the folder
            (images / name).write_bytes(data)
            rows.append(_labels(row) | {"file": f"images/{name}", "sha256": digest})
        manifest.write(pd.DataFrame(rows), output / "manifest.csv")
        refused = pd.DataFrame(rejected, columns=["file", "reason"])
        refused.to_csv(output / "rejected.csv", index=False)
        return refused


def _index(source: Path) -> pd.DataFrame:
    path = source / "index.csv"
    if not path.is_file():
        msg = f"{path}: no such file. --source must be the folder with index.csv and its shards."
        raise InputError(msg)
    return pd.read_csv(path, dtype={"subject_id": str, "race_src": str}, low_memory=False)


def _open(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        msg = f"{path}: cannot be read as a zip shard ({error}). Copy the pack again."
        raise InputError(msg) from error


def _labels(row: object) -> dict[str, object]:
    get = row.__getattribute__
    return {
        "subject": get("subject_id"),
        "age": get("age"),
        "age_low": get("age_lo"),
        "age_high": get("age_hi"),
        "gender": GENDERS.get(get("gender")),
        "split": get("split"),
        "group": get("race_src"),
        "gender_suspect": get("gender_suspect_p"),
    }
