"""From a downloaded data set to a manifest, the same way for every data set.

The labels come from a reader; here each picture is opened, its face found and aligned,
copies sorted out and splits drawn. Pictures stream through, several at a time, and what is
known of them waits in a file: memory does not grow with the data set.
"""

from __future__ import annotations

import csv
import itertools
import multiprocessing
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from agegender_vision.engine import detectors
from agegender_vision.plugins import PluginError
from agegender_vision.runtime import runtimes
from trainer.data import manifest
from trainer.data.collection import Collection, Face
from trainer.data.look import Onlooker
from trainer.data.registry import Dataset
from trainer.data.sample import Rejected, Sample
from trainer.errors import InputError

BATCH = 32
"""Pictures that a process is handed at a time."""
UNFINISHED = "unfinished.sqlite"


@dataclass(frozen=True)
class Splits:
    """How faces are divided, where the data set has not done it.

    Attributes
    ----------
    val, test
        Shares of the faces, 0 to 1; the others are for training.
    seed
        Of the drawing.
    drop_leaks
        Reject the training's faces that are nearly the same as one held out.
    """

    val: float = 0.1
    test: float = 0.1
    seed: int = 0
    drop_leaks: bool = False

    def __post_init__(self) -> None:
        """Refuse impossible shares."""
        if self.val < 0 or self.test < 0 or not self.val + self.test < 1:
            msg = (
                f"--val {self.val:g} and --test {self.test:g} must not be negative and leave "
                "something for training."
            )
            raise InputError(msg)

    @property
    def shares(self) -> dict[str, float]:
        """The share of each split."""
        return {"train": 1 - self.val - self.test, "val": self.val, "test": self.test}


@dataclass(frozen=True)
class Pictures:
    """How pictures are looked at.

    Attributes
    ----------
    detector
        Name of the face detector.
    min_face
        Side of the smallest face looked for, in pixels.
    side
        Side of the faces written, in pixels.
    workers
        Processes; 0: one for each core.
    """

    detector: str = "mtcnn"
    min_face: int = 20
    side: int = 96
    workers: int = 0


def prepare(
    dataset: Dataset,
    source: Path,
    output: Path,
    splits: Splits | None = None,
    pictures: Pictures | None = None,
) -> Collection:
    """Write `output`/manifest.csv, the faces in `output`/images, and what was found wrong.

    `rejected.csv` lists each unusable file with the reason, `near-duplicates.csv` the faces
    that are nearly the same (those within one split are harmless). Stopped, and called again,
    it goes on.

    Returns
    -------
    Collection
        What was found, to be closed by leaving its block.

    Raises
    ------
    InputError
        The data set is not there or has no usable face; a subject is in two splits; a split
        comes out empty or without a gender. The pictures that were looked at are kept.
    """
    splits, pictures = splits or Splits(), pictures or Pictures()
    try:
        detectors.get(pictures.detector)(
            runtime=runtimes.get("numpy"), min_face_size=pictures.min_face
        )
    except (PluginError, ValueError) as error:
        raise InputError(str(error)) from error
    output.mkdir(parents=True, exist_ok=True)
    onlooker = Onlooker(
        source if source.is_dir() else source.parent,
        output,
        pictures.detector,
        pictures.min_face,
        pictures.side,
    )
    purpose = f"{source.resolve()} {pictures.detector} {pictures.min_face} {pictures.side}"
    collection = Collection(output / UNFINISHED, purpose)
    try:
        _collect(collection, dataset.samples(source), onlooker, pictures.workers)
        finish(collection, output, splits)
    except BaseException:
        collection.close()
        raise
    return collection


def redraw(path: Path, splits: Splits, workers: int = 0) -> Collection:
    """Draw the splits of a manifest anew, those that it has being forgotten.

    Only `unlabeled` stays. The manifest is replaced when all went well.

    Raises
    ------
    InputError
        As by `prepare`.
    """
    folder = manifest.folder(path)
    collection = Collection()
    try:
        _collect(collection, _undrawn(path), _reader(folder), workers)
        finish(collection, folder, splits, again=True)
    except BaseException:
        collection.close()
        raise
    return collection


def survey(path: Path, workers: int = 0) -> Collection:
    """Look at every picture of a manifest as `prepare` does, and write nothing.

    Raises
    ------
    InputError
        The manifest is wrong; see :func:`trainer.data.manifest.read`.
    """
    collection = Collection()
    try:
        _collect(collection, _listed(path), _reader(manifest.folder(path)), workers)
        collection.sort_out()
    except BaseException:
        collection.close()
        raise
    return collection


