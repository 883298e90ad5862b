"""Everything about one model as a page that needs no other file, as JSON, and as pictures."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from trainer.data.faces import Faces, plain_views
from trainer.evaluation import figures, plots
from trainer.evaluation.models import Model
from trainer.evaluation.predictions import Predictions
from trainer.files import atomically, write_json
from trainer.models.autoencoder import Corruption
from trainer.run import CONFIG

SHOWN = 8
"""Faces whose reconstruction is shown."""
WORST = 16
"""Mistakes that are shown of each kind."""
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }
th, td { padding: .2rem .8rem; border-bottom: 1px solid #8886; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; background: white; border-radius: 4px; margin: .3rem 0; }
pre { overflow-x: auto; background: #8882; padding: 1rem; border-radius: 4px; }
"""

Picture = tuple[str, str, Figure]
"""Name of the file, what it shows, and the figure."""


def write(
    folder: Path, model: Model, faces: Faces, found: Predictions, split: str, *, with_faces: bool
) -> dict[str, Any]:
    """Write `report.html`, `report.json` and `figures/*.png`.

    Parameters
    ----------
    folder
        Where to.
    model
        What is reported on.
    faces, found
        Held-out faces and what the model says of them.
    split
        Which ones they are.
    with_faces
        Whether the worst mistakes and the reconstructions, which show people, are in it.

    Returns
    -------
    dict
        What `report.json` holds: by data set what
        :func:`trainer.evaluation.figures.describe` returns.
    """
    parts = list(figures.each_dataset(faces, found))
    result = {name: figures.describe(held, said, model.heads) for name, held, said in parts}
    remarks = {name: figures.missing(held, model.heads) for name, held, _ in parts}
    about = {"model": model.name, "split": split, "data": result, "remarks": remarks}
    sections = [_section("Learning curves", list(_curves(model.folder)))]
    if with_faces:
        sections.append(_section("The autoencoder", list(_reconstructions(model.folder, faces))))
    body = [_table(_sides(result))]
    for name, held, said in parts:
        pictures = [*_pictures(name, held, said, result[name])]
        if with_faces:
            pictures += _worst(name, held, said)
        sections.append(_section(f"{name}, {split}", pictures, remarks[name]))
    for _, pictures, _ in sections:
        for file, _, figure in pictures:
            _save(figure, folder / "figures" / f"{file}.png")
    for heading, pictures, sentences in sections:
        if not pictures and not sentences:
            continue
        body.append(f"<h2>{html.escape(heading)}</h2>")
        body += [
            f"<p>{html.escape(sentence[0].upper() + sentence[1:])}.</p>" for sentence in sentences
        ]
        body += [_image(folder / "figures" / f"{file}.png", said) for file, said, _ in pictures]
        if heading.removesuffix(f", {split}") in result:
            body += _records(result[heading.removesuffix(f", {split}")])
    settings = model.folder / CONFIG
    if settings.exists():
        body.append(f"<h2>Settings</h2><pre>{html.escape(settings.read_text('utf-8'))}</pre>")
    title = html.escape(f"{model.name} on {split}")
    page = (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        f"<style>{STYLE}</style>\n<h1>{title}</h1>\n" + "\n".join(body) + "\n</html>\n"
    )
    write_json(folder / "report.json", about)
    atomically(folder / "report.html", lambda partial: partial.write_text(page, "utf-8"))
    return result


def overview(faces: Faces, found: Predictions, path: Path, title: str) -> None:
    """Draw age scatter, error by decade and gender calibration into one PNG."""
    figure = plots.figure(13, 4.2)
    figure.suptitle(title)
    scatter, decades, reliability = figure.subplots(1, 3)
    exact = faces.ages[:, 0] == faces.ages[:, 1]
    if found.knows_age:
        plots.age_scatter(scatter, faces.ages[exact, 0], found.age[exact])
    if len(table := figures.by_decade(faces, found)):
        plots.error_by_decade(decades, table)
    known = ~np.isnan(faces.female)
    if known.any() and found.knows_gender:
        plots.reliability(reliability, faces.female[known], found.p_female[known], "female")
    _save(figure, path)


def _sides(result: dict[str, Any]) -> list[list[str]]:
    return [
        ["", *result],
        *figures.rows({name: part["figures"] for name, part in result.items()}),
    ]


def _section(
    heading: str, pictures: list[Picture], sentences: list[str] | None = None
) -> tuple[str, list[Picture], list[str]]:
    return heading, pictures, sentences or []


def _curves(run: Path) -> Iterator[Picture]:
    if (path := run / "train.csv").exists():
        log = pd.read_csv(path)
        named = [
            column for column in map(str, log) if column != "epoch" and log[column].notna().any()
        ]
        losses = [column for column in named if "loss" in column]
        errors = [column for column in named if column.endswith("_mae")]
        shares = [column for column in named if column not in {*losses, *errors}]
        panels = [
            (columns, label)
            for columns, label in ((losses, "loss"), (errors, "years"), (shares, "share"))
            if columns
        ]
        if panels:
            figure = plots.figure(4.2 * len(panels), 3.4)
            axes = np.ravel(np.array(figure.subplots(1, len(panels))))
            for ax, (columns, label) in zip(axes, panels, strict=True):
                plots.curves(ax, log, columns, label)
            yield "curves-train", "Learning curves of the training", figure
    stages = {path.stem: pd.read_csv(path) for path in sorted((run / "pretrain").glob("*.csv"))}
    if stages:
        figure = plots.figure(4.8, 3.4)
        ax = figure.subplots()
        for stage, log in stages.items():
            plots.curves(ax, log.rename(columns={"loss": stage}), [stage], "loss")
        yield "curves-pretrain", "Learning curves of the pretraining, stage by stage", figure


