"""One TOML file configures a run; `--set section.key=value` overrides single settings."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from trainer.data.augment import Augmentation, Fraction
from trainer.errors import InputError
from trainer.files import atomically

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DataConfig(_Section):
    """Which manifests: `unlabeled` ones add faces to pretrain on, and for teachers to teach."""

    manifests: tuple[Path, ...] = (Path("data/utkface"), Path("data/fairface"))
    unlabeled: tuple[Path, ...] = ()
    limit: int | None = Field(default=None, gt=0)


class ModelConfig(_Section):
    """The network: input side, encoder widths (one per stage), neck and hidden widths.

    With `mirror` the finished model looks at each face and its mirror image.
    """

    name: str = "sdae"
    encoder: str = "residual"
    size: int = Field(default=64, ge=16, le=512)
    channels: tuple[int, ...] = (16, 32, 64, 128)
    neck: int = Field(default=64, gt=0)
    hidden: int = Field(default=128, gt=0)
    dropout: Fraction = 0.2
    mirror: bool = True


class PretrainConfig(_Section):
    """The autoencoder: epochs of each greedy stage, then of the unrolled stack."""

    stage_epochs: int = Field(default=2, ge=0)
    stack_epochs: int = Field(default=8, ge=0)
    steps: int = Field(default=100, gt=0)
    batch_size: int = Field(default=128, gt=0)
    learning_rate: float = Field(default=1e-3, gt=0)
    masking: Fraction = 0.3
    noise: float = Field(default=0.2, ge=0)
    block: int = Field(default=8, gt=0)
    augmentation: Augmentation = Augmentation(
        flip=0.5, rotate=5, zoom=0.05, shift=0.03, colour=0.2, grey=0.05
    )


class TrainConfig(_Section):
    """The heads and the encoder beneath them, with labels.

    Attributes
    ----------
    precision
        What the layers compute in. "bfloat16" is faster on processors and GPUs that have
        instructions for it, and slower on others; weights, and the finished model, are float32.
    ema
        Share that the exponential moving average of the weights keeps at each step, such as
        0.999; 0 takes the weights as they are.
    initial_weights
        A trained model, such as runs/first/checkpoint.keras, whose weights the training starts
        from in place of a pretrained encoder's: a second training, with settings of its own.
    teachers
        Folders of trained models whose mean answer is learned beside the labels, also of the
        faces of `data.unlabeled`, see :mod:`trainer.training.distillation`.
    teacher_weight
        Share of the loss that the teachers' answers have; the labels have the rest.
    frozen_epochs
        Epochs at the beginning in which pretrained layers stay as they are, so that new ones
        on top of them do not spoil them; with a network that starts from random weights, none.
    patience
        Epochs without a lower loss on the held-out faces before the training stops, with the
        weights of the best epoch; none: it goes on to the end.
    dataset_weights
        What the loss of a data set's faces is multiplied with, 1 where nothing is said.
    weight_column
        Column of the manifests with a weight of each face, for all heads; empty cells are 1.
    """

    epochs: int = Field(default=50, gt=0)
    steps: int = Field(default=120, gt=0)
    batch_size: int = Field(default=128, gt=0)
    learning_rate: float = Field(default=1.5e-3, gt=0)
    warmup: Fraction = 0.05
    weight_decay: float = Field(default=0.03, ge=0)
    precision: Literal["float32", "bfloat16"] = "float32"
    ema: float = Field(default=0.0, ge=0, lt=1)
    initial_weights: Path | None = None
    teachers: tuple[Path, ...] = ()
    teacher_weight: Fraction = 0.5
    frozen_epochs: int = Field(default=0, ge=0)
    patience: int | None = Field(default=None, gt=0)
    dataset_weights: dict[str, Weight] = {}
    weight_column: str | None = None
    augmentation: Augmentation = Augmentation(
        flip=0.5, rotate=6, zoom=0.06, shift=0.03, colour=0.25, grey=0.05, blur=0.1, erase=0.1
    )


class HeadConfig(BaseModel):
    """A question asked about a face: its kind, the weight of its loss, the kind's options.

    With `class_weights` "balanced" each class (of ages, each decade) counts as much as any
    other in all; a table gives the weights of single classes, such as {male = 1.5}.
    `group_weights` are those of the manifest's groups, or of one gender of a group, such as
    {"Black" = 1.5, "White female" = 1.2}; the narrower wins.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str
    weight: Weight = 1.0
    class_weights: Literal["balanced"] | dict[str, Weight] | None = None
    group_weights: dict[str, Weight] | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What else is set; the kind says what there is, see :mod:`trainer.models.heads`."""
        return dict(self.model_extra or {})


NO_HEAD = "none"
"""The kind that leaves a head out."""

FOUND = {"classes", "importance"}
"""Options of heads that, left out, the training faces decide."""

HEADS: dict[str, dict[str, Any]] = {
    "age": {"kind": "distribution"},
    "gender": {"kind": "binary", "positive": "female", "smoothing": 0.05},
}
"""The heads that every model has unless they are left out."""


class Config(_Section):
    """Everything that determines a run, with its seed.

    A table under `heads` that names no `kind` changes that head's own options. `options` are
    the recipe's own settings.
    """

    seed: int = 1
    recipe: str = "sdae"
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    pretrain: PretrainConfig = PretrainConfig()
    train: TrainConfig = TrainConfig()
    heads: dict[str, HeadConfig] = Field(default={}, validate_default=True)
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, values: Any) -> Any:
        """Take settings of the heads from where they used to be, the section `train`."""
        if not isinstance(values, dict) or not isinstance(train := values.get("train"), dict):
            return values
        heads = values.get("heads", {})
        for key, (head, option) in _MOVED.items():
            if key in train:
                heads = _merged({head: {option: train[key]}}, heads)
        left = {key: value for key, value in train.items() if key not in _MOVED}
        return {**values, "train": left, "heads": heads}

    @field_validator("heads", mode="before")
    @classmethod
    def _complete(cls, heads: Any) -> Any:
        if not isinstance(heads, dict):
            return heads
        return _merged(HEADS, heads)


_MOVED = {
    "age_sigma": ("age", "sigma"),
    "age_distance": ("age", "distance"),
    "age_smoothness": ("age", "smoothness"),
    "gender_smoothing": ("gender", "smoothing"),
    "gender_weight": ("gender", "weight"),
}
"""Keys that `train` had before heads were plugins; they go on working."""


def load(path: Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration.

    Parameters
    ----------
    path
        A TOML file; None starts from the defaults. Those of the recipe win over the general
        ones.
    overrides
        `section.key=value` strings, the value in TOML syntax (a bare word is a string).

    Raises
    ------
    InputError
        The file is not TOML, a key is unknown (the nearest known one is named), or a
        value is outside its range.
    """
    values: dict[str, Any] = {}
    source = "the defaults"
    if path is not None:
        source = str(path)
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            msg = f"{path}: cannot be read as a TOML configuration ({error})."
            raise InputError(msg) from error
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator:
            msg = f"--set {override}: write section.key=value, such as train.epochs=20."
            raise InputError(msg)
        _assign(values, key.strip().split("."), _value(text.strip()), override)
    # They build networks, for which Keras is loaded: not before there is something to build.
    from trainer.models import encoders, heads, recipes  # noqa: PLC0415
    from trainer.recipes import options  # noqa: PLC0415

    try:
        recipe = recipes.recipe(str(values.get("recipe", Config().recipe)))
        config = Config.model_validate(_merged(recipe.defaults, values))
        heads.of(config)
        options.of(config, getattr(recipe, "options", options.Options))
        if recipe.pretrained:
            encoders.check(config.model)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(_explain(first, source)) from error
    except InputError as error:
        raise InputError(f"{source}: {error}") from error
    return config


