"""Who may call the gateway: clients with tokens, or with certificates, or everybody of this machine."""

import asyncio
import signal

from services.domain.errors import InvalidInput
from services.gateway.auth.authentication import AuthenticationInterceptor
from services.gateway.auth.token_file import token_book
from services.rpc.access import Access, check_binding
from services.rpc.tls import server_credentials
from services.settings import Settings


def gateway_access(settings: Settings) -> Access:
    """Return how the gateway is reached; from now on SIGHUP has it read the file of tokens anew.

    Raises InvalidInput, naming the variable, where the settings would let strangers in, or are wrong.
    """
    credentials = server_credentials(settings, demand_certificate=settings.gateway_client_certificates)
    if settings.gateway_client_certificates and credentials is None:
        raise InvalidInput.of(
            "BACKCAST_TLS_CERT_FILE", "must be set for BACKCAST_GATEWAY_CLIENT_CERTIFICATES"
        )
    book = token_book(settings)
    check_binding(
        settings,
        shut=credentials is not None and (book is not None or settings.gateway_client_certificates),
        demand="BACKCAST_TLS_CERT_FILE, _KEY_FILE and BACKCAST_TOKENS_FILE "
        "(or BACKCAST_GATEWAY_CLIENT_CERTIFICATES=1)",
    )
    if book is None:
        return Access(credentials)
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, book.reload)
    return Access(credentials, [AuthenticationInterceptor(book)])
