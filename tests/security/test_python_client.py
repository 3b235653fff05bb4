"""The Python client and secured services: TLS on one side only; tokens missing, wrong or too weak."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import backcast
from backcast.errors import (
    AuthenticationError,
    BackcastError,
    ConnectionFailedError,
    InvalidRequestError,
    PermissionDeniedError,
)
from services.local.stack import LocalStack
from tests.security.certificates import make_files
from tests.security.secured import Secured


@pytest.fixture
def listed(secured: Secured) -> Callable[..., Any]:
    """Lists the cryptos by a client that is given these arguments."""

    def cryptos(address: str = secured.stack.gateway_address, **arguments: Any) -> Any:
        with backcast.connect(address, frames="numpy", **arguments) as client:
            return client.cryptos()

    return cryptos


def test_a_token_and_the_right_ca_open_the_gateway(secured: Secured, listed: Callable[..., Any]) -> None:
    assert "symbol" in listed(tls=secured.files.ca, token=secured.tokens["run"])


def test_the_environment_has_what_is_not_given(
    secured: Secured, listed: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKCAST_TLS_CA_FILE", str(secured.files.ca))
    monkeypatch.setenv("BACKCAST_TOKEN", secured.tokens["run"])
    monkeypatch.setenv("BACKCAST_GATEWAY_ADDRESS", secured.stack.gateway_address)
    assert "symbol" in listed(None)


@pytest.mark.parametrize(("token", "reason"), [(None, "TOKEN_MISSING"), ("0" * 43, "TOKEN_UNKNOWN")])
def test_without_a_right_token_nothing_opens(
    secured: Secured, listed: Callable[..., Any], token: str | None, reason: str
) -> None:
    with pytest.raises(AuthenticationError) as refused:
        listed(tls=secured.files.ca, token=token)
    assert refused.value.reason == reason


async def test_a_token_without_the_right_is_denied(secured: Secured) -> None:
    def run() -> None:
        with backcast.connect(
            secured.stack.gateway_address,
            tls=secured.files.ca,
            token=secured.tokens["import"],
            frames="numpy",
        ) as client:
            client.run(backcast.Rsi())

    with pytest.raises(PermissionDeniedError) as refused:
        await asyncio.to_thread(run)
    assert refused.value.metadata["rights"]


def test_the_error_of_a_client_without_tls_says_that_the_server_may_require_it(
    secured: Secured, listed: Callable[..., Any]
) -> None:
    with pytest.raises(ConnectionFailedError, match="does it require TLS"):
        listed()


def test_a_server_without_tls_is_named(
    secured: Secured, stack: LocalStack, listed: Callable[..., Any]
) -> None:
    with pytest.raises(ConnectionFailedError, match="has no TLS"):
        listed(stack.gateway_address, tls=secured.files.ca)


def test_a_certificate_of_another_ca_is_named(
    secured: Secured, listed: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    import trustme

    other = trustme.CA()
    files = make_files(tmp_path_factory.mktemp("other") / "pem", other, other, "127.0.0.1")
    with pytest.raises(ConnectionFailedError, match="not signed by a trusted CA"):
        listed(tls=files.ca)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"token": "two words"}, "token"),
        ({"tls": "no-such-file.pem"}, "tls"),
        ({"certificate": ("cert.pem", "key.pem")}, "certificate"),
        ({"timeout": -1}, "timeout"),
    ],
)
def test_a_bad_argument_is_named_before_anything_is_called(arguments: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        backcast.connect("127.0.0.1:9", **arguments)
    assert refused.value.field == field
    assert isinstance(refused.value, BackcastError)


def test_a_token_is_not_sent_in_plaintext_to_another_machine() -> None:
    with pytest.raises(InvalidRequestError, match=r"is not sent to backcast\.example:50051 without TLS"):
        backcast.connect("backcast.example:50051", token="0" * 43)


def test_a_token_is_in_no_text_of_a_client() -> None:
    client = backcast.connect("127.0.0.1:9", token="0" * 43)
    assert "0" * 43 not in repr(client) + repr(client._connection)
    client.close()
