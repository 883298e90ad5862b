"""Nothing that a camera saw stays."""

import gc
import threading

import pytest
from homeassistant.core import HomeAssistant

from .conftest import NOBODY, WOMAN, Watch, WilfulCamera, next_frame


class Frame(bytes):
    """An encoded frame that tells when it is gone."""

    gone: threading.Event

    def __del__(self) -> None:
        self.gone.set()


@pytest.mark.parametrize("content", [WOMAN, WOMAN[:9000]], ids=["good", "damaged"])
async def test_no_frame_outlives_its_reading(
    hass: HomeAssistant, wilful: WilfulCamera, watch: Watch, content: bytes
) -> None:
    await watch(wilful.watched)
    wilful.frame = frame = Frame(content)
    frame.gone = gone = threading.Event()
    await next_frame(hass)
    assert wilful.watched.available() is (content == WOMAN)

    wilful.frame = NOBODY
    del frame
    gc.collect()
    # The worker's thread may be just about to let go.
    assert await hass.async_add_executor_job(gone.wait, 10)
