"""Access to a server: what it requires of its clients, and on which addresses it may listen.

A server without authentication listens only on this machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from backcast_engine.errors import InvalidInput
from services.domain.addresses import is_loopback
from services.rpc.tls import server_credentials
from services.settings import Settings


@dataclass(frozen=True, slots=True)
class Access:
    """How clients reach a server: TLS (None: plaintext), and the interceptors that authenticate calls."""

    credentials: grpc.ServerCredentials | None
    guards: Sequence[grpc.aio.ServerInterceptor] = ()


def services_only(settings: Settings) -> Access:
    """Return the access to a service that only other services call.

    Raises InvalidInput, naming the variable, if the settings are wrong or leave the service unprotected.
    """
    credentials = server_credentials(settings, demand_certificate=True)
    check_binding(
        settings,
        authenticates=credentials is not None,
        required="BACKCAST_TLS_CERT_FILE, _KEY_FILE and _CA_FILE",
    )
    return Access(credentials)


def check_binding(settings: Settings, authenticates: bool, required: str) -> None:
    """Raise InvalidInput if a server that does not authenticate its callers would serve other machines.

    `required` names the settings with which it authenticates.
    """
    if authenticates or settings.insecure or is_loopback(settings.host, "BACKCAST_HOST"):
        return
    raise InvalidInput.of(
        "BACKCAST_HOST",
        f"{settings.host!r} can be reached by other machines: set {required}, or listen on 127.0.0.1; "
        "BACKCAST_INSECURE=1 allows calls of everybody",
    )
