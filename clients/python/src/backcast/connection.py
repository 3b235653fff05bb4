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
from backcast.quantities import seconds, text
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
    address = text(address, "address") if address is not None else ""
    address = address or os.environ.get("BACKCAST_GATEWAY_ADDRESS") or DEFAULT_ADDRESS
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()) or (":" in host and not host.startswith(("[", "dns:"))):
        raise InvalidRequestError.of("address", f"{address!r} is not host:port, or [IPv6]:port")
    token = text(os.environ.get("BACKCAST_TOKEN", "") if token is None else token, "token").strip()
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
    return Connection(
        address,
        token,
        credentials,
        seconds(timeout, "timeout"),
        seconds(patience, "patience"),
        chosen_library(frames),
    )


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
    authority = None if tls is True else _pem(tls, "tls")
    if certificate is None and "BACKCAST_TLS_CERT_FILE" in environment:
        certificate = environment["BACKCAST_TLS_CERT_FILE"], environment.get("BACKCAST_TLS_KEY_FILE", "")
    if certificate is None:
        return grpc.ssl_channel_credentials(authority)
    if not isinstance(certificate, tuple | list) or len(certificate) != 2:
        raise InvalidRequestError.of(
            "certificate", f"{certificate!r} is no pair of files, of the certificate and of its key"
        )
    chain, key = (_pem(file, "certificate") for file in certificate)
    return grpc.ssl_channel_credentials(authority, key, chain)


def _pem(file: object, name: str) -> bytes:
    """Return what is in a file of certificates or of a key."""
    if not isinstance(file, str | os.PathLike):
        raise InvalidRequestError.of(name, f"{file!r} is no file")
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise InvalidRequestError.of(name, f"{file} cannot be read: {error.strerror}") from None
    # gRPC would say later that it cannot connect.
    if b"-----BEGIN " not in content:
        raise InvalidRequestError.of(name, f"{file} has no certificate and no key in PEM")
    return content


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].removeprefix("dns:///").strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
