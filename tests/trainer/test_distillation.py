"""A student learns what its teachers answer, and labels where there are some."""

import json
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from trainer import config
from trainer.data import faces, manifest
from trainer.errors import InputError
from trainer.evaluation import models
from trainer.models import heads
from trainer.run import CONFIG
from trainer.training.distillation import Taught, taught
from trainer.training.finetune import faces_to_see

from .conftest import SMALL_NETWORK, agegender, options

TINY = (
    *SMALL_NETWORK,
    "model.dropout=0",
    "train.epochs=8",
    "train.steps=10",
    "train.batch_size=8",
    "train.learning_rate=0.01",
)


@pytest.fixture(scope="module")
def teacher(two_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that knows both of the faces."""
    folder = tmp_path_factory.mktemp("runs") / "teacher"
    agegender("train", "--run", folder, "--from-scratch", *options(two_faces, *TINY))
    return folder


def mislabelled(two_faces: Path, folder: Path) -> Path:
    """The same two women to learn from, as boys, and once more each without a label."""
    table = pd.read_csv(two_faces / "manifest.csv")
    for name in table["file"]:
        (folder / name).write_bytes((two_faces / name).read_bytes())
    boys = table[table["split"] == "train"].assign(gender="male", age_low=5, age_high=5)
    nobody = boys.assign(gender=None, age_low=None, age_high=None, split="unlabeled")
    manifest.write(
        pd.concat([boys, nobody, table[table["split"] == "val"]]), folder / "manifest.csv"
    )
    return folder


def student(run: Path, teacher: Path, data: Path, weight: float) -> Path:
    sets = (f"train.teachers=[{json.dumps(str(teacher))}]", f"train.teacher_weight={weight}")
    agegender("train", "--run", run, "--from-scratch", *options(data, *TINY, *sets))
    return run


def test_a_student_of_the_teacher_alone_answers_as_it_does_whatever_the_labels_say(
    teacher: Path, two_faces: Path, tmp_path: Path
) -> None:
    run = student(tmp_path / "student", teacher, mislabelled(two_faces, tmp_path), 1.0)
    shown = faces.load([two_faces], ["val"])
    wanted, found = (models.load(one).answer(shown) for one in (teacher, run))
    assert (found.p_female > 0.5).all()
    np.testing.assert_allclose(found.p_female, wanted.p_female, atol=0.2)
    np.testing.assert_allclose(found.age, wanted.age, atol=12)


def test_with_the_labels_alone_it_believes_these(
    teacher: Path, two_faces: Path, tmp_path: Path
) -> None:
    run = student(tmp_path / "student", teacher, mislabelled(two_faces, tmp_path), 0.0)
    found = models.load(run).answer(faces.load([two_faces], ["val"]))
    assert (found.p_female < 0.5).all()


def test_teachers_answer_for_faces_without_labels_too(
    teacher: Path, two_faces: Path, tmp_path: Path
) -> None:
    data = mislabelled(two_faces, tmp_path)
    alone = config.load(None, [f'data.manifests=["{data}"]'])
    with_teacher = config.load(
        None, [f'data.manifests=["{data}"]', f"train.teachers=[{json.dumps(str(teacher))}]"]
    )
    assert len(faces_to_see(alone)) == 2
    seen = faces_to_see(with_teacher)
    assert len(seen) == 4
    asked = taught(with_teacher, heads.of(with_teacher), seen)
    answers = asked["gender"].targets(seen.table)
    assert np.isnan(answers[2:, 0]).all()
    np.testing.assert_allclose(answers[2:, 1:], answers[:2, 1:], atol=1e-6)
    np.testing.assert_allclose(answers[:, 1:].sum(axis=1), 1, atol=1e-6)


def test_a_face_without_a_label_has_the_teachers_share_of_the_loss() -> None:
    table = pd.DataFrame({"gender": ["female", None]})
    head = heads.of(config.load(None, ["heads.gender.smoothing=0"]))["gender"]
    both = Taught(head, 0.25, np.array([[0.4, 0.6], [0.4, 0.6]], np.float32))
    outputs = np.array([[1.0], [1.0]], np.float32)
    labelled, unlabelled = keras.ops.convert_to_numpy(both.loss(both.targets(table), outputs))
    p = 1 / (1 + np.exp(-1.0))
    answer = -(0.4 * np.log(1 - p) + 0.6 * np.log(p))
    assert unlabelled == pytest.approx(0.25 * answer, rel=1e-5)
    assert labelled == pytest.approx(0.25 * answer - 0.75 * np.log(p), rel=1e-5)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("heads.age.kind=coral", r"'age' is of the type 'coral', which learns from labels alone"),
        ("heads.age.years=80", r"do not answer what the head 'age' asks, in its 80 classes"),
    ],
)
def test_what_cannot_be_taught_is_told(
    setting: str, told: str, teacher: Path, two_faces: Path
) -> None:
    named = f"train.teachers=[{json.dumps(str(teacher))}]"
    settings = config.load(teacher / CONFIG, [setting, named])
    seen = faces.load([two_faces], ["train"])
    settings = heads.resolve(settings, seen.table)
    with pytest.raises(InputError, match=told):
        taught(settings, heads.of(settings), seen)


def test_a_teacher_that_is_not_there_is_named(two_faces: Path, tmp_path: Path) -> None:
    gone = options(two_faces, *TINY, f'train.teachers=["{tmp_path}/gone"]')
    done = agegender("train", "--run", tmp_path / "new", "--from-scratch", *gone, check=False)
    assert done.returncode == 2
    assert "gone: neither a finished run" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_counts_what_the_teachers_answer_for_alone(
    teacher: Path, two_faces: Path, tmp_path: Path
) -> None:
    data = mislabelled(two_faces, tmp_path)
    sets = (*TINY, f"train.teachers=[{json.dumps(str(teacher))}]")
    done = agegender("train", "--run", tmp_path / "new", "--dry-run", *options(data, *sets))
    assert "faces to learn from: 4" in done.stdout
    assert "labels of gender: 2" in done.stdout
