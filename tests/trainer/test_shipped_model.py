"""The shipped model keeps its promises on faces that it was not trained on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agegender_vision import artefact
from agegender_vision.estimator import Estimator
from agegender_vision.runtime import runtimes
from trainer.data import faces
from trainer.data.geometry import aligned
from trainer.data.prepare import prepare
from trainer.data.registry import dataset
from trainer.evaluation.figures import figures
from trainer.evaluation.predictions import Predictions

from .conftest import ROOT

MODEL = ROOT / "models" / "research"
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def validation(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> faces.Faces:
    """UTKFace's validation split."""
    folder = tmp_path_factory.mktemp("pack")
    index = pd.read_csv(shared / "faces96" / "index.csv", low_memory=False)
    index[index["split"] == "val"].to_csv(folder / "index.csv", index=False)
    (folder / "val.zip").symlink_to(shared / "faces96" / "val.zip")
    with prepare(dataset("utkface"), folder, folder / "utkface"):
        pass
    return faces.load([folder / "utkface"], ["val"])


@pytest.mark.data
def test_errors_on_utkface_through_the_engine_s_own_runtime(validation: faces.Faces) -> None:
    estimator = Estimator(artefact.load(MODEL), runtimes.get("numpy"))
    crops = np.stack([aligned(face, estimator.size) for face in validation.images])
    answers = [
        answer
        for start in range(0, len(crops), 64)
        for answer in estimator.estimate(crops[start : start + 64])
    ]
    found = Predictions(
        np.stack([answer.ages for answer in answers]).astype(float),
        np.array([answer.p_female for answer in answers]),
    )
    result = figures(validation, found)
    assert result["faces"] == 2220
    assert result["mae"] <= 5.6
    assert result["rmse"] <= 8.2
    assert result["gender"] >= 0.91


def test_it_is_small_enough_to_bundle() -> None:
    files = [MODEL / name for name in (artefact.DESCRIPTION, artefact.WEIGHTS)]
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def test_its_card_names_the_data_and_what_it_is_not_for() -> None:
    card = (MODEL / "card.md").read_text("utf-8")
    for source in artefact.load(MODEL).metadata["training_data"]:
        assert source.lower() in card.lower().replace("-", "")
    assert "no age verification" in card
