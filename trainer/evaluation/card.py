"""The model card (Mitchell et al., FAT* 2019), from what training and evaluation left."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import Any

from agegender_vision import artefact
from trainer import config
from trainer.evaluation.figures import rows, shown
from trainer.evaluation.spread import told
from trainer.run import CONFIG, INITIAL, METRICS, SEEDS, SOUP

SOURCES = {
    "utkface": "UTKFace: exact ages and gender; non-commercial research only",
    "fairface": "FairFace (Karkkainen and Joo, WACV 2021): age bands and gender; CC BY 4.0",
    "lfw": "LFW, Labeled Faces in the Wild: faces without labels; research",
    "fgnet": "FG-NET: exact ages; research only",
}

CARD = Template("""\
# $name

A convolutional network that estimates age and gender from an aligned face of
$size x $size pixels: the encoder of a stacked denoising autoencoder, with a distribution
over the years 0 to 100 and one logit for "female" on top. $parameters parameters,
$kilobytes kB as shipped. Input and output are described in `model.json`, the training in
`config.toml`.

Licence of the weights: $licence.

## Training data

$sources

Splits are exclusive by subject where subjects are known. Nothing of `val` or `test` was
trained on; `val` chose the temperatures that calibrate the probabilities.

## Figures

$figures

The calibration error is a mean of absolute gaps, so it is above zero even where every
probability is right, and the best of several groups is above the worst even where all are
alike: by how much, for these very faces, the line below each tells.

$seeds## When it does not answer

The integration calls a face unknown whose answer is less certain than a threshold. Below:
what its own threshold leaves unanswered, and the highest that leaves no more than a tenth.

$unknown

## By decade of true age

$decades

## By group, as labelled by the source

$groups

## Made by

```sh
$commands
```

## Use

Meant for indicative statistics over many people: how many of which age band, roughly.
Not for deciding anything about a single person: no age verification, no access, no
prices, no surveillance. "Gender" is a guess at how a face looks to those who labelled the
data, in two classes, and says nothing about identity. Errors grow where the training data
are thin: above 70, and for babies' gender. The tables above say by how much.
""")

SEEDS_SECTION = Template("""\
## With another seed

Mean ± standard deviation of $count models that differ in their seeds alone: $seeds.
$how

$figures

