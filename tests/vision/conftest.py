"""Photographs for the vision tests."""

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from agegender_vision import frame

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def astronaut() -> NDArray[np.uint8]:
    """Eileen Collins: one face, 512x512 pixels."""
    return np.asarray(skimage.data.astronaut(), np.uint8)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def grace_hopper_file() -> Path:
    """Grace Hopper: one face, 512x600 pixels, JPEG."""
    return Path(mpl.get_data_path()) / "sample_data" / "grace_hopper.jpg"


@pytest.fixture(scope="session")
def grace_hopper(grace_hopper_file: Path) -> NDArray[np.uint8]:
    return frame.read(grace_hopper_file)


@pytest.fixture(scope="session")
def two_faces(astronaut: NDArray[np.uint8], grace_hopper: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Both photographs side by side, 512x1024 pixels."""
    return np.concatenate([astronaut, grace_hopper[:512]], axis=1)


@pytest.fixture(scope="session")
def detection_data() -> Path:
    """The folder of photographs for detectors, which is not part of the repository."""
    folder = REPOSITORY.parent / "shared" / "data" / "detection"
    if not folder.is_dir():
        pytest.skip("needs the photographs of ../shared/data/detection, which are not here")
    return folder


@pytest.fixture
def photograph(astronaut: NDArray[np.uint8]) -> Image.Image:
    """The astronaut at 128x96 pixels, to be saved in many formats."""
    return Image.fromarray(astronaut[:384]).resize((128, 96))
