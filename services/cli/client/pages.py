"""Lists that come page by page."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


async def pages_of(
    method: Callable[[_Request], Awaitable[_Response]], request: Any
) -> AsyncGenerator[_Response]:
    """Yield every page of the list that `request` asks for, from its `page_token` on."""
    while True:
        page: Any = await method(request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token