""")
REPEATED_ALL = """\
All was repeated from the pretraining on: the commands below with `--set seed=2` and another
`--run` each, and `--set train.initial_weights=` the checkpoint of the run before."""
REPEATED_LAST = """\
The last training was repeated, with `--set seed=2` and another `--run`."""
AVERAGED = """\
The model is made of their weights, by the command `soup` below."""
SHARED = """\
All go on from `{}`, so what chance did before is not in the
deviations. Each was evaluated by the commands below, as the model was."""


def card(folder: Path) -> str:
    """Return the card of an exported and evaluated model, as Markdown.

    Parameters
    ----------
    folder
        Holds `config.toml`, `metrics.json` and the artefact.
    """
    settings = config.load(folder / CONFIG)
    exported = artefact.load(folder)
    metrics: dict[str, dict[str, Any]] = json.loads((folder / METRICS).read_text("utf-8"))
    found = folder / SEEDS
    reseeded = json.loads(found.read_text("utf-8")) if found.exists() else None
    columns = {
        f"{name} {split}": part for split, parts in metrics.items() for name, part in parts.items()
    }
    return CARD.substitute(
        name=exported.name,
        size=exported.metadata["input"]["size"],
        parameters=f"{sum(weight.size for weight in exported.weights.values()):,}",
        kilobytes=f"{(folder / artefact.WEIGHTS).stat().st_size / 1000:,.0f}",
        licence=exported.licence,
        sources="\n".join(
            f"- {SOURCES.get(name, name)}" for name in exported.metadata["training_data"]
        ),
        figures=_table(
            ["", *columns], [*rows({name: part["figures"] for name, part in columns.items()})]
        ),
        seeds=_seeds(reseeded, _soup(folder)) if reseeded else "",
        unknown=_table(
            ["", "answer", "threshold", "set by", "answered", "right of these"],
            [*_thresholds(columns)],
        ),
        decades="\n\n".join(_records(n, part["by_decade"]) for n, part in columns.items()).strip(),
        groups="\n\n".join(_records(n, part["by_group"]) for n, part in columns.items()).strip(),
        commands="\n".join(_commands(settings, folder, metrics, reseeded, exported.licence)),
    )


def _soup(folder: Path) -> dict[str, Any]:
    """Return what the run whose settings are in `folder` is the mean of; empty: of nothing."""
    found = folder / SOUP
    return json.loads(found.read_text("utf-8")) if found.exists() else {}


def _seeds(found: Mapping[str, Any], made_of: Mapping[str, Any]) -> str:
    shared = found["shared"]
    last = AVERAGED if made_of.get("runs") == found["runs"] else REPEATED_LAST
    return SEEDS_SECTION.substitute(
        count=len(found["runs"]),
        seeds=", ".join(map(str, found["runs"].values())),
        how=f"{last}\n{SHARED.format(shared)}" if shared else REPEATED_ALL,
        figures=_table(["", *found["figures"]], [*rows(found["figures"], told)]),
    )


def _thresholds(columns: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for name, part in columns.items():
        for answer, curve in part["unknown"].items():
            for kind, why in (("census", "the integration"), ("chosen", "a tenth unknown")):
                point = curve[kind]
                shares = (shown(key, point.get(key)) for key in ("answered", "right"))
                yield [name, answer, f"{point['threshold']:g}", why, *shares]


def _records(name: str, records: list[dict[str, Any]]) -> str:
    if not records:
        return ""
    lines = [
        ["-" if value is None else _cell(key, value) for key, value in record.items()]
        for record in records
    ]
    return f"### {name}\n\n{_table(list(records[0]), lines)}"


def _cell(key: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    return shown("gender" if key == "accuracy" else key, value)


def _table(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _commands(
    settings: config.Config,
    folder: Path,
    metrics: dict[str, dict[str, Any]],
    reseeded: Mapping[str, Any] | None,
    licence: str,
) -> list[str]:
    run = Path("runs", settings.model.name)
    own = [path.name for path in settings.data.manifests]
    seen = [*own, *(path.name for path in settings.data.unlabeled)]
    others = sorted({name for parts in metrics.values() for name in parts} - set(seen))
    probed = any(
        "probe_mae" in part["figures"] for parts in metrics.values() for part in parts.values()
    )
    evaluate = [
        f"scripts/agegender evaluate {run} --split {split}"
        + manifest
        + (" --baselines" if probed else "")
        for split, parts in sorted(metrics.items())
        for manifest in (
            *([""] if set(own) & set(parts) else []),
            *(f" --manifest data/{name}" for name in others if name in parts),
        )
    ]
    return [
        *(
            f"scripts/agegender data prepare {name} --source ../shared/data/faces96"
            for name in (*seen, *others)
        ),
        *_trainings(run, folder),
        *evaluate,
        *_reseeding(run, reseeded),
        f'scripts/agegender export estimator {run} {folder} --licence "{licence}"',
    ]


def _reseeding(run: Path, found: Mapping[str, Any] | None) -> list[str]:
    if not found:
        return []
    elsewhere = "" if str(run) in found["runs"] else f" --output {run}"
    return [f"scripts/agegender seeds {' '.join(found['runs'])}{elsewhere}"]


def _trainings(run: Path, given: Path) -> list[str]:
    """Return the commands that train `run` by the settings in `given`, the first run's first."""
    if not (given / CONFIG).exists():
        return []
    weights = config.load(given / CONFIG).train.initial_weights
    if weights is None:
        return [
            f"scripts/agegender pretrain --config {given / CONFIG} --run {run}",
            f"scripts/agegender train --run {run} --resume",
        ]
    before = _trainings(weights.parent, given / INITIAL)
    train = f"scripts/agegender train --config {given / CONFIG} --run"
    if not (made_of := _soup(given)):
        return [*before, f"{train} {run}"]
    averaged, start = made_of["runs"], made_of.get("start", 0)
    return [
        *before,
        *(f"{train} {one} --set seed={seed}" for one, seed in averaged.items()),
        f"scripts/agegender soup {' '.join(averaged)} --run {run}"
        + (f" --start {start:g}" if start else ""),
    ]
