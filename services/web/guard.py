"""What every request has to pass, and the headers that every response has.

A page of another site must not reach the gateway through the browser of somebody who may: so neither a name
that only pretends to be this server (DNS rebinding) nor a foreign page is served.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from connectrpc.code import Code
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from services.domain.addresses import bare_host, host_of, is_loopback_name
from services.web.errors import error_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEALTH_PATH = "/healthz"

_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SECURITY_HEADERS = {
    "Content-Security-Policy": _CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses requests for foreign hosts and from foreign pages; `hosts` are names besides the loopback's."""

    def __init__(self, app: "ASGIApp", hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = {bare_host(host).lower() for host in hosts}

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve a request, or refuse it."""

        async def send_with_headers(message: "Message") -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
            await send(message)

        answer = self._refusal(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _refusal(self, scope: "Scope") -> Response | None:
        headers = Headers(scope=scope)
        if not all(value.isascii() and value.decode().isprintable() for _, value in scope["headers"]):
            return _refused(scope, 400, "a header has a character that is not one of printable ASCII")
        # Probes call a pod or container by its IP address; the answer to them reveals nothing.
        if scope["path"] != HEALTH_PATH and not self._is_ours(headers.get("host", "")):
            return _refused(
                scope,
                421,
                f"this is not the host {headers.get('host', '')!r}: name it in BACKCAST_WEB_HOSTS, or call "
                "127.0.0.1",
            )
        if scope["method"] not in ("GET", "HEAD") and _is_foreign(headers):
            return _refused(scope, 403, "pages of other sites may not call this one")
        return None

    def _is_ours(self, host: str) -> bool:
        name = host_of(host).lower()
        return is_loopback_name(name) or name in self._hosts


def _is_foreign(headers: Headers) -> bool:
    """Return whether a page of another origin sent a request; programs other than browsers do not say."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    # Without the scheme, which a proxy in front may change.
    return origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower()


def _refused(scope: "Scope", status: int, message: str) -> Response:
    if scope["method"] in ("GET", "HEAD"):
        return Response(message + "\n", status, media_type="text/plain")
    return error_response(status, Code.PERMISSION_DENIED, message)
