"""Readable messages for connections that fail."""

# Words of gRPC's messages about TLS handshakes, and what they mean.
_HANDSHAKES = {
    "Hostname Verification": "the certificate that {address} shows belongs to another host",
    "certificate has expired": "the certificate that {address} shows has expired",
    "CERTIFICATE_VERIFY_FAILED": "the certificate that {address} shows was not signed by a trusted CA: "
    "is BACKCAST_TLS_CA_FILE the right one?",
    "WRONG_VERSION_NUMBER": "the server at {address} has no TLS, but BACKCAST_TLS_CA_FILE or BACKCAST_TLS "
    "requires it",
    "Socket closed": "the server at {address} closes the connection: does it require TLS "
    "(BACKCAST_TLS_CA_FILE), or a certificate (BACKCAST_TLS_CERT_FILE)?",
}


def not_connected(details: str, service: str, address: str) -> str:
    """Return why there is no connection to `service` at `address`; `details` are gRPC's own words."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()) or (":" in host and not host.startswith(("[", "dns:"))):
        return f"BACKCAST_{service.upper()}_ADDRESS: {address!r} is not host:port, or [IPv6]:port"
    if "resol" in details:
        return f"BACKCAST_{service.upper()}_ADDRESS: the host of {address!r} is unknown"
    # An established connection that breaks has some of these words too.
    if "backends failing" in details:
        for sign, meaning in _HANDSHAKES.items():
            if sign in details:
                return meaning.format(address=address)
    return f"the {service} service does not answer at {address}: is it running there (`backcast up`)?"
