"""What our kinds of heads have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Kind(BaseModel):
    """A head's name and, in each kind, its options; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """The head's: of its output and, where nothing else is said, of its column."""


def smoothed(smoothing: float) -> dict[str, Any]:
    """Return what a head's description says of labels of which that share is spread."""
    return {"smoothing": smoothing} if smoothing else {}
