"""A data set of your own: pictures, and a file `labels.jsonl` with a JSON object for each.

{"file": "0001.jpg", "age": 31, "gender": "female", "split": "train", "hat": "yes"}
"""

import json
from collections.abc import Iterator
from pathlib import Path

from trainer.data import sample
from trainer.data.sample import LabelError, Rejected, Sample
from trainer.errors import InputError

LABELS = "labels.jsonl"


def samples(source: Path) -> Iterator[Sample | Rejected]:
    """Yield a face for each line; `place` may be one of :data:`trainer.data.sample.Place`."""
    path = source / LABELS
    if not path.is_file():
        raise InputError(f"{path}: no such file. --source must be the folder with {LABELS}.")
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        try:
            said = json.loads(line)
            yield Sample(
                said.pop("file"),
                age=sample.age(str(said.pop("age", ""))),
                gender=sample.gender(said.pop("gender", "")),
                subject=said.pop("subject", None),
                split=said.pop("split", None),
                place=said.pop("place", "single"),
                attributes=said,
            )
        except (ValueError, KeyError, LabelError) as error:
            yield Rejected(f"{LABELS}, line {number}", f"not a labelled face: {error}")
