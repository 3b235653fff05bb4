"""Handlers as interceptors wrap them."""

from typing import TYPE_CHECKING, Any

import grpc

from services.rpc.handlers import WrappedHandlers, behaviour_of, wrapped

if TYPE_CHECKING:
    from services.rpc.handlers import Handler


def handler_of(answer: str) -> "Handler":
    return grpc.unary_unary_rpc_method_handler(lambda _, __: answer)


def answer_of(handler: "Handler") -> Any:
    return behaviour_of(handler)(None, None)


class Naming:
    """Wraps handlers so that their answers begin with the method, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, method: str, handler: "Handler") -> "Handler":
        self.count += 1
        return wrapped(
            handler, lambda behaviour: lambda *of: f"{method} {behaviour(*of)}", lambda stream: stream
        )


def test_the_handler_of_a_method_is_wrapped_once() -> None:
    handlers = {"/A/One": handler_of("one"), "/A/Two": handler_of("two")}
    wrapped_handlers = WrappedHandlers(naming := Naming())
    for _ in range(3):
        answers = [answer_of(wrapped_handlers.of(method, handler)) for method, handler in handlers.items()]
        assert answers == ["/A/One one", "/A/Two two"]
    assert naming.count == 2


def test_another_handler_of_a_method_is_wrapped_too() -> None:
    serving, refusing = handler_of("served"), handler_of("refused")
    wrapped_handlers = WrappedHandlers(Naming())
    for handler, answer in ((serving, "served"), (refusing, "refused"), (serving, "served")):
        assert answer_of(wrapped_handlers.of("/A/One", handler)) == f"/A/One {answer}"
