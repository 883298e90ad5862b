"""One network from trainings that differ in the seed alone."""

from pathlib import Path

import keras
import numpy as np
import pytest

from trainer.errors import InputError
from trainer.evaluation.cost import budget
from trainer.run import BUDGET, CHECKPOINT, CONFIG
from trainer.training.soup import soup

from .conftest import SMALL_NETWORK, agegender, go_on, options


@pytest.fixture(scope="module")
def first(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "first"
    chosen = options(two_faces, *SMALL_NETWORK, "train.epochs=1", "train.steps=2")
    agegender("train", "--from-scratch", "--run", run, *chosen)
    return run


@pytest.fixture(scope="module")
def seeds(first: Path) -> list[Path]:
    """Two trainings that go on from the first."""
    return [go_on(first, first.with_name(f"seed-{seed}"), f"seed={seed}") for seed in (1, 2)]


def test_a_soup_is_the_mean_and_its_card_tells_how_it_was_made(
    first: Path, seeds: list[Path], tmp_path: Path
) -> None:
    run = tmp_path / "soup"
    assert "the mean of 2" in agegender("soup", *seeds, "--run", run).stdout
    mean, *each = (keras.saving.load_model(one / CHECKPOINT) for one in (run, *seeds))
    for found, *parts in zip(*(network.get_weights() for network in (mean, *each)), strict=True):
        np.testing.assert_allclose(found, np.mean(parts, axis=0), atol=1e-6)
    before, one, together = budget(first), budget(seeds[0]), budget(run)
    assert before is not None
    assert one is not None
    assert together is not None
    assert together.views - before.views == 2 * (one.views - before.views) > 0

    for trained in (run, *seeds):
        agegender("evaluate", trained)
    agegender("seeds", *seeds, "--output", run)
    model = tmp_path / "model"
    agegender("export", run, model)
    card = (model / "card.md").read_text("utf-8")
    told = [
        f"--config {model / 'initial' / CONFIG} --run {first}",
        f"--config {model / CONFIG} --run {seeds[0]} --set seed=1",
        f"--config {model / CONFIG} --run {seeds[1]} --set seed=2",
        f"soup {seeds[0]} {seeds[1]} --run runs/sdae",
    ]
    places = [card.index(command) for command in told]
    assert places == sorted(places)
    assert f"made of their weights, by the command `soup` below.\nAll go on from `{first}" in card

    again = agegender("soup", *seeds, "--run", run, check=False)
    assert again.returncode == 2
    assert "holds a run already" in again.stderr


def test_the_start_may_have_a_share(first: Path, seeds: list[Path], tmp_path: Path) -> None:
    run = tmp_path / "soup"
    agegender("soup", *seeds, "--run", run, "--start", 0.5)
    mean, *each = (keras.saving.load_model(one / CHECKPOINT) for one in (run, first, *seeds))
    for found, begun, *parts in zip(
        *(network.get_weights() for network in (mean, *each)), strict=True
    ):
        np.testing.assert_allclose(found, (begun + np.mean(parts, axis=0)) / 2, atol=1e-6)
    agegender("evaluate", run)
    agegender("export", run, tmp_path / "model")
    card = (tmp_path / "model" / "card.md").read_text("utf-8")
    assert f"soup {seeds[0]} {seeds[1]} --run runs/sdae --start 0.5\n" in card


def test_what_would_make_no_soup_is_refused_and_nothing_written(
    first: Path, seeds: list[Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    chosen = ("--config", first / CONFIG, "--set", "seed=2")
    agegender("train", "--from-scratch", "--run", other, *chosen)
    with pytest.raises(InputError, match=r"do not go on from the same weights.*ensemble"):
        soup([first, other], tmp_path / "soup")
    log = (seeds[1] / BUDGET).read_bytes()
    (seeds[1] / BUDGET).unlink()
    with pytest.raises(InputError, match=r"seed-2.budget\.csv: no such file"):
        soup(seeds, tmp_path / "soup")
    (seeds[1] / BUDGET).write_bytes(log)
    begun = first / CHECKPOINT
    weights = begun.read_bytes()
    begun.write_bytes(weights[:1000])
    with pytest.raises(InputError, match=r"first.checkpoint\.keras"):
        soup(seeds, tmp_path / "soup", start=0.5)
    begun.unlink()
    with pytest.raises(InputError, match=r"first.checkpoint\.keras: no such file"):
        soup(seeds, tmp_path / "soup", start=0.5)
    begun.write_bytes(weights)
    assert not (tmp_path / "soup").exists()
