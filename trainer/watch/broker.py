"""The connection to an MQTT broker: kept up, encrypted if wanted, and told of once."""

from __future__ import annotations

import json
import logging
import ssl
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from trainer.errors import InputError
from trainer.watch.entities import OFFLINE
from trainer.watch.settings import MqttSettings

LOGGER = logging.getLogger(__name__)

KEEPALIVE = 30
"""Seconds of silence after which either side asks whether the other is still there."""
FIRST_WAIT, LONGEST_WAIT = 1, 60
"""Seconds between attempts to connect; doubled from the one to the other."""
_TAKEN_OVER = ReasonCode(PacketTypes.DISCONNECT, "Session taken over")


class Broker:
    """A broker, spoken to as one client.

    Messages are sent at most once: whatever a lost connection swallows is told again, newer,
    as soon as there is another, by who listens to `connected`. So nothing piles up
    meanwhile, and nothing old overtakes.

    Parameters
    ----------
    settings
        Which broker, and as whom.
    client
        What the client is called; another one of this name would throw it out.
    will
        The topic that tells, by the broker's own word, that the client is gone.
    connected
        Called with every new connection, in the broker's thread.
    received
        Called in the broker's thread with a message's topic, its content, and whether it
        was kept by the broker.

    Raises
    ------
    InputError
        A certificate or the password cannot be read.
    """

    def __init__(
        self,
        settings: MqttSettings,
        client: str,
        *,
        will: str,
        connected: Callable[[], None],
        received: Callable[[str, bytes, bool], None],
    ) -> None:
        """Connect to nothing yet."""
        self._connected = connected
        self._received = received
        self._address = "{}:{}".format(*settings.address)
        self._told: set[str] = set()
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=client, protocol=MQTTProtocolVersion.MQTTv5
        )
        self._client.on_connect = self._on_connect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(FIRST_WAIT, LONGEST_WAIT)
        self._client.will_set(will, OFFLINE, retain=True)
        if settings.username is not None:
            self._client.username_pw_set(settings.username, settings.secret())
        if settings.tls:
            self._client.tls_set_context(_context(settings))
        self._client.connect_async(*settings.address, keepalive=KEEPALIVE)
        self._will = will
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)

    def start(self) -> None:
        """Connect, and again whenever the connection is lost."""
        self._thread.start()

    def stop(self) -> None:
        """Say goodbye and end."""
        if self._client.is_connected():
            # What a client that leaves in good order does not leave to the broker.
            self._client.publish(self._will, OFFLINE, qos=1, retain=True).wait_for_publish(2)
        self._over.set()
        self._client.disconnect()
        self._thread.join(2)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._client.loop_forever(retry_first_connection=True)
            except Exception as error:  # noqa: BLE001  (whatever parsing damaged packets raises)
                self._tell(
                    logging.ERROR,
                    "What the broker %s says cannot be understood (%s: %s)",
                    self._address,
                    type(error).__name__,
                    error,
                )
                self._over.wait(FIRST_WAIT)
                with suppress(OSError):  # then it is tried again and again
                    self._client.reconnect()

    def publish(self, topic: str, content: Any) -> None:
        """Have the broker tell and keep a message, if there is a connection.

        Parameters
        ----------
        topic
            Where.
        content
            Text as it is, None for no message any more, anything else as JSON.
        """
        if self._client.is_connected():
            if content is not None and not isinstance(content, str):
                content = json.dumps(content, separators=(",", ":"))
            self._client.publish(topic, content, retain=True)

    def listen(self, topic: str) -> None:
        """Have messages brought to `received`, kept ones and new ones, but not our own new ones."""
        self._client.subscribe(topic, options=SubscribeOptions(noLocal=True))

    def _tell(self, level: int, message: str, *arguments: object) -> None:
        """Log once between two connections; a broker that is away is so for many attempts."""
        text = message % arguments
        if text not in self._told:
            self._told.add(text)
            LOGGER.log(level, "%s", text)

    def _on_connect(
        self,
        client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._tell(
                logging.ERROR,
                "The broker %s refuses this node (%s): check user name and password",
                self._address,
                reason,
            )
            return
        client.reconnect_delay_set(FIRST_WAIT, LONGEST_WAIT)
        self._told.clear()
        LOGGER.info("Connected to the broker %s", self._address)
        self._connected()

    def _on_connect_fail(self, _client: Client, _data: object) -> None:
        self._tell(
            logging.ERROR,
            "The broker %s cannot be reached, trying again and again: %s",
            self._address,
            sys.exception() or "no reason given",
        )

    def _on_disconnect(
        self,
        client: Client,
        _data: object,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason == _TAKEN_OVER:
            # Else the two would throw each other out every second.
            client.reconnect_delay_set(LONGEST_WAIT, LONGEST_WAIT)
            self._tell(
                logging.ERROR, "Another node has this node's name: give each a name of its own"
            )
        elif reason.is_failure:
            self._tell(
                logging.WARNING,
                "The connection to the broker %s is lost: %s",
                self._address,
                reason,
            )

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._received(message.topic, bytes(message.payload), message.retain)


def _context(settings: MqttSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file:
            context.load_cert_chain(settings.certificate_file, settings.key_file)
    except OSError as error:  # those of TLS included
        raise InputError(
            f"{settings.ca_file or settings.certificate_file}: the certificate cannot be read "
            f"({error})."
        ) from error
    return context
