"""Aligned crops become age distributions and gender probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .align import CropGeometry
from .artefact import Artefact, ArtefactError
from .calibration import calibrated
from .runtime import Runtime

_LARGEST_SIDE = 1024  # pixels of a crop; faces in frames are smaller


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What one face looks like to the model.

    Attributes
    ----------
    ages
        (A,), float32: probability of each year of the model's age support; sums to 1.
    age
        Mean of the distribution, in years.
    age_low, age_high
        Its central 80 % interval, in years.
    p_female
        Probability of "female", 0 to 1.
    first_year
        The age that the first entry of ``ages`` stands for, calibration included; each
        further entry is one year more.
    attributes
        What the model says besides age and gender, where it was asked: name to
        probability by class, of a yes-or-no question the positive class alone.
    """

    ages: NDArray[np.float32]
    age: float
    age_low: float
    age_high: float
    p_female: float
    first_year: float = 0.0
    attributes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def summarize(ages: NDArray[np.float32], p_female: float, first_year: float = 0.0) -> Estimate:
    """Complete an age distribution with its mean and its central 80 % interval.

    Parameters
    ----------
    ages, p_female, first_year
        As in `Estimate`.
    """
    years = first_year + np.arange(len(ages))
    cumulated = np.concatenate([[0.0], np.cumsum(ages, dtype=np.float64)])
    # The probability of a year is spread over the year around it.
    edges = np.concatenate([years - 0.5, years[-1:] + 0.5])
    low, high = np.interp([0.1, 0.9], cumulated / cumulated[-1], edges)
    return Estimate(
        ages=ages,
        age=max(0.0, float(ages @ years)),
        age_low=max(0.0, float(low)),
        age_high=max(0.0, float(high)),
        p_female=p_female,
        first_year=first_year,
    )