def _reconstructions(run: Path, faces: Faces) -> Iterator[Picture]:
    path = run / "pretrain" / "autoencoder.keras"
    if not path.exists():
        return
    network = keras.saving.load_model(path)
    few = faces.subset(np.linspace(0, len(faces) - 1, min(SHOWN, len(faces))).astype(np.int64))
    clean = plain_views(few, network.input_shape[1]) / 127.5 - 1
    broken = np.asarray(Corruption(0.3, 0.2, 8, seed=1)(clean, training=True))
    rows = [("clean", clean), ("corrupted", broken), ("rebuilt", network.predict_on_batch(broken))]
    shown = [
        (name, np.clip((images + 1) * 127.5, 0, 255).astype(np.uint8)) for name, images in rows
    ]
    yield (
        "reconstructions",
        "Held-out faces, corrupted, and as the autoencoder rebuilds them",
        (plots.grid(shown)),
    )


def _pictures(
    name: str, faces: Faces, found: Predictions, about: dict[str, Any]
) -> Iterator[Picture]:
    exact = faces.ages[:, 0] == faces.ages[:, 1]
    if exact.any() and found.knows_age:
        figure = plots.figure(14, 4)
        left, middle, right = figure.subplots(1, 3)
        plots.age_scatter(left, faces.ages[exact, 0], found.age[exact])
        plots.error_by_decade(middle, figures.by_decade(faces, found))
        plots.cumulative_scores(right, about["cumulative_scores"])
        said = "Predicted over true age, the error by decade, and the share within some years"
        yield f"{name}-ages", said, figure
    if about["by_group"]:
        figure = plots.figure(6, 4)
        plots.figures_by_group(figure.subplots(), pd.DataFrame(about["by_group"]))
        yield f"{name}-groups", "Right answers by group", figure
    known = ~np.isnan(faces.female)
    figure = plots.figure(10, 4)
    left, right = figure.subplots(1, 2)
    if known.any() and found.knows_gender:
        plots.reliability(left, faces.female[known], found.p_female[known], "female")
    if about["intervals"]:
        plots.intervals(right, about["intervals"])
    yield f"{name}-calibration", "Calibration of gender and of age intervals", figure
    for answer, curve in about["unknown"].items():
        figure = plots.figure()
        plots.unknown(figure.subplots(), curve, answer)
        yield f"{name}-unknown-{answer}", f"What leaving {answer} unknown costs and gains", figure
    for kind, cells in about["confusion"].items():
        side = 2.5 + 0.5 * len(cells["labels"])
        figure = plots.figure(side, side)
        plots.confusion(figure.subplots(), cells["labels"], np.array(cells["counts"]), kind)
        file = f"{name}-confusion-{kind.replace(' ', '-')}"
        yield file, f"Confusion of {kind}", figure


def _worst(name: str, faces: Faces, found: Predictions) -> Iterator[Picture]:
    single = figures.errors(faces, found)
    if "mae" in single:
        error = np.nan_to_num(single["mae"])
        worst = np.argsort(-error, kind="stable")[: min(WORST, int((error > 0).sum()))]
        captions = [f"{faces.ages[i, 0]:.0f} taken for {found.age[i]:.0f}" for i in worst]
        if len(worst):
            yield (
                f"{name}-worst-ages",
                "The worst mistakes about age",
                _faces(faces, worst, captions),
            )
    if "gender" in single:
        p = np.where(faces.female == 1, 1 - found.p_female, found.p_female)
        wrong = np.where(single["gender"] == 0, p, 0)
        worst = np.argsort(-wrong, kind="stable")[: min(WORST, int((wrong > 0).sum()))]
        captions = [
            f"{'female' if faces.female[i] == 1 else 'male'}, {100 * wrong[i]:.0f} % sure"
            for i in worst
        ]
        if len(worst):
            heading = "The surest mistakes about gender, with the label"
            yield f"{name}-worst-genders", heading, _faces(faces, worst, captions)


def _faces(faces: Faces, places: Any, captions: list[str]) -> Figure:
    columns = 8
    height = -(-len(places) // columns)
    figure = plots.figure(1.5 * columns, 1.7 * height)
    for number, ax in enumerate(np.ravel(np.array(figure.subplots(height, columns)))):
        ax.axis("off")
        if number < len(places):
            ax.imshow(faces.images[places[number]])
            ax.set_title(captions[number], fontsize="small")
    return figure


def _save(figure: Figure, path: Path) -> None:
    atomically(path, lambda partial: figure.savefig(partial, dpi=110))


def _image(path: Path, said: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{html.escape(said)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{html.escape(said)}</figcaption></figure>"
    )


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    cells = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    cells += ["<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>" for row in body]
    return f"<table>{''.join(cells)}</table>"


def _records(about: dict[str, Any]) -> Iterator[str]:
    for key, heading in (("by_decade", "By decade of true age"), ("by_group", "By group")):
        if records := about[key]:
            columns = list(dict.fromkeys(name for record in records for name in record))
            body = [
                [
                    str(record[name])
                    if isinstance(record.get(name), str)
                    else figures.shown(name, record.get(name))
                    for name in columns
                ]
                for record in records
            ]
            yield f"<h3>{heading}</h3>{_table([columns, *body])}"
