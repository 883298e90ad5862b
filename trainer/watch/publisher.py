"""All that a node tells: kept here, sent when it changes, and again to a broker that forgot it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import Any

from agegender_vision.reading import Description, Reading, Status
from trainer.watch.broker import Broker
from trainer.watch.entities import (
    COMMANDS,
    OFFLINE,
    ONLINE,
    Topics,
    diagnostics,
    discovery,
    entities,
    states,
)
from trainer.watch.settings import Settings

LOGGER = logging.getLogger(__name__)


class Publisher:
    """Tells a broker of a node's cameras, for Home Assistant to discover.

    Nothing but what a `Reading` holds, and a status, is ever sent. May be called from any
    thread.

    Parameters
    ----------
    settings
        Of the node.
    model
        Name of the model that judges.
    commanded
        Called in the broker's thread with the id of a camera, the key of one of `COMMANDS`
        and what was sent, which may be anything.

    Raises
    ------
    InputError
        A certificate or the password cannot be read.
    """

    def __init__(
        self, settings: Settings, model: str, commanded: Callable[[str, str, bytes], None]
    ) -> None:
        """Tell nothing yet."""
        mode, bands = settings.privacy.of(), settings.bands()
        self._settings = settings
        self._lock = threading.RLock()
        self._entities: tuple[Description, ...] = entities(bands, mode)
        self._topics = {camera.id: self._topics_of(camera.id) for camera in settings.cameras}
        self._commanded = commanded
        self._commands = {
            topics.command(command.key): (camera, command.key)
            for camera, topics in self._topics.items()
            for command in COMMANDS
        }
        self._node = self._topics_of("+").node
        # Every topic of ours, in the order in which it is told. None: nothing is kept there.
        self._told: dict[str, Any] = {}
        for camera in settings.cameras:
            topics = self._topics[camera.id]
            self._told[topics.config] = discovery(
                self._entities,
                topics,
                device=f"agegender_{settings.id}_{camera.id}",
                name=f"{settings.name} {camera.name}",
                model=model,
                noisy=settings.privacy.noise != "off",
            )
            self._told |= {topics.status: OFFLINE, topics.state: None, topics.diagnostics: None}
        self._broker = Broker(
            settings.mqtt,
            f"agegender-{settings.id}",
            will=self._node,
            connected=self._connected,
            received=self._received,
        )

    def _topics_of(self, camera: str) -> Topics:
        mqtt = self._settings.mqtt
        return Topics.of(self._settings.id, camera, topic=mqtt.topic, discovery=mqtt.discovery)

    def start(self) -> None:
        """Connect; what was told before is told now."""
        self._broker.start()

    def stop(self) -> None:
        """Tell that the node is gone, and disconnect."""
        self._broker.stop()

    def show(self, camera: str, reading: Reading, status: Status) -> None:
        """Tell a camera's values, if they changed."""
        self._tell(self._topics[camera].state, states(self._entities, reading, status))

    def show_health(self, camera: str, reading: Reading) -> None:
        """Tell how a camera's last look went, in a mode in which that may be known."""
        if health := diagnostics(self._entities, reading):
            self._tell(self._topics[camera].diagnostics, health)

    def show_available(self, camera: str, available: bool) -> None:
        """Tell whether a camera delivers frames."""
        self._tell(self._topics[camera].status, ONLINE if available else OFFLINE)

    def _tell(self, topic: str, content: Any) -> None:
        with self._lock:
            if self._told[topic] != content:
                self._told[topic] = content
                self._broker.publish(topic, content)

    def _connected(self) -> None:
        with self._lock:
            # Asked first: what is left of an earlier life is to arrive as it was.
            self._broker.listen(self._topics_of("+").config)
            self._broker.listen(self._topics_of("+").command("+"))
            for topic, content in self._told.items():
                self._broker.publish(topic, content)
            self._broker.publish(self._node, ONLINE)

    def _received(self, topic: str, payload: bytes, kept: bool) -> None:
        if command := self._commands.get(topic):
            # One that the broker keeps would be obeyed again at every connection.
            if not kept:
                self._commanded(*command, payload)
        elif kept and topic.endswith("/config"):
            self._clear_away(topic, payload)

    def _clear_away(self, topic: str, payload: bytes) -> None:
        """Clear away what an earlier life of this node told and this one does not."""
        camera = topic.split("/")[-2]
        topics = self._topics_of(camera)
        with self._lock:
            if camera not in self._topics:
                for left in (topics.config, topics.state, topics.diagnostics, topics.status):
                    self._broker.publish(left, None)
                return
            config = self._told[topics.config]
            if removed := _components(payload).keys() - config["components"].keys():
                # Home Assistant removes what has a platform and nothing else.
                gone = {key: _components(payload)[key] for key in removed}
                self._broker.publish(
                    topic, {**config, "components": {**gone, **config["components"]}}
                )
                self._broker.publish(topic, config)


def _components(payload: bytes) -> dict[str, dict[str, str]]:
    """Return the platforms of a discovery payload's components; none where it is no such."""
    try:
        components = json.loads(payload)["components"]
        return {str(key): {"platform": str(each["platform"])} for key, each in components.items()}
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}
