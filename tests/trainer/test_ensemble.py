"""Several models that answer as one."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agegender_vision.census import AgeBands
from trainer.cli import app
from trainer.errors import InputError
from trainer.evaluation import ensemble, models
from trainer.evaluation.predictions import Predictions

from .conftest import ROOT, agegender

TWO = AgeBands((0, 18))


def says(age: int, p_female: float, child: float | None = None) -> Predictions:
    """A model's answer about one face."""
    banded = None if child is None else (TWO, np.array([[child, 1 - child]]))
    return Predictions(np.eye(101)[[age]], np.array([p_female]), banded=banded)


def test_the_majority_outvotes_a_model_that_is_very_sure() -> None:
    answers = [says(20, 0.01), says(30, 0.6), says(70, 0.55)]
    voted = ensemble.together(answers, "majority")
    # Two votes and the mean 0.387, of four.
    assert voted.p_female[0] == pytest.approx((2 + 1.16 / 3) / 4)
    assert voted.age[0] == pytest.approx(30)
    mean = ensemble.together(answers, "mean")
    assert mean.p_female[0] == pytest.approx(1.16 / 3)
    assert mean.age[0] == pytest.approx(40)


def test_a_tie_is_decided_by_the_mean() -> None:
    voted = ensemble.together([says(20, 0.9), says(20, 0.3)], "majority")
    assert voted.p_female[0] == pytest.approx((1 + 0.6) / 3)
    assert voted.p_female[0] > 0.5


def test_bands_are_voted_on_where_all_answer_in_the_same() -> None:
    answers = [says(0, 0.5, 0.95), says(0, 0.5, 0.4), says(0, 0.5, 0.45)]
    assert ensemble.together(answers, "majority").bands(TWO).tolist() == [1]
    assert ensemble.together(answers, "mean").bands(TWO).tolist() == [0]


def test_a_model_without_a_head_has_no_vote_on_it() -> None:
    nothing = np.full((1, 101), np.nan)
    only_gender = Predictions(nothing, np.array([0.9]))
    voted = ensemble.together([says(31, np.nan), only_gender], "majority")
    assert voted.age[0] == pytest.approx(31)
    assert voted.p_female[0] > 0.5
    silent = ensemble.together([only_gender, only_gender], "mean")
    assert not silent.knows_age


def test_an_ensemble_is_evaluated_as_a_model_is(two_faces: Path, tmp_path: Path) -> None:
    shipped = ROOT / "models" / "research"
    folder = tmp_path / "vote"
    members = [str(one) for one in (shipped, shipped, ROOT / "models" / "open")]
    said = CliRunner().invoke(app, ["ensemble", *members, "--output", str(folder)])
    assert f"go on with `agegender evaluate {folder}`" in said.output
    assert models.load(folder).name == "vote"
    agegender("evaluate", folder, "--manifest", two_faces, "--split", "val")
    agegender("evaluate", shipped, "--manifest", two_faces, "--split", "val", "--output", tmp_path)
    voted, alone = (
        json.loads((one / "metrics.json").read_text())["val"][two_faces.name]["figures"]
        for one in (folder, tmp_path)
    )
    assert voted["gender"] == alone["gender"]  # two of the three are that model


def test_what_is_no_ensemble_is_refused(tmp_path: Path) -> None:
    only = str(ROOT / "models" / "open")
    said = CliRunner().invoke(app, ["ensemble", only, "--output", str(tmp_path)])
    assert isinstance(said.exception, InputError)
    assert "at least 2 items" in str(said.exception)
    (tmp_path / ensemble.FILE).write_text('models = ["a", "b"]\nrule = "oldest"\n')
    with pytest.raises(InputError, match=r"not an ensemble"):
        models.load(tmp_path)