def finish(collection: Collection, output: Path, splits: Splits, *, again: bool = False) -> None:
    """Sort out copies, draw the splits and write the tables; `again` keeps earlier rejections."""
    collection.sort_out()
    collection.draw(splits.shares, splits.seed)
    if splits.drop_leaks:
        collection.drop_leaks()
    if not collection.usable():
        first = next(collection.rejected(), ("", "it is empty"))
        msg = f"no usable face; the first reason is: {': '.join(filter(None, first))}"
        raise InputError(msg)
    rejected = output / "rejected.csv"
    _table(rejected, ("file", "reason"), collection.rejected(), again and rejected.exists())
    _table(output / "near-duplicates.csv", ("group", "file", "split"), collection.near_duplicates())
    manifest.write_rows(collection.rows(), collection.attributes(), output / manifest.NAME)


def _collect(
    collection: Collection,
    samples: Iterable[Sample | Rejected],
    onlooker: Onlooker,
    workers: int,
) -> None:
    done = len(collection)
    left = itertools.islice(samples, done, None)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("looking at pictures")
        for found in _in_order(left, onlooker, workers or _cores()):
            collection.add(found)
            done += len(found)
            progress.update(task, advance=len(found), description=f"{done:,} pictures looked at")


def _in_order(
    samples: Iterable[Sample | Rejected], onlooker: Onlooker, workers: int
) -> Iterator[list[Face | Rejected]]:
    """Look at pictures in several processes, few batches ahead of what is collected."""
    source = iter(samples)
    batches = iter(lambda: list(itertools.islice(source, BATCH)), [])
    if workers == 1:
        for batch in batches:
            yield look(onlooker, batch)
        return
    # NumPy reads it as a process starts: the processes share the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    ahead: deque[Future[list[Face | Rejected]]] = deque()
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            for batch in batches:
                ahead.append(pool.submit(look, onlooker, batch))
                if len(ahead) > 2 * workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except BrokenProcessPool as error:
            msg = (
                "a process that looked at pictures was ended, perhaps for lack of memory. Give "
                "the same command again, with fewer --workers: it goes on."
            )
            raise InputError(msg) from error
        finally:
            pool.shutdown(cancel_futures=True)


def look(onlooker: Onlooker, batch: Sequence[Sample | Rejected]) -> list[Face | Rejected]:
    """Look at the pictures of a batch; what a reader has rejected stays rejected."""
    found = iter(onlooker.look([one for one in batch if isinstance(one, Sample)]))
    return [next(found) if isinstance(one, Sample) else one for one in batch]


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _reader(folder: Path) -> Onlooker:
    return Onlooker(folder, None, "", 0, 0)


def _listed(path: Path) -> Iterator[Sample]:
    folder = manifest.folder(path)
    for table in manifest.stream(path):
        further = [name for name in table if name not in manifest.COLUMNS]
        blank = table.astype(object).where(table.notna(), None)
        for row in blank.to_dict("records"):
            yield Sample(
                Path(row["file"]).relative_to(folder).as_posix(),
                age=None if row["age_low"] is None else (row["age_low"], row["age_high"]),
                gender=row["gender"],
                subject=row["subject"],
                split=row["split"],
                place="aligned",
                attributes={str(name): row[name] for name in further},
                sha256=row["sha256"],
            )


def _undrawn(path: Path) -> Iterator[Sample]:
    for one in _listed(path):
        split = one.split if one.split == "unlabeled" else None
        yield replace(one, split=split)


def _table(
    path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], append: bool = False
) -> None:
    with path.open("a" if append else "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if not append:
            writer.writerow(header)
        writer.writerows(rows)


def problems(collection: Collection) -> Iterator[str]:
    """Yield what is wrong with a manifest that was surveyed, one line for each."""
    for file, reason in collection.rejected():
        yield f"{file}: {reason}"
    for group, file, split in collection.leaks():
        yield f"{file}: nearly the same picture in two splits (group {group}, here {split})"
    counts = {row[0]: row for row in collection.counts()}
    for gender, column in (("female", 3), ("male", 4)):
        having = [split for split, *_ in counts.values() if counts[split][column]]
        for split in counts.keys() - {*having, "unlabeled"} if having else ():
            yield f"the split {split!r} has no {gender} face, others have"
    for split in ("train", "val"):
        if split not in counts:
            yield f"the split {split!r} is empty: training needs it"


def labels(samples: Iterable[Sample | Rejected]) -> tuple[dict[str, int], Counter[str]]:
    """Count what a reader finds, and its reasons to reject, without opening a picture."""
    found = dict.fromkeys(("faces", "with an exact age", "with an age band", "female", "male"), 0)
    found |= {"with both age and gender": 0}
    rejected: Counter[str] = Counter()
    for one in samples:
        reason = one.reason if isinstance(one, Rejected) else one.fault()
        if reason is not None or isinstance(one, Rejected):
            rejected[reason or ""] += 1
            continue
        found["faces"] += 1
        if one.age:
            found["with an exact age" if one.age[0] == one.age[1] else "with an age band"] += 1
        if one.gender:
            found[one.gender] += 1
        found["with both age and gender"] += int(one.age is not None and one.gender is not None)
    return found, rejected
