"""Where a client connects to, and how: arguments first, then the environment."""

import json
import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc

from backcast.errors import InvalidRequestError
from backcast.frames import chosen_library
from backcast.gateway.v1 import backtest_service_pb2, run_service_pb2
from backcast.marketdata.v1 import market_data_service_pb2
from backcast.versions import client_version

DEFAULT_ADDRESS = "127.0.0.1:50051"

# A quiet connection is pinged while calls are under way, so that a vanished server is noticed; a server
# that is back is found within a second.
_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
# Calls with one answer are repeated where the server is away. Runs are resumed instead.
_SERVICES = (
    *backtest_service_pb2.DESCRIPTOR.services_by_name.values(),
    *run_service_pb2.DESCRIPTOR.services_by_name.values(),
    market_data_service_pb2.DESCRIPTOR.services_by_name["MarketDataService"],
)
_SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [
                {"service": service.full_name, "method": method.name}
                for service in _SERVICES
                for method in service.methods
                if not (method.server_streaming or method.client_streaming)
            ],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
}


@dataclass(frozen=True, slots=True)
class Connection:
    """How to call a gateway."""

    address: str
    token: str = field(repr=False)
    credentials: grpc.ChannelCredentials | None
    timeout_s: float
    patience_s: float
    library: str

    def open_channel(self, kind: Any) -> Any:
        """Open a channel of a kind: `grpc` for threads, `grpc.aio` for tasks."""
        if self.credentials is None:
            return kind.insecure_channel(self.address, options=self._options)
        return kind.secure_channel(self.address, self.credentials, options=self._options)

    @property
    def _options(self) -> tuple[tuple[str, Any], ...]:
        options = (*_OPTIONS, ("grpc.service_config", json.dumps(_SERVICE_CONFIG)))
        if self.is_loopback:
            # A proxy of the environment is not meant for this machine.
            return (*options, ("grpc.enable_http_proxy", 0))
        return options

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata of its calls."""
        ours = ("backcast-client", f"python/{client_version()}")
        return (ours, ("authorization", f"Bearer {self.token}")) if self.token else (ours,)

    @property
    def is_loopback(self) -> bool:
        """True if the address is on this machine."""
        return _is_loopback(self.address)


def connection(
    address: str | None,
    *,
    token: str | None,
    tls: bool | str | os.PathLike[str] | None,
    certificate: tuple[str, str] | None,
    insecure: bool | None,
    timeout: float,
    patience: float,
    frames: str,
) -> Connection:
    """Return the connection of the arguments of `connect`; raise InvalidRequestError, naming the argument."""
    address = address or os.environ.get("BACKCAST_GATEWAY_ADDRESS") or DEFAULT_ADDRESS
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()) or (":" in host and not host.startswith(("[", "dns:"))):
        raise InvalidRequestError.of("address", f"{address!r} is not host:port, or [IPv6]:port")
    token = (token if token is not None else os.environ.get("BACKCAST_TOKEN", "")).strip()
    if token and (not (token.isascii() and token.isprintable()) or len(token.split()) != 1):
        raise InvalidRequestError.of("token", "is not a token: `backcast token` makes one")
    credentials = _credentials(tls, certificate)
    if insecure is None:
        insecure = os.environ.get("BACKCAST_INSECURE") == "1"
    if token and credentials is None and not insecure and not _is_loopback(address):
        raise InvalidRequestError.of(
            "token",
            f"is not sent to {address} without TLS: give tls=True, or tls=FILE of its CA; insecure=True "
            "sends it unencrypted",
        )
    for name, seconds in (("timeout", timeout), ("patience", patience)):
        if not seconds >= 0:
            raise InvalidRequestError.of(name, f"{seconds} is no number of seconds")
    return Connection(address, token, credentials, timeout, patience, chosen_library(frames))


def _credentials(
    tls: bool | str | os.PathLike[str] | None, certificate: tuple[str, str] | None
) -> grpc.ChannelCredentials | None:
    environment = os.environ
    if tls is None:
        tls = environment.get("BACKCAST_TLS_CA_FILE") or environment.get("BACKCAST_TLS") == "1"
    if tls is False:
        if certificate is not None:
            raise InvalidRequestError.of(
                "certificate", "needs TLS: give tls=True, or tls=FILE of the server's CA"
            )
        return None
    # Without a CA, gRPC trusts the public ones.
    authority = None if tls is True else _read(tls, "tls")
    if certificate is None and "BACKCAST_TLS_CERT_FILE" in environment:
        certificate = environment["BACKCAST_TLS_CERT_FILE"], environment.get("BACKCAST_TLS_KEY_FILE", "")
    chain, key = certificate or (None, None)
    return grpc.ssl_channel_credentials(
        authority,
        _read(key, "certificate") if key is not None else None,
        _read(chain, "certificate") if chain is not None else None,
    )


def _read(file: str | os.PathLike[str], name: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InvalidRequestError.of(name, f"{file} cannot be read: {error.strerror}") from None


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].removeprefix("dns:///").strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