class Estimator:
    """Age and gender from aligned crops.

    Parameters
    ----------
    artefact
        A model of kind ``estimator``.
    runtime
        What executes it.
    attributes
        Whether to say what the model knows besides age and gender.

    Raises
    ------
    ArtefactError
        The model is of another kind or does not describe its input and outputs.
    """

    def __init__(self, artefact: Artefact, runtime: Runtime, *, attributes: bool = False) -> None:
        """Compile the network and try it on blank crops."""
        if artefact.kind != "estimator":
            raise ArtefactError(
                f"the model {artefact.name!r} is a {artefact.kind}, not an estimator: "
                "choose another model folder"
            )
        self._metadata = artefact.metadata
        try:
            self._read_metadata(artefact)
            self._attributes = self._read_attributes(artefact) if attributes else {}
            self._network = runtime.compile(artefact.graphs["estimator"], artefact.weights)
            self._try()
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise ArtefactError(
                f"the model.json of {artefact.name!r} does not describe a usable "
                f"estimator ({type(error).__name__}: {error}): export the model again"
            ) from error

    def _try(self) -> None:
        """Look at a black and a white crop: settings may be such that no number comes out."""
        blank = np.zeros((2, self.size, self.size, 3), np.uint8)
        blank[1] = 255
        with np.errstate(all="ignore"):
            tried = self.estimate(blank)
        if not all(np.isfinite([one.p_female, *one.ages]).all() for one in tried):
            raise ValueError("its answers are no numbers")

    def _read_metadata(self, artefact: Artefact) -> None:
        data = artefact.metadata
        self.size = int(data["input"]["size"])
        """Side of a crop, in pixels."""
        if not 1 <= self.size <= _LARGEST_SIDE:
            raise ValueError(f"input.size is 1 to {_LARGEST_SIDE} pixels, got {self.size:.9g}")
        self.geometry = CropGeometry.parse(data["crop"])
        """Where the landmarks lie in a crop."""
        if data["input"].get("colour", "RGB") != "RGB":
            raise ValueError(f"input.colour {data['input']['colour']!r} is not RGB")
        self._scale = np.float32(data["input"]["scale"])
        self._offset = np.float32(data["input"]["offset"])
        self._mirror = bool(data["input"].get("mirror", False))
        age = data["outputs"]["age"]
        kind = age.get("type", "distribution")
        if kind not in _AGES:
            raise ValueError(f"ages of the type {kind!r} cannot be read here")
        self._read_ages = _AGES[kind]
        first, last = age["support"]
        calibration = data.get("calibration", {})
        self._years = int(last) - int(first) + 1
        self._first_year = int(first) + float(calibration.get("age_shift", 0.0))
        self._age_temperature = float(calibration.get("age_temperature", 1.0))
        self._gender_temperature = float(calibration.get("gender_temperature", 1.0))
        self._gender = data["outputs"]["gender"]
        positive = self._gender.get("positive", "female")
        self._sign = {"female": 1.0, "male": -1.0}[positive]
        outputs = artefact.graphs["estimator"].outputs
        self._age_output = outputs.index("age")
        self._gender_output = outputs.index("gender")

    def _read_attributes(self, artefact: Artefact) -> dict[int, _Attribute]:
        """Return what is read from each further output; unknown types are left alone."""
        calibration = artefact.metadata.get("calibration", {})
        outputs = artefact.graphs["estimator"].outputs
        return {
            outputs.index(name): _Attribute(
                name, _classes(about), about, float(calibration.get(f"{name}_temperature", 1.0))
            )
            for name, about in artefact.metadata["outputs"].items()
            if name not in ("age", "gender") and about.get("type") in ("logit", "classes")
        }

    def estimate(self, crops: NDArray[np.uint8]) -> list[Estimate]:
        """Judge aligned faces.

        A model whose ``input.mirror`` is true sees each face and its mirror image, and
        the mean of the two outputs counts.

        Parameters
        ----------
        crops
            (N, size, size, 3), uint8, RGB, as `align` cuts them; N may be 0.

        Returns
        -------
        list of Estimate
            One for each crop.

        Raises
        ------
        ValueError
            The crops have another shape or type.
        """
        if crops.shape[1:] != (self.size, self.size, 3) or crops.dtype != np.uint8:
            raise ValueError(
                f"expected uint8 crops (N, {self.size}, {self.size}, 3), "
                f"got {crops.dtype} {crops.shape}"
            )
        if not len(crops):
            return []
        views = np.concatenate([crops, crops[:, :, ::-1]]) if self._mirror else crops
        outputs = [
            output.reshape(-1, len(crops), output.shape[-1]).mean(axis=0)
            for output in self._network(views * self._scale + self._offset)
        ]
        ages = self._read_ages(outputs[self._age_output] / self._age_temperature)
        if ages.shape != (len(crops), self._years):
            raise ValueError(
                f"the age output says {ages.shape[1]} years, its support has {self._years}"
            )
        gender = outputs[self._gender_output].reshape(len(crops), 1)
        logits = calibrated(self._gender, gender, self._gender_temperature)
        p_female = _sigmoid(self._sign * logits[:, 0])
        estimates = [
            summarize(distribution, float(p), self._first_year)
            for distribution, p in zip(ages, p_female, strict=True)
        ]
        said = {
            attribute.name: attribute.read(outputs[index])
            for index, attribute in self._attributes.items()
        }
        return [
            replace(one, attributes={name: answers[row] for name, answers in said.items()})
            for row, one in enumerate(estimates)
        ]


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A further output: its classes, of a yes-or-no question the positive one alone."""

    name: str
    classes: tuple[str, ...]
    about: Mapping[str, Any]
    temperature: float

    def read(self, output: NDArray[np.float32]) -> list[dict[str, float]]:
        """(N, K) logits to N times probability by class."""
        logits = calibrated(self.about, output, self.temperature)
        shares = _softmax(logits) if len(self.classes) > 1 else _sigmoid(logits)
        return [dict(zip(self.classes, map(float, row), strict=True)) for row in shares]


def _classes(about: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, [about["positive"]] if about["type"] == "logit" else about["labels"]))


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    exponential = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: NDArray[np.float32] = np.divide(
        exponential, exponential.sum(axis=1, keepdims=True), dtype=np.float32
    )
    return shares


def _sigmoid(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without overflow."""
    return np.float32(0.5) * (1 + np.tanh(logits / 2))


def _ranks(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, A - 1) logits of being older than each year to the probabilities of A years.

    Cao, Mirjalili and Raschka, "Rank consistent ordinal regression for neural networks with
    application to age estimation", Pattern Recognition Letters 140, 2020.
    """
    older = np.pad(_sigmoid(logits), ((0, 0), (1, 0)), constant_values=1.0)
    shares: NDArray[np.float32] = np.maximum(-np.diff(older, append=0.0), 0).astype(np.float32)
    return shares


_AGES = {"distribution": _softmax, "coral": _ranks}
"""How the ages of a model are read, by the type in its description."""
