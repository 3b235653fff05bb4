"""Who may reach the page's process, by its settings; and what passes on as metadata."""

from pathlib import Path

import pytest
import trustme
from connectrpc.request import Headers

from backcast_engine.errors import InvalidInput
from services.settings import Settings
from services.web.access import check_access
from services.web.metadata import add_metadata, request_metadata
from tests.security.certificates import Files, make_files

OPEN = "0.0.0.0"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    ca = trustme.CA()
    return make_files(Path(tmp_path_factory.mktemp("pem"), "web"), ca, ca, "127.0.0.1")


def test_this_machine_needs_nothing() -> None:
    assert check_access(Settings()) is False
    assert check_access(Settings(host="::1")) is False


@pytest.mark.parametrize("host", [OPEN, "", "::", "10.1.2.3"])
def test_other_machines_need_tls(host: str) -> None:
    with pytest.raises(
        InvalidInput, match=r"^BACKCAST_HOST: .* can be reached by other machines: set BACKCAST_TLS_CERT_FILE"
    ):
        check_access(Settings(host=host))


def test_other_machines_need_a_gateway_that_asks_for_tokens(files: Files) -> None:
    shown = {"tls_cert_file": files.cert, "tls_key_file": files.key}
    assert check_access(Settings(host=OPEN, **shown)) is True
    # By a proxy on this machine, which has the TLS.
    assert check_access(Settings(web_hosts="page.example")) is True
    assert check_access(Settings(host=OPEN, insecure=True)) is False
    assert check_access(Settings(web_hosts="page.example", insecure=True)) is False


def test_a_certificate_that_cannot_be_used_ends_the_start(files: Files) -> None:
    with pytest.raises(InvalidInput, match=r"^BACKCAST_TLS_KEY_FILE: must be set"):
        check_access(Settings(tls_cert_file=files.cert))


def test_tokens_are_not_sent_on_unencrypted(files: Files) -> None:
    with pytest.raises(
        InvalidInput, match=r"^BACKCAST_TLS_CA_FILE: must be set: tokens are not sent to 10\.1\.1\.1"
    ):
        check_access(Settings(gateway_address="10.1.1.1:50051"))
    assert check_access(Settings(gateway_address="10.1.1.1:50051", tls_ca_file=files.ca)) is False
    assert check_access(Settings(gateway_address="10.1.1.1:50051", insecure=True)) is False


def test_token_and_trace_are_passed_on_and_nothing_else() -> None:
    headers = Headers(
        {
            "authorization": "Bearer backcast_x",
            "traceparent": "00-1-2-01",
            "tracestate": "vendor=1",
            "cookie": "a=b",
            "connection": "upgrade",
            "te": "trailers",
            "grpc-timeout": "1S",
            "x-forwarded-for": "1.2.3.4",
            "host": "127.0.0.1",
        }
    )
    assert dict(request_metadata(headers)) == {
        "authorization": "Bearer backcast_x",
        "traceparent": "00-1-2-01",
        "tracestate": "vendor=1",
    }


def test_a_trace_of_the_page_itself_is_passed_on_in_place_of_the_clients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.web.metadata.outgoing_metadata", lambda: (("traceparent", "00-3-4-01"),))
    headers = Headers({"traceparent": "00-1-2-01", "tracestate": "vendor=1"})
    assert request_metadata(headers) == (("traceparent", "00-3-4-01"),)


OWN_OF_HTTP = [
    *("date", "server", "te", "trailer", "transfer-encoding", "connection", "user-agent", "set-cookie"),
    *("content-type", "content-length", "connect-content-encoding", "connect-protocol-version"),
    *("access-control-allow-origin", "grpc-status", "grpc-encoding", ":status"),
]


def test_what_the_gateway_answers_with_is_passed_on() -> None:
    headers = Headers()
    add_metadata(
        headers,
        [
            ("retry-hint", "soon"),
            ("trace-bin", b"\x00\x01\x02\x03"),
            ("grpc-status-details-bin", b"x"),
        ],
    )
    assert list(headers.allitems()) == [("retry-hint", "soon"), ("trace-bin", "AAECAw")]


@pytest.mark.parametrize("name", OWN_OF_HTTP)
def test_a_header_that_http_has_itself_is_not_taken_from_the_gateway(name: str) -> None:
    headers = Headers()
    add_metadata(headers, [(name, "x")])
    assert list(headers.allitems()) == []