def completed(config: Config, saved: Config) -> Config:
    """Return `config` with what the run `saved` found for heads that leave it out."""
    heads = {
        name: saved.heads[name]
        if name in saved.heads
        and not FOUND & head.options.keys()
        and head.model_dump() == saved.heads[name].model_dump(exclude=FOUND)
        else head
        for name, head in config.heads.items()
    }
    return config.model_copy(update={"heads": heads})


def save(config: Config, path: Path) -> None:
    """Write the resolved configuration; :func:`load` gives it back."""
    text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
    atomically(path, lambda partial: partial.write_text(text, "utf-8"))


def difference(saved: Config, given: Config) -> str | None:
    """Return the first setting in which `given` is not what `saved` is; None if none.

    What `saved` has found for heads that leave it to the training faces makes no difference.
    """
    before, now = (
        _flat(config.model_dump(mode="json")) for config in (saved, completed(given, saved))
    )
    for key in [*before, *now]:
        if before.get(key) != now.get(key):
            return f"{key} is {before.get(key)!r} there and {now.get(key)!r} here"
    return None


def _flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{above}{key}"
        flat |= _flat(value, f"{name}.") if isinstance(value, Mapping) else {name: value}
    return flat


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        tables = isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
        # Options of one kind mean nothing to another.
        merged[key] = _merged(below[key], value) if tables and "kind" not in value else value
    return merged


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _assign(values: dict[str, Any], keys: list[str], value: Any, override: str) -> None:
    section: Any = values
    for key in keys[:-1]:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            msg = f"--set {override}: {key!r} is a value, not a section."
            raise InputError(msg)
    section[keys[-1]] = value


def _explain(error: Any, source: str) -> str:
    location = [str(part) for part in error["loc"]]
    name = ".".join(location)
    if error["type"] == "extra_forbidden":
        known = _known(location[:-1])
        near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.3)
        hint = f" Did you mean {near[0]}?" if near else ""
        return f"{source}: unknown setting {name}.{hint} Known here: {', '.join(known)}."
    if error["type"] == "missing":
        return f"{source}: {name} is missing."
    return f"{source}: {name} = {error['input']!r}: {error['msg']}."


def _known(location: list[str]) -> list[str]:
    value: Any = Config()
    for part in location:
        value = getattr(value, part)
    return list(type(value).model_fields)
