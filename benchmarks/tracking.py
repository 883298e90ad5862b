"""What following people gains: how many are counted, and how well they are judged.

Counts the people in the clips of ../shared/data, whose true numbers were read off by eye
(tests/vision/people_in_videos.csv), then compares a single frame with a track of several,
on faces that a model never trained on, shown as a camera would show them::

    OMP_NUM_THREADS=1 .venv/trainer/bin/python benchmarks/tracking.py [--people 600]

With ``--choose``, prints instead how well each way of combining frames foretells the
labels of the validation split; the constants of `agegender_vision.evidence` come from it.
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from agegender_vision import artefact, evidence
from agegender_vision.align import CropGeometry, align
from agegender_vision.engine import BUNDLED_MODEL, Engine
from agegender_vision.estimator import Estimate, Estimator, summarize
from agegender_vision.evidence import Evidence
from agegender_vision.runtime.choice import AUTO, choose
from agegender_vision.watch import Watch, WatchSettings
from trainer.evaluation import metrics

REPOSITORY = Path(__file__).parents[1]
DATA = REPOSITORY.parent / "shared" / "data"
FACES = DATA / "faces96"
VIDEOS = DATA / "detection" / "video"
TRUTH = REPOSITORY / "tests" / "vision" / "people_in_videos.csv"
FRAMES = 16
SETTINGS = WatchSettings(min_face_size=20)  # the clips are small previews


@dataclass(frozen=True)
class Shot:
    """An uncut stretch of a clip and when whose face is in view there."""

    clip: str
    first: int
    stays: tuple[tuple[str, int, int], ...]
    """Person, first and last frame; somebody who turns away meanwhile stays twice."""

    @property
    def people(self) -> int:
        """How many different people there are to count."""
        return len({person for person, _, _ in self.stays})

    def changes(self, last: int) -> int:
        """How often somebody comes or goes until a frame."""
        return len(self.stays) + sum(end < last for _, _, end in self.stays)


@dataclass(frozen=True)
class Watched:
    """What a watch made of a shot."""

    counted: int
    view: tuple[tuple[int, float, int], ...]
    """Frame, seconds and people in view then."""

    @property
    def changes(self) -> int:
        """By how many people the number in view went up and down in all."""
        shown = [0, *(people for _, _, people in self.view)]
        return sum(abs(b - a) for a, b in itertools.pairwise(shown))


def shots() -> list[Shot]:
    """Read the true numbers."""
    with TRUTH.open(newline="") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    stays: dict[tuple[str, int], list[tuple[str, int, int]]] = {}
    for row in rows:
        stay = (row["person"], int(row["first"]), int(row["last"]))
        stays.setdefault((row["video"], int(row["shot"])), []).append(stay)
    return [Shot(clip, first, tuple(of)) for (clip, first), of in stays.items()]


def frames(clip: Path, rate: float) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    """Yield number, time and picture (at most 1280 pixels wide) of so many frames a second."""
    due = 0.0
    with av.open(str(clip)) as video:
        for number, frame in enumerate(video.decode(video=0)):
            if frame.time >= due:
                due = max(due + 1 / rate, frame.time)
                width = min(frame.width, 1280)
                small = frame.reformat(width, frame.height * width // frame.width, "rgb24")
                yield number, frame.time, np.asarray(small.to_ndarray(), np.uint8)


def jpeg(image: NDArray[np.uint8], quality: int = 90) -> bytes:
    """Encode a frame as cameras do."""
    encoded = io.BytesIO()
    Image.fromarray(image).save(encoded, "JPEG", quality=quality)
    return encoded.getvalue()


def watch(
    engine: Engine,
    clip: Path,
    firsts: Sequence[int],
    rate: float,
    settings: WatchSettings = SETTINGS,
) -> list[Watched]:
    """Watch a clip's shots, each by a camera of its own that sends so many JPEGs a second."""
    ends = [*firsts[1:], math.inf]
    watches = [Watch(engine, settings) for _ in firsts]
    counted = [0] * len(firsts)
    views: list[list[tuple[int, float, int]]] = [[] for _ in firsts]
    for number, time, image in frames(clip, rate):
        shot = next(index for index, end in enumerate(ends) if number < end)
        if not views[shot]:  # the camera has been running before an empty wall
            watches[shot].look(jpeg(np.full_like(image, 200)), time - 1 / rate)
        scene = watches[shot].look(jpeg(image), time)
        counted[shot] += len(scene.counted)
        views[shot].append((number, time, len(scene.present)))
    for shot, one in enumerate(watches):  # everybody leaves, and the lights change
        for later, grey in ((60, 50), (120, 150), (180, 250)):
            wall = jpeg(np.full_like(image, grey))
            counted[shot] += len(one.look(wall, time + later).counted)
    return [Watched(n, tuple(view)) for n, view in zip(counted, views, strict=True)]


