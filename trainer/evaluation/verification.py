"""Are two faces the same person's? Verification and identification by embedding distance.

A research tool, for judging what an encoder's features are worth: the integration has no
part of it. Distances are one minus the cosine of the angle between two faces' features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from agegender_vision.engine import detectors
from agegender_vision.frame import FrameError
from agegender_vision.plugins import PluginError
from trainer.config import Config
from trainer.data.faces import STORED_SIDE, Faces
from trainer.data.look import NoFaceError, Onlooker
from trainer.data.sample import Sample
from trainer.errors import InputError
from trainer.models import recipes

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

LAYER = "encoder"
"""The features of our recipe: what the pretrained stack makes of a face."""
FALSE_ACCEPTS = (0.01, 0.1)
"""Shares of strangers taken for the same person, at which the share of accepted pairs is told."""
MOST_PAIRS = 1_000_000
FOLDS = 5
RESAMPLES = 200
CONFIDENCE = 0.95
DRAWS = 20
"""Galleries drawn for identification."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of faces.

    Attributes
    ----------
    first, second
        Positions of the faces, (P,).
    same
        Whether they are one person's, bool (P,).
    """

    first: Places
    second: Places
    same: NDArray[np.bool_]


@dataclass(frozen=True)
class Roc:
    """What every threshold on the distance would accept, from the strictest on.

    Attributes
    ----------
    threshold
        (T,): pairs of at most this distance are taken for one person's; half-way between
        two distances. The first one accepts nothing.
    false_accepts, true_accepts
        (T,): share of the strangers' pairs, and of the same person's, that are accepted.
    """

    threshold: Floats
    false_accepts: Floats
    true_accepts: Floats

    @property
    def area(self) -> float:
        """Area under the curve: how often the same person is nearer than strangers are."""
        return float(np.trapezoid(self.true_accepts, self.false_accepts))

    @property
    def equal(self) -> tuple[float, float]:
        """The equal error rate, and the threshold at which both kinds of errors have it."""
        gap = self.false_accepts - (1 - self.true_accepts)
        after = int(np.argmax(gap >= 0))
        before = max(after - 1, 0)
        rise = gap[after] - gap[before]
        share = -gap[before] / rise if rise > 0 else 0.0
        rate, threshold = (
            (1 - share) * values[before] + share * values[after]
            for values in (self.false_accepts, self.threshold)
        )
        return float(rate), float(threshold)

    def accepted(self, false_accepts: float) -> float:
        """Return the true accept rate at so many false ones, or the next fewer (TAR at FAR)."""
        return float(self.true_accepts[self.false_accepts <= false_accepts].max(initial=0.0))


def embed(network: keras.Model, faces: Faces, config: Config, layer: str = LAYER) -> Floats:
    """Return the features of faces, each of length one, so that their product is the cosine.

    Parameters
    ----------
    network, config
        A trained model, see :func:`trainer.evaluation.models.trained`.
    faces
        Aligned; each is shown in all views of the recipe, whose features are averaged.
    layer
        Whose outputs are the features.

    Returns
    -------
    numpy.ndarray
        (N, D).

    Raises
    ------
    InputError
        The network has no such layer; the message lists those it has.
    """
    if layer not in (names := [one.name for one in network.layers]):
        raise InputError(f"no layer is called {layer!r}; there are {', '.join(names)}.")
    # `output` of a layer that is a network itself belongs to that network, not to this one.
    output = network.get_layer(layer)._inbound_nodes[-1].outputs[0]  # noqa: SLF001
    below = keras.Model(network.input, {"features": keras.layers.Flatten()(output)})
    features = recipes.outputs(below, faces, config)["features"].astype(np.float64)
    return features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)


def portraits(files: Sequence[Path], detector: str, min_face: int = 20) -> Faces:
    """Return the faces of pictures that show one person each, without labels.

    Raises
    ------
    InputError
        There is no such detector; or a file cannot be read, shows no face, or several of
        which none is by far the largest.
    """
    try:
        detectors.get(detector)
        onlooker = Onlooker(Path(), None, detector, min_face, STORED_SIDE)
    except PluginError as error:
        raise InputError(str(error)) from error
    crops = []
    for file in files:
        try:
            crops.append(onlooker.cut(Sample(str(file), place="single"), file.read_bytes()))
        except OSError as error:
            raise InputError(f"{file}: cannot be read ({error.strerror}).") from error
        except (FrameError, NoFaceError) as error:
            raise InputError(f"{file}: {error}. Give a picture of one person.") from error
    unknown = np.full((len(crops), 2), np.nan, np.float32)
    return Faces(np.stack(crops), unknown, unknown[:, 0], pd.DataFrame({"file": files}))


def distances(features: Floats, first: Places, second: Places, chunk: int = 4096) -> Floats:
    """Return the cosine distance of pairs of faces, (P,) in [0, 2].

    Parameters
    ----------
    features
        (N, D), see :func:`embed`.
    first, second
        Positions of the faces, (P,).
    chunk
        Pairs at a time: there are many more of them than faces.
    """
    parts = []
    for at in range(0, len(first), chunk):
        pair = features[first[at : at + chunk]], features[second[at : at + chunk]]
        parts.append(1 - np.einsum("pd,pd->p", *pair))
    return np.concatenate(parts)


def pairs(people: NDArray[Any], most: int = MOST_PAIRS, seed: int = 1) -> Pairs:
    """Return all pairs of faces, or where these are too many, pairs drawn by chance.

    Parameters
    ----------
    people
        Who each face is, (N,).
    most
        Most pairs of each kind, of one person and of strangers.
    seed
        Of the drawing.

    Raises
    ------
    InputError
        Nobody is there twice, or there is one person only.
    """
    _, person = np.unique(people.astype(str), return_inverse=True)
    random = np.random.default_rng(seed)
    of_each = [np.flatnonzero(person == one) for one in range(int(person.max(initial=-1)) + 1)]
    own = [one[np.column_stack(np.triu_indices(len(one), 1))] for one in of_each]
    same = np.concatenate([np.empty((0, 2), np.int64), *own])
    if len(of_each) < 2 or not len(same):
        raise InputError(
            f"{len(people)} faces of {len(of_each)} people: pairs need two people at least, one "
            "of them twice. Take a manifest with subjects, such as FG-NET's."
        )
    if len(people) * (len(people) - 1) // 2 - len(same) <= most:
        other = np.column_stack(np.triu_indices(len(people), 1))
    else:
        other = np.sort(random.integers(0, len(people), (2 * most, 2)), axis=1)
        other = np.unique(other, axis=0)
    other = other[person[other[:, 0]] != person[other[:, 1]]]
    few = [
        part if len(part) <= most else part[np.sort(random.permutation(len(part))[:most])]
        for part in (same, other)
    ]
    first, second = np.concatenate(few).T
    return Pairs(first, second, np.repeat([True, False], [len(part) for part in few]))


def roc(distance: Floats, same: NDArray[np.bool_], weight: Floats | None = None) -> Roc:
    """Return the receiver operating characteristic (Fawcett, 2006) of distances.

    Parameters
    ----------
    distance, same
        Of pairs, (P,).
    weight
        How often each pair counts, (P,); once if left out.
    """
    order = np.argsort(distance, kind="stable")
    sorted_, mine = distance[order], same[order]
    counts = np.ones(len(order)) if weight is None else weight[order]
    last = np.append(np.diff(sorted_) > 0, True)  # pairs of equal distance fall together
    rates = []
    for part in (~mine, mine):
        found = np.cumsum(counts * part)
        rates.append(np.append(0.0, found[last] / found[-1]))
    at = sorted_[last]
    between = (at + np.append(at[1:], at[-1])) / 2
    return Roc(np.append(at[0], between), *rates)


def interval(distance: Floats, chosen: Pairs, people: NDArray[Any], seed: int = 1) -> Floats:
    """Return the bounds of the equal error rate's 95 % confidence interval, (2,).

    Pairs that share a face or a person are not independent, so people are drawn with
    replacement, not pairs (the subset bootstrap of Bolle, Ratha and Pankanti, 2004).
    """
    _, person = np.unique(people.astype(str), return_inverse=True)
    random = np.random.default_rng(seed)
    rates = []
    for _ in range(RESAMPLES):
        drawn = random.multinomial(
            len(set(person)), np.full(len(set(person)), 1 / len(set(person)))
        )
        times = drawn[person].astype(np.float64)
        # Of a person drawn twice, the pairs of that person count twice, not four times.
        weight = np.where(
            chosen.same, times[chosen.first], times[chosen.first] * times[chosen.second]
        )
        if weight[chosen.same].any() and weight[~chosen.same].any():
            rates.append(roc(distance, chosen.same, weight).equal[0])
    outside = (1 - CONFIDENCE) / 2
    bounds: Floats = np.quantile(rates, [outside, 1 - outside])
    return bounds


def wrong_elsewhere(
    distance: Floats, chosen: Pairs, people: NDArray[Any], folds: int = FOLDS, seed: int = 1
) -> float:
    """Return the half total error rate on people for whom the threshold was not chosen.

    The mean of both kinds of errors, with the threshold of equal errors of all pairs among
    the people of the other folds; nan where no fold has both kinds of pairs.
    """
    names, person = np.unique(people.astype(str), return_inverse=True)
    fold = np.random.default_rng(seed).permutation(len(names)) % folds
    first, second = fold[person[chosen.first]], fold[person[chosen.second]]
    rates = []
    for one in range(folds):
        held, rest = (first == one) & (second == one), (first != one) & (second != one)
        if any(len(set(chosen.same[part])) < 2 for part in (held, rest)):
            continue
        _, threshold = roc(distance[rest], chosen.same[rest]).equal
        accepted = distance[held] <= threshold
        same = chosen.same[held]
        rates.append((np.mean(accepted[~same]) + np.mean(~accepted[same])) / 2)
    return float(np.mean(rates)) if rates else float("nan")


def identify(features: Floats, people: NDArray[Any], draws: int = DRAWS, seed: int = 1) -> Floats:
    """Return the cumulative match characteristic of closed-set identification.

    In each draw the gallery has one face of everybody who is there twice, drawn by chance;
    all their other faces are searched in it.

    Returns
    -------
    numpy.ndarray
        (G,): share of the searches whose person is among the nearest 1 to G of the gallery.
    """
    names, person, counts = np.unique(people.astype(str), return_inverse=True, return_counts=True)
    random = np.random.default_rng(seed)
    repeated = [one for one in range(len(names)) if counts[one] > 1]
    total = np.zeros(len(repeated))
    for _ in range(draws):
        gallery = np.array([random.choice(np.flatnonzero(person == one)) for one in repeated])
        probes = np.setdiff1d(np.flatnonzero(counts[person] > 1), gallery)
        likeness = features[probes] @ features[gallery].T
        mine = person[probes][:, None] == person[gallery][None]
        own = likeness[mine][:, None]
        rank = (likeness > own).sum(axis=1)
        total += np.bincount(rank, minlength=len(repeated)) / len(probes)
    matches: Floats = np.cumsum(total) / draws
    return matches


def judge(features: Floats, people: NDArray[Any]) -> tuple[dict[str, Any], Roc, Floats]:
    """Return the figures of an embedding, its ROC curve and its match characteristic.

    Parameters
    ----------
    features
        (N, D), see :func:`embed`.
    people
        Who each face is, (N,).

    Returns
    -------
    figures
        Ready for JSON: faces, people, pairs, `eer` with `eer_low` and `eer_high`, the
        `threshold` of equal errors, `auc`, `hter` on other people, `tar_at_far_NN`, and of
        the identification `rank_1`, `rank_5` and `rank_1_chance`.
    curve, matches
        See :func:`roc` and :func:`identify`.
    """
    chosen = pairs(people)
    distance = distances(features, chosen.first, chosen.second)
    curve, matches = roc(distance, chosen.same), identify(features, people)
    rate, threshold = curve.equal
    low, high = interval(distance, chosen, people)
    figures = {
        "faces": len(features),
        "people": len(np.unique(people.astype(str))),
        "pairs_same": int(chosen.same.sum()),
        "pairs_other": int((~chosen.same).sum()),
        "eer": rate,
        "eer_low": float(low),
        "eer_high": float(high),
        "threshold": threshold,
        "auc": curve.area,
        "hter": wrong_elsewhere(distance, chosen, people),
        **{f"tar_at_far_{far:g}": curve.accepted(far) for far in FALSE_ACCEPTS},
        "rank_1": float(matches[0]),
        "rank_5": float(matches[min(4, len(matches) - 1)]),
        "rank_1_chance": 1 / len(matches),
    }
    return figures, curve, matches


def known_people(faces: Faces) -> tuple[Faces, NDArray[Any]]:
    """Return the faces whose person is known, and who each is."""
    subjects = faces.table.get("subject", pd.Series(np.nan, faces.table.index))
    known = np.flatnonzero(subjects.notna())
    return faces.subset(known), subjects.to_numpy(object)[known]


def lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the figures of :func:`judge` as sentences."""
    yield (
        f"{figures['faces']:,} faces of {figures['people']} people: "
        f"{figures['pairs_same']:,} pairs of one person, {figures['pairs_other']:,} of strangers"
    )
    yield (
        f"EER {_percent(figures['eer'])} (95 % interval {_percent(figures['eer_low'])} to "
        f"{_percent(figures['eer_high'])}) at distance {figures['threshold']:.4f}; by chance 50 %"
    )
    yield f"wrong where the threshold was chosen on other people: {_percent(figures['hter'])}"
    yield f"AUC {figures['auc']:.3f}; by chance 0.5"
    for far in FALSE_ACCEPTS:
        accepted = _percent(figures[f"tar_at_far_{far:g}"])
        yield f"TAR {accepted} at FAR {100 * far:g} %"
    yield (
        f"rank 1 {_percent(figures['rank_1'])}, rank 5 {_percent(figures['rank_5'])} with one "
        "picture of each person in the gallery; rank 1 by chance "
        f"{_percent(figures['rank_1_chance'])}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
