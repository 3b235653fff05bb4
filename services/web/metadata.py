"""What passes between HTTP headers and gRPC's metadata."""

from collections.abc import Iterable, Mapping

from connectrpc.request import Headers

from services.rpc.channel import outgoing_metadata
from services.web.errors import base64_of

_TRACE_KEYS = ("traceparent", "tracestate")
# Of HTTP and of gRPC itself, which the response has in its own way.
_RESERVED_PREFIXES = (":", "grpc-", "content-", "connect-", "access-control-")
_RESERVED = {"date", "server", "te", "trailer", "transfer-encoding", "connection", "user-agent", "set-cookie"}


def request_metadata(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the metadata of the gateway's call: the client's token, the run id, and the trace."""
    own = outgoing_metadata()
    passed = ["authorization", *(() if any(key in _TRACE_KEYS for key, _ in own) else _TRACE_KEYS)]
    return (*((key, headers[key]) for key in passed if key in headers), *own)


def add_metadata(headers: Headers, metadata: Iterable[tuple[str, str | bytes]] | None) -> None:
    """Add the metadata that the gateway answered with to `headers`."""
    for key, value in metadata or ():
        if key in _RESERVED or key.startswith(_RESERVED_PREFIXES):
            continue
        headers.add(key, base64_of(value) if isinstance(value, bytes) else value)
