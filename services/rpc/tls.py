"""TLS credentials of servers and channels, from the files that the settings name.

A process has one certificate: as a server it shows it to clients, and as a client to other services.
"""

import ssl
from pathlib import Path
from typing import NoReturn

import grpc

from backcast_engine.errors import InvalidInput
from services.settings import Settings

_CERT, _KEY, _CA = "BACKCAST_TLS_CERT_FILE", "BACKCAST_TLS_KEY_FILE", "BACKCAST_TLS_CA_FILE"


def server_credentials(settings: Settings, demand_certificate: bool) -> grpc.ServerCredentials | None:
    """Return a server's credentials; None if the settings name no files.

    With `demand_certificate`, clients must show a certificate that the settings' CA signed. Raises
    InvalidInput, naming the variable, if settings are incomplete, unreadable or do not fit together.
    """
    if not (settings.tls_cert_file or settings.tls_key_file or settings.tls_ca_file):
        return None
    pair = _certificate(settings)
    if pair is None:
        raise InvalidInput.of(_CERT, f"must be set too if {_CA} is: a server shows a certificate")
    ca = _authority(settings)
    if demand_certificate and ca is None:
        raise InvalidInput.of(
            _CA, f"must be set too if {_CERT} is: callers need a certificate that it signed"
        )
    return grpc.ssl_server_credentials(
        [pair],
        root_certificates=ca if demand_certificate else None,
        require_client_auth=demand_certificate,
    )


def channel_credentials(settings: Settings) -> grpc.ChannelCredentials | None:
    """Return a channel's credentials; None if the settings ask for no TLS.

    Raises InvalidInput, naming the variable, if settings are incomplete, unreadable or do not fit together.
    """
    pair = _certificate(settings)
    ca = _authority(settings)
    if ca is None and not settings.tls:
        return None
    key, certificate = pair or (None, None)
    # Without a CA, gRPC trusts the public ones.
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _certificate(settings: Settings) -> tuple[bytes, bytes] | None:
    """Return key and certificate chain in PEM, None if neither is set."""
    cert_file, key_file = settings.tls_cert_file, settings.tls_key_file
    if cert_file is None and key_file is None:
        return None
    if cert_file is None:
        raise InvalidInput.of(_CERT, f"must be set too if {_KEY} is")
    if key_file is None:
        raise InvalidInput.of(_KEY, f"must be set too if {_CERT} is")
    certificate, key = _certificates(_CERT, cert_file), _read(_KEY, key_file)
    try:
        # Checked here, because gRPC accepts any pair and fails with the first client.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(cert_file, key_file, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InvalidInput.of(_KEY, f"is not the key of the certificate in {_CERT}") from None
        raise InvalidInput.of(_KEY, f"there is no private key in PEM in {key_file}") from None
    except _HasPasswordError:
        raise InvalidInput.of(
            _KEY, f"the key in {key_file} has a password: a key without one is needed"
        ) from None
    return key, certificate


def _authority(settings: Settings) -> bytes | None:
    return _certificates(_CA, settings.tls_ca_file) if settings.tls_ca_file else None


def _certificates(variable: str, file: Path) -> bytes:
    pem = _read(variable, file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise InvalidInput.of(variable, f"there is no certificate in PEM in {file}") from None
    return pem


def _read(variable: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput.of(variable, f"{file} cannot be read: {error.strerror}") from None


class _HasPasswordError(Exception):
    """The key has a password, which nobody can type in."""


def _no_password() -> NoReturn:
    raise _HasPasswordError
