"""Connections that do not come about, in one line for people."""

# What gRPC says of a TLS handshake, and what that means.
_HANDSHAKES = {
    "Hostname Verification": "the certificate that {address} shows is another host's",
    "certificate has expired": "the certificate that {address} shows has expired",
    "CERTIFICATE_VERIFY_FAILED": "the certificate that {address} shows is not of a CA that is trusted here: "
    "is BACKCAST_TLS_CA_FILE the right one?",
    "WRONG_VERSION_NUMBER": "what answers at {address} has no TLS, and BACKCAST_TLS_CA_FILE or BACKCAST_TLS "
    "asks for it",
    "Socket closed": "what answers at {address} closes the connection: does it want TLS "
    "(BACKCAST_TLS_CA_FILE), or a certificate (BACKCAST_TLS_CERT_FILE)?",
}


def not_connected(details: str, service: str, address: str) -> str:
    """Return why there is no connection to `service` at `address`, of which gRPC says `details`."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isdecimal()) or (":" in host and not host.startswith(("[", "dns:"))):
        return f"BACKCAST_{service.upper()}_ADDRESS: {address!r} is not host:port, or [IPv6]:port"
    if "resol" in details:
        return f"BACKCAST_{service.upper()}_ADDRESS: the host of {address!r} is not known here"
    # A connection that is there and breaks off says some of this too.
    if "backends failing" in details:
        for sign, meaning in _HANDSHAKES.items():
            if sign in details:
                return meaning.format(address=address)
    return f"the {service} service does not answer at {address}: is it running there (`backcast up`)?"
