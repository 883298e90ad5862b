"""What a node watches, what may be seen of it, and whom it tells: a TOML file or options."""

from __future__ import annotations

import re
import socket
import tomllib
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from agegender_vision.census import MINUTES_A_DAY, AgeBands
from agegender_vision.privacy import Home, Mode, Public
from agegender_vision.region import Region
from trainer.errors import InputError

NOISE = {"off": None, "light": 3.0, "strong": 1.0}
"""Epsilon of the noise, by what the integration calls it."""
PORTS = {"mqtt": 1883, "mqtts": 8883}
LOCAL_TIME = Path("/etc/localtime")


class _Section(BaseModel):
    # Inputs stay out of messages: they may be passwords.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def slug(name: str) -> str:
    """Return a name as topics and ids may hold it: ``Shop 17`` becomes ``shop_17``.

    Raises
    ------
    ValueError
        Nothing of the name can stand there.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")
    if not found:
        raise ValueError(f"a name holds Latin letters or digits, got {name!r}")
    return found


def _named(name: str) -> str:
    slug(name)
    return name


Name = Annotated[str, Field(max_length=60), AfterValidator(_named)]


class MqttSettings(_Section):
    """The broker.

    Attributes
    ----------
    url
        ``mqtt://host:1883`` or, encrypted, ``mqtts://host:8883``.
    username, password, password_file
        As the broker knows the node; the file's first line is the password.
    ca_file
        The authority that signed the broker's certificate; None takes the system's.
    certificate_file, key_file
        The node's own certificate, where the broker asks for one.
    topic, discovery
        What topics of states, and of discovery, begin with.
    """

    url: str
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    topic: Annotated[str, Field(pattern=r"^[\w-]+(/[\w-]+)*$")] = "agegender"
    discovery: Annotated[str, Field(pattern=r"^[\w-]+(/[\w-]+)*$")] = "homeassistant"

    @model_validator(mode="after")
    def _check(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
            raise ValueError("write the broker like mqtt://host or mqtts://host:8883")
        if parts.username or parts.password:
            raise ValueError("an address is no place for a password: use username and password")
        _ = parts.port  # raises if it is none
        if not self.tls and (self.ca_file or self.certificate_file):
            raise ValueError("certificates need an address that begins with mqtts://")
        return self

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or PORTS[parts.scheme]

    def secret(self) -> str | None:
        """Return the password.

        Raises
        ------
        InputError
            Its file cannot be read.
        """
        if self.password_file is None:
            return None if self.password is None else self.password.get_secret_value()
        try:
            return self.password_file.read_text("utf-8").partition("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{self.password_file}: the password cannot be read ({error})."
            ) from error


class PrivacySettings(_Section):
    """Who may see the counts; `docs/privacy.md` states what each mode promises.

    Attributes
    ----------
    mode
        ``home``: live counts. ``public``: crowds alone, in completed windows.
    crowd, window, noise
        In public: fewest people a number stands for, minutes of a window, and how much
        numbers are changed at random.
    """

    mode: Literal["home", "public"]
    crowd: int = Field(default=5, ge=2, le=100)
    window: int = Field(default=15, ge=1, le=MINUTES_A_DAY)
    noise: Literal["off", "light", "strong"] = "off"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if MINUTES_A_DAY % self.window:
            raise ValueError(f"a window's minutes divide a day's {MINUTES_A_DAY}")
        return self

    def of(self) -> Mode:
        """Return the mode with its rules."""
        if self.mode == "home":
            return Home()
        return Public(k=self.crowd, minutes=self.window, epsilon=NOISE[self.noise])


def _region(sides: Any) -> Any:
    if isinstance(sides, list) and len(sides) == 4:
        try:
            return Region(*sides)
        except TypeError as error:
            raise ValueError(f"a region is four numbers, got {sides!r:.200}") from error
    return sides


class CameraSettings(_Section):
    """One camera.

    Attributes
    ----------
    source
        ``picamera`` (or ``picamera:1``), a device such as ``/dev/video0``, an address of
        RTSP or HTTP, or a video file.
    name
        What Home Assistant calls it, behind the node's name. Totals and entities belong to
        this name.
    interval
        Seconds between two looks.
    min_face_size
        Smallest face, in pixels of a frame scaled to a longer side of at most 1280.
    region
        The part of the picture that is looked at: left, top, right and bottom, as fractions.
    """

    source: str
    name: Name = ""
    interval: float = Field(default=1.0, ge=0.1, le=3600)
    min_face_size: int = Field(default=40, ge=20, le=400)
    region: Annotated[Region, BeforeValidator(_region)] = Region()

    @model_validator(mode="before")
    @classmethod
    def _with_name(cls, values: Any) -> Any:
        if isinstance(values, dict) and isinstance(source := values.get("source"), str):
            return {"name": _default_name(source), **values}
        return values

    @property
    def id(self) -> str:
        """The name as it stands in topics."""
        return slug(self.name)


def _default_name(source: str) -> str:
    if "://" in source:
        return urlsplit(source).hostname or source
    return Path(source).stem


class Settings(_Section):
    """All about a node.

    Attributes
    ----------
    mqtt, privacy, cameras
        See there.
    name
        What Home Assistant calls the node; two nodes of a broker need two names.
    state
        Folder of the totals.
    age_bands
        A preset such as ``household``, or the ages at which bands start: ``18, 65``.
    model
        Model folder; None for the bundled one.
    runtime
        What computes; ``auto`` takes the fastest that is installed.
    time_zone
        Such as ``Europe/Berlin``; None for the machine's.
    """

    mqtt: MqttSettings
    privacy: PrivacySettings
    cameras: tuple[CameraSettings, ...] = Field(min_length=1)
    name: Name = Field(default_factory=socket.gethostname)
    state: Path = Path("~/.local/state/agegender")
    age_bands: str = "household"
    model: Path | None = None
    runtime: str = "auto"
    time_zone: str | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        self.bands()
        self.zone()
        ids = [camera.id for camera in self.cameras]
        if doubles := {one for one in ids if ids.count(one) > 1}:
            raise ValueError(
                f"two cameras are called {min(doubles)!r}: give each a name of its own"
            )
        return self

    @property
    def id(self) -> str:
        """The name as it stands in topics."""
        return slug(self.name)

    def bands(self) -> AgeBands:
        """Return the age bands."""
        return AgeBands.parse(self.age_bands)

    def zone(self) -> ZoneInfo:
        """Return the time zone whose midnight ends a day."""
        if self.time_zone is None:
            try:
                with LOCAL_TIME.open("rb") as file:
                    return ZoneInfo.from_file(file, key="localtime")
            except (OSError, ValueError):
                return ZoneInfo("UTC")
        try:
            return ZoneInfo(self.time_zone)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"no time zone is called {self.time_zone!r}") from error


def load(path: Path | None, options: Mapping[str, Any], sources: list[str]) -> Settings:
    """Read a node's settings.

    Parameters
    ----------
    path
        A TOML file with the fields of `Settings`; None for options alone.
    options
        Fields by name, ``mqtt.url`` for one in a section; None is left out. They win over
        the file's.
    sources
        Cameras, each a source or ``NAME=SOURCE``; if there are any, they replace the file's.

    Raises
    ------
    InputError
        The file cannot be read, or a setting is missing, unknown or wrong.
    """
    values: dict[str, Any] = {}
    if path is not None:
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: cannot be read as a TOML file ({error}).") from error
    for key, value in options.items():
        *section, field = key.split(".")
        table = values.setdefault(section[0], {}) if section else values
        if value is not None and isinstance(table, dict):
            table[field] = value
    if sources:
        values["cameras"] = [_camera(source) for source in sources]
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        hint = _HINTS.get(name, "")
        where = f"{path}: " if path else ""
        raise InputError(f"{where}{name or 'settings'}: {first['msg']}.{hint}") from error


_HINTS = {
    "mqtt.url": " Give the broker: --mqtt mqtt://host",
    "privacy.mode": (
        " Say who may see the counts: --privacy home where only those who live there are in"
        " view, --privacy public everywhere else"
    ),
    "cameras": " Give a SOURCE: picamera, /dev/video0, rtsp://... or a video file",
}


def _camera(text: str) -> dict[str, str]:
    match = re.fullmatch(r"(?P<name>[^=/:.]+)=(?P<source>.+)", text)
    camera = match.groupdict() if match else {"source": text}
    if "://" in camera["source"] and urlsplit(camera["source"]).password:
        raise InputError(
            "A password on the command line can be read by every user of this machine: write "
            "the source into a file for --config, which only the node may read."
        )
    return camera


def redacted(source: str) -> str:
    """Return a source as it may be logged, without user, password and query."""
    if "://" not in source:
        return source
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