@dataclass(frozen=True)
class Person:
    """One face of the pack: its crop, and its labels."""

    face: NDArray[np.uint8]
    age: float
    female: bool


def people(folder: Path, source: str, split: str, limit: int | None = None) -> list[Person]:
    """Read faces with exact ages from the pack, drawn at random but always the same."""
    with (folder / "index.csv").open(newline="") as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["source"], row["split"], row["label_type"]) == (source, split, "exact")
            and row["gender"]
        ]
    order = np.random.default_rng(0).permutation(len(rows))[:limit]
    shards: dict[str, zipfile.ZipFile] = {}
    found = []
    for row in (rows[index] for index in order):
        name = row["shard"]
        if name not in shards:
            shards[name] = zipfile.ZipFile(folder / name)
        with Image.open(io.BytesIO(shards[name].read(row["file"]))) as image:
            face = np.array(image.convert("RGB"))
        found.append(Person(face, float(row["age"]), row["gender"] == "F"))
    for shard in shards.values():
        shard.close()
    return found


def sequence(
    face: NDArray[np.uint8],
    geometry: CropGeometry,
    size: int,
    frames: int,
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Show a face as a camera would while the person comes nearer.

    The face takes 24 to 80 pixels, grows by up to a half, moves, and is blurred by it;
    the sensor adds noise, the camera compresses, and the detector's landmarks err.

    Parameters
    ----------
    face
        (S, S, 3), uint8, RGB, in the geometry of the pack.
    geometry, size
        Of the crops that the model wants.
    frames
        How many.
    rng
        Where chance comes from.

    Returns
    -------
    ndarray
        (frames, size, size, 3), uint8: the crops that the engine would cut.
    """
    first = np.exp(rng.uniform(np.log(24), np.log(80)))
    growth = rng.uniform(1.0, 1.5)
    noise, quality = rng.uniform(2, 10), int(rng.integers(40, 86))
    crops = []
    for number in range(frames):
        side = round(first * growth ** (number / max(frames - 1, 1)))
        blur = abs(rng.normal(0, 0.02)) * side
        picture = Image.fromarray(face).resize((side, side), Image.Resampling.BOX)
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
        values = np.asarray(picture) * rng.normal(1, 0.05) + rng.normal(0, noise, (side, side, 3))
        encoded = jpeg(values.clip(0, 255).astype(np.uint8), quality)
        landmarks = geometry.points(side) + rng.normal(0, 0.02 * side, (5, 2))
        with Image.open(io.BytesIO(encoded)) as shown:
            crops.append(align(np.asarray(shown), landmarks, geometry, size))
    return np.stack(crops)


def judged(group: Sequence[Person], estimator: Estimator, frames: int) -> list[list[Estimate]]:
    """Return what the model says of each frame of each person."""
    rng = np.random.default_rng(1)
    return [
        estimator.estimate(sequence(one.face, estimator.geometry, estimator.size, frames, rng))
        for one in group
    ]


def combined(estimates: Sequence[Estimate]) -> Estimate:
    """Return what a track of these frames says."""
    track = Evidence()
    for estimate in estimates:
        track.add(estimate)
    return track.estimate()


def table_of_clips(engine: Engine, rate: float) -> None:
    """Print how many people of each shot are counted."""
    by_clip: dict[str, list[Shot]] = {}
    for shot in shots():
        by_clip.setdefault(shot.clip, []).append(shot)
    print(f"people in the clips, {rate:g} frames a second")
    print(f"{'clip':48} {'true':>5} {'counted':>8} {'comings and goings':>19} {'shown':>6}")
    totals = np.zeros(4, int)
    for clip, of in by_clip.items():
        found = watch(engine, VIDEOS / clip, [shot.first for shot in of], rate)
        for shot, seen in zip(of, found, strict=True):
            row = (shot.people, seen.counted, shot.changes(seen.view[-1][0]), seen.changes)
            totals += row
            print("{:48} {:5d} {:8d} {:19d} {:6d}".format(f"{clip} {shot.first}", *row))
    print("{:48} {:5d} {:8d} {:19d} {:6d}".format("all", *totals))


def table_of_frames(group: Sequence[Person], said: Sequence[Sequence[Estimate]]) -> None:
    """Print how well one frame, and tracks of several, agree with the labels."""
    age = np.array([one.age for one in group])
    female = np.array([one.female for one in group], float)
    print("frames   MAE  in 80 % interval  its years  wrong gender  log loss  calibration error")
    for count in (1, 2, 4, 8, FRAMES):
        # A track may begin anywhere: all those of this length, side by side.
        tracks = [
            [combined(of[start : start + count]) for of in said]
            for start in range(0, FRAMES - count + 1, count)
        ]
        scores = np.mean([_scores(age, female, track) for track in tracks], axis=0)
        print(
            "{:6d} {:5.2f} {:15.1f} % {:10.1f} {:11.1f} % {:9.3f} {:18.3f}".format(count, *scores)
        )


def _scores(
    age: NDArray[np.float64], female: NDArray[np.float64], said: Sequence[Estimate]
) -> tuple[float, ...]:
    low = np.array([one.age_low for one in said])
    high = np.array([one.age_high for one in said])
    p_female = np.array([one.p_female for one in said])
    return (
        metrics.mean_absolute_error(age, np.array([one.age for one in said])),
        # Somebody of 30 years is between 29.5 and 30.5 as distributions have it.
        100 * metrics.coverage(age - 0.5, age + 0.5, low, high),
        float(np.mean(high - low)),
        100 - 100 * metrics.accuracy(female, p_female),
        log_loss(female, p_female),
        metrics.expected_calibration_error(female, p_female),
    )


def log_loss(female: NDArray[np.float64], p_female: NDArray[np.float64]) -> float:
    """Return the mean of minus the logarithm of what the true gender was given."""
    given = np.where(female == 1, p_female, 1 - p_female)
    return float(-np.log(np.maximum(given, 1e-6)).mean())


def table_of_combinations(group: Sequence[Person], said: Sequence[Sequence[Estimate]]) -> None:
    """Print how frames should be combined."""
    age = np.array([one.age for one in group])
    female = np.array([one.female for one in group], float)
    error = np.array([[one.age for one in of] for of in said]) - age[:, None]
    odds = np.array([[one.p_female for one in of] for of in said]).clip(1e-6, 1 - 1e-6)
    odds = np.log(odds / (1 - odds)) * np.where(female == 1, 1, -1)[:, None]
    for name, values in (("ages", error), ("log-odds", odds)):
        table = np.corrcoef(values.T)[np.triu_indices(FRAMES, 1)]
        print(f"correlation of two frames' errors in {name}: {table.mean():.2f}")
    print("frames  combined by             age's log loss  in interval   MAE  gender's log loss")
    for count in (4, FRAMES):
        for name, pool in _pools():
            track = [pool(of[:count]) for of in said]
            given = np.array([_given(one, true) for one, true in zip(track, age, strict=True)])
            scores = _scores(age, female, track)
            print(
                f"{count:6d}  {name:24} {-np.log(np.maximum(given, 1e-6)).mean():13.3f}"
                f" {scores[1]:11.1f} % {scores[0]:5.2f} {scores[4]:18.3f}"
            )


def _pools() -> Iterator[tuple[str, Callable[[Sequence[Estimate]], Estimate]]]:
    """Yield ways to combine frames."""
    yield "mean of probabilities", _mean
    for sharpness in (0.0, 1.0, 2.0, 3.0):
        evidence.SHARPNESS = sharpness
        evidence.CORRELATION = 0.8
        yield f"r = 0.8, width^-{sharpness:g}", combined
    for correlation in (1.0, 0.9, 0.7, 0.5, 0.0):
        evidence.SHARPNESS = 2.0
        evidence.CORRELATION = correlation
        yield f"r = {correlation}, width^-2", combined


def _mean(estimates: Sequence[Estimate]) -> Estimate:
    ages = np.mean([one.ages for one in estimates], axis=0)
    return summarize(
        ages, float(np.mean([one.p_female for one in estimates])), estimates[0].first_year
    )


def _given(estimate: Estimate, age: float) -> float:
    """Return what probability an estimate gives to an age."""
    year = min(round(age - estimate.first_year), len(estimate.ages) - 1)
    return float(estimate.ages[year])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description="What following people gains.")
    parser.add_argument("--people", type=int, default=600, help="at most, of each source")
    parser.add_argument("--rate", type=float, default=6, help="frames of a clip a second")
    parser.add_argument("--choose", action="store_true", help="compare ways to combine frames")
    arguments = parser.parse_args()
    model = artefact.load(BUNDLED_MODEL)
    estimator = Estimator(model, choose(AUTO))
    print(f"model {model.name}")
    if arguments.choose:
        group = people(FACES, "utkface", "val", arguments.people)
        table_of_combinations(group, judged(group, estimator, FRAMES))
        return
    table_of_clips(Engine.load(min_face_size=SETTINGS.min_face_size), arguments.rate)
    for source in ("utkface", "fgnet"):
        group = people(FACES, source, "test", arguments.people)
        print(f"\n{source}, test split, {len(group)} faces, {FRAMES} frames of each")
        table_of_frames(group, judged(group, estimator, FRAMES))


if __name__ == "__main__":
    main()
