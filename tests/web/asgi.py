"""Asks an application without a server."""

import asyncio
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp


@dataclass
class Answered:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def answer_of(
    app: "ASGIApp",
    path: str,
    method: str = "GET",
    body: bytes = b"",
    *,
    query: str = "",
    is_whole: bool = True,
    **headers: str,
) -> Answered:
    """Return an application's answer; names of headers have _ for -.

    Of a body that is not whole, nothing comes after `body`.
    """
    answered = Answered()
    named = {"host": "127.0.0.1", **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope: dict[str, Any] = {
        **{"type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": ""},
        **{
            "query_string": query.encode(),
            "scheme": "http",
            "http_version": "1.1",
            "client": ("127.0.0.1", 1),
        },
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }

    parts = [{"type": "http.request", "body": body, "more_body": not is_whole}]

    async def receive() -> dict[str, Any]:
        return parts.pop() if parts else await asyncio.Future()

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answered.status = message["status"]
            answered.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            answered.body += message.get("body", b"")

    await app(scope, receive, send)
    return answered
