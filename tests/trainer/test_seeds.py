"""How far the figures of one run lie apart when only its seed differs."""

import json
import shutil
import statistics
from pathlib import Path

import pytest

from trainer.errors import InputError
from trainer.evaluation import seeds
from trainer.run import CHECKPOINT, CONFIG, INITIAL, METRICS, SEEDS

from .conftest import SMALL_NETWORK, agegender, go_on, options

SEEDS_TRIED = (1, 2, 3)


@pytest.fixture(scope="module")
def runs(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same training three times, each with a seed of its own, and evaluated."""
    folder = tmp_path_factory.mktemp("seeds")
    made = []
    for seed in SEEDS_TRIED:
        made.append(folder / f"seed-{seed}")
        chosen = (*SMALL_NETWORK, f"seed={seed}", "train.epochs=1", "train.steps=2")
        agegender("train", "--from-scratch", "--run", made[-1], *options(two_faces, *chosen))
        agegender("evaluate", made[-1])
    return made


def test_the_card_tells_what_other_seeds_make(runs: list[Path], tmp_path: Path) -> None:
    done = agegender("seeds", *runs)
    assert "3 seeds, mean ± deviation" in done.stdout
    found = json.loads((runs[0] / SEEDS).read_text("utf-8"))
    assert list(found["runs"].values()) == list(SEEDS_TRIED)
    ages = [
        json.loads((run / METRICS).read_text("utf-8"))["val"]["two_faces0"]["figures"]["mae"]
        for run in runs
    ]
    assert len(set(ages)) == 3
    told = found["figures"]["two_faces0 val"]["mae"]
    assert told["mean"] == pytest.approx(statistics.mean(ages))
    assert told["deviation"] == pytest.approx(statistics.stdev(ages))

    agegender("export", runs[0], tmp_path / "model")
    card = (tmp_path / "model" / "card.md").read_text("utf-8")
    row = f"| age MAE, years | {told['mean']:.2f} ± {told['deviation']:.2f} |"
    assert row in card.split("## With another seed")[1]
    assert "All was repeated from the pretraining on" in card
    assert f"scripts/agegender seeds {' '.join(map(str, runs))}" in card
    agegender("export", runs[1], tmp_path / "model")
    assert "With another seed" not in (tmp_path / "model" / "card.md").read_text("utf-8")


def test_weights_that_all_go_on_from_are_told(runs: list[Path], tmp_path: Path) -> None:
    later = [tmp_path / "one", tmp_path / "two"]
    for seed, run in enumerate(later, start=1):
        agegender("evaluate", go_on(runs[0], run, f"seed={seed}"))
    assert f"All go on from {runs[0] / CHECKPOINT}" in agegender("seeds", *later).stdout.replace(
        "\n", ""
    )
    (later[1] / INITIAL / CONFIG).write_text(
        (later[1] / INITIAL / CONFIG).read_text().replace("epochs = 1\n", "epochs = 9\n", 1)
    )
    with pytest.raises(InputError, match=r"two: differs from .*one in more than its seed: "):
        seeds.gather(later)


def test_runs_that_cannot_be_put_together_are_refused(runs: list[Path], tmp_path: Path) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(runs[0], twin)
    with pytest.raises(InputError, match=r"one run says nothing about chance"):
        seeds.gather(runs[:1])
    with pytest.raises(InputError, match=r"twin: has the seed 1 of .*seed-1"):
        seeds.gather([runs[0], twin])
    settings = (twin / CONFIG).read_text().replace("seed = 1\n", "seed = 4\n")
    (twin / CONFIG).write_text(settings.replace("hidden = 16", "hidden = 8"))
    with pytest.raises(InputError, match=r"model\.hidden is 16 there and 8 here"):
        seeds.gather([runs[0], twin])
    (twin / CONFIG).write_text(settings)
    figures = json.loads((twin / METRICS).read_text("utf-8"))
    (twin / METRICS).write_text(json.dumps({"test": figures["val"]}))
    with pytest.raises(InputError, match=r"no data set and split that all were evaluated on"):
        seeds.gather([runs[0], twin])
    (twin / METRICS).unlink()
    with pytest.raises(InputError, match=r"metrics\.json: no such file.*agegender evaluate"):
        seeds.gather([runs[0], twin])
