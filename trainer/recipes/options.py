"""A recipe's own settings, the table `options`."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from trainer.config import Config
from trainer.errors import InputError


class Options(BaseModel):
    """Of a recipe that names none of its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)


T = TypeVar("T", bound=Options)


def of(config: Config, kind: type[T]) -> T:
    """Return the settings as a recipe's kind of them.

    Raises
    ------
    InputError
        One is unknown, missing, or outside its range.
    """
    try:
        return kind(**config.options)
    except ValidationError as error:
        wrong = error.errors()[0]
        key = ".".join(map(str, ("options", *wrong["loc"])))
        if wrong["type"] == "extra_forbidden":
            known = ", ".join(kind.model_fields) or "none"
            raise InputError(
                f"unknown setting {key}. The recipe {config.recipe!r} knows: {known}."
            ) from error
        if wrong["type"] == "missing":
            raise InputError(f"{key} is missing: the recipe {config.recipe!r} needs it.") from error
        raise InputError(f"{key} = {wrong['input']!r}: {wrong['msg']}.") from error
