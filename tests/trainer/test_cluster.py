"""Two processes that train one model, as two machines do; one of them is killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from trainer import config
from trainer.data import faces
from trainer.data.batches import FaceBatches
from trainer.errors import InputError
from trainer.training import finetune
from trainer.training.cluster import joined

from .conftest import ROOT, SMALL_NETWORK

PLAIN = ("flip", "rotate", "zoom", "shift", "colour", "grey", "blur", "erase")
TINY = (
    *SMALL_NETWORK,
    "model.dropout=0",
    "train.epochs=6",
    "train.steps=5",
    "train.batch_size=8",
    "train.learning_rate=0.01",
    # What varies by chance varies between workers too.
    *(f"train.augmentation.{name}=0" for name in PLAIN),
)


@pytest.fixture(scope="module")
def alone(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """What one process logs with the whole batch."""
    resolved = config.load(None, [f'data.manifests=["{two_faces}"]', *TINY])
    folder = tmp_path_factory.mktemp("alone")
    finetune.train(resolved, faces.load([two_faces], ["train"]), None, folder, None)
    return pd.read_csv(folder / "train.csv")


class Workers:
    """Two workers that share a run's folder."""

    def __init__(self, run: Path, manifest: Path) -> None:
        self.run, self.manifest = run, manifest
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
        self.processes = [self.start(0), self.start(1)]

    def start(self, index: int) -> subprocess.Popen[bytes]:
        task = {"type": "worker", "index": index}
        place = json.dumps({"cluster": {"worker": self.addresses}, "task": task})
        chosen = [f'data.manifests=["{self.manifest}"]', *TINY]
        options = [word for setting in chosen for word in ("--set", setting)]
        with (self.run.parent / f"worker{index}.log").open("ab") as log:
            return subprocess.Popen(
                [
                    *(sys.executable, "-m", "trainer", "train", "--run", str(self.run)),
                    *("--from-scratch", "--resume", *options),
                ],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'src'}", "TF_CONFIG": place},
                stdout=log,
                stderr=log,
            )

    def kill(self, index: int) -> None:
        self.processes[index].send_signal(signal.SIGKILL)
        assert self.processes[index].wait() == -signal.SIGKILL

    def finish(self) -> str:
        try:
            codes = [process.wait(timeout=240) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
        logs = "".join(path.read_text() for path in sorted(self.run.parent.glob("*.log")))
        assert codes == [0, 0], logs
        return logs


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_two_workers_learn_as_one_and_a_killed_one_comes_back(
    alone: pd.DataFrame, two_faces: Path, tmp_path: Path
) -> None:
    workers = Workers(tmp_path / "run", two_faces)
    deadline = time.monotonic() + 240
    while not list((workers.run / "train").glob("0*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    workers.kill(1)
    assert not (workers.run / "checkpoint.keras").exists()
    workers.processes[1] = workers.start(1)
    logs = workers.finish()
    assert "worker 0 at 127.0.0.1" in logs
    assert "lost another worker; going on from the last checkpoint" in logs

    together = pd.read_csv(workers.run / "train.csv")
    assert together["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    for name in ("loss", "age_loss", "gender_loss"):
        pd.testing.assert_series_equal(together[name], alone[name], rtol=1e-3)
    assert (workers.run / "calibration.json").exists()


def test_the_parts_of_a_batch_make_up_the_batch(two_faces: Path) -> None:
    seen = faces.load([two_faces], ["train", "val"])
    whole = FaceBatches(
        seen,
        lambda face, _: face,
        {"age": seen.ages},
        weights={"age": seen.female},
        batch_size=4,
        steps=3,
        seed=1,
    )
    parts = [whole.part(number, 2)[1] for number in range(2)]
    for whole_values, *of_parts in zip(whole[1][1:], *(part[1:] for part in parts), strict=True):
        found = [row for values in of_parts for row in values["age"].tolist()]
        assert str(found) == str(whole_values["age"].tolist())
    assert len(parts[0][0]) == 2


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("worker 1", r"TF_CONFIG='worker 1': not a cluster .* Write"),
        ('{"cluster": {"worker": ["a:1"]}}', r"KeyError: 'task'.* Write"),
        (
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 3}}',
            r"IndexError.* Write",
        ),
    ],
)
def test_a_wrong_place_in_the_cluster_is_explained(
    place: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", place)
    with pytest.raises(InputError, match=message), joined():
        pass
