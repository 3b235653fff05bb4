"""Settings that do not fit are named at the start, by the variable, in one line: nothing is served."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
import trustme

from tests.security.certificates import Files, make_files

# Services that do not start still take seconds.
pytestmark = pytest.mark.servers

SERVICES = ("data", "compute", "gateway")
# No server is asked: the error comes before.
ELSEWHERE = {
    "BACKCAST_DATABASE_URL": "postgresql://127.0.0.1:1/",
    "BACKCAST_REDIS_URL": "redis://127.0.0.1:1",
}


@pytest.fixture(scope="module")
def files(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Files:
    return make_files(tmp_path_factory.mktemp("files") / "pem", ca, ca, "127.0.0.1")


async def refusal(service: str, **variables: str | Path) -> str:
    """What `backcast serve` says when it does not start."""
    environment = {**os.environ, **ELSEWHERE, f"BACKCAST_{service.upper()}_PORT": "0"}
    environment |= {f"BACKCAST_{name}": str(value) for name, value in variables.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli.main", "serve", service),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    (line,) = err.decode().splitlines()
    event: str = json.loads(line)["event"]
    return event


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_without_locks_listens_on_this_machine_only(service: str) -> None:
    said = await refusal(service, HOST="0.0.0.0")
    assert said.startswith(
        "BACKCAST_HOST: '0.0.0.0' can be reached by other machines: set BACKCAST_TLS_CERT_FILE, _KEY_FILE"
    )
    assert said.endswith("or listen on 127.0.0.1; BACKCAST_INSECURE=1 allows calls of everybody")


async def test_a_gateway_with_tls_alone_lets_strangers_in(files: Files) -> None:
    said = await refusal("gateway", HOST="::", TLS_CERT_FILE=files.cert, TLS_KEY_FILE=files.key)
    assert said.startswith("BACKCAST_HOST: '::' can be reached by other machines")


async def test_tokens_in_the_clear_are_no_lock() -> None:
    tokens = '[{"name": "a", "sha256": "' + "0" * 64 + '", "rights": ["run"]}]'
    said = await refusal("gateway", HOST="0.0.0.0", TOKENS=tokens)
    assert said.startswith("BACKCAST_HOST: '0.0.0.0' can be reached by other machines")


async def test_what_is_wrong_with_files_is_named(files: Files, ca: trustme.CA, tmp_path: Path) -> None:
    cert, key, ca_file = files.cert, files.key, files.ca
    junk = tmp_path / "junk.pem"
    junk.write_bytes(b"\xff not PEM")
    other = make_files(tmp_path / "other", ca, ca, "127.0.0.1")
    nowhere = tmp_path / "nowhere.pem"
    cert_is, key_is, ca_is = "BACKCAST_TLS_CERT_FILE: ", "BACKCAST_TLS_KEY_FILE: ", "BACKCAST_TLS_CA_FILE: "
    cases: list[tuple[str, dict[str, Path | str], str]] = [
        ("data", {"TLS_CERT_FILE": cert, "TLS_KEY_FILE": key}, f"{ca_is}must be set too"),
        ("compute", {"TLS_CERT_FILE": cert, "TLS_CA_FILE": ca_file}, f"{key_is}must be set too"),
        ("data", {"TLS_KEY_FILE": key, "TLS_CA_FILE": ca_file}, f"{cert_is}must be set too"),
        ("gateway", {"TLS_CA_FILE": ca_file}, f"{cert_is}must be set too"),
        ("gateway", {"GATEWAY_CLIENT_CERTIFICATES": "1"}, f"{cert_is}must be set for"),
        (
            "gateway",
            {"GATEWAY_CLIENT_CERTIFICATES": "1", "TLS_CERT_FILE": cert, "TLS_KEY_FILE": key},
            f"{ca_is}must be set too",
        ),
        (
            "data",
            {"TLS_CERT_FILE": nowhere, "TLS_KEY_FILE": key},
            f"{cert_is}{nowhere} cannot be read: No such",
        ),
        (
            "data",
            {"TLS_CERT_FILE": cert, "TLS_KEY_FILE": tmp_path},
            f"{key_is}{tmp_path} cannot be read: Is a",
        ),
        ("data", {"TLS_CERT_FILE": junk, "TLS_KEY_FILE": key}, f"{cert_is}there is no certificate in PEM in"),
        ("data", {"TLS_CERT_FILE": key, "TLS_KEY_FILE": key}, f"{cert_is}there is no certificate in PEM in"),
        ("data", {"TLS_CERT_FILE": cert, "TLS_KEY_FILE": junk}, f"{key_is}there is no private key in PEM in"),
        ("data", {"TLS_CERT_FILE": cert, "TLS_KEY_FILE": other.key}, f"{key_is}is not the key of the"),
        (
            "compute",
            {"TLS_CERT_FILE": cert, "TLS_KEY_FILE": key, "TLS_CA_FILE": junk},
            f"{ca_is}there is no certificate in PEM in",
        ),
        ("gateway", {"TOKENS_FILE": nowhere}, f"BACKCAST_TOKENS_FILE: {nowhere} cannot be read"),
        ("gateway", {"TOKENS": "secret-token"}, "BACKCAST_TOKENS: is not JSON"),
        ("gateway", {"HOST": "no such host"}, "BACKCAST_HOST: the host 'no such host' is not known here"),
        ("gateway", {"INSECURE": "maybe"}, "BACKCAST_INSECURE: must be 1 or 0, not 'maybe'"),
    ]
    # Half a second each: as many at once as there are cores.
    at_once = asyncio.Semaphore(2)

    async def said(service: str, variables: dict[str, Path | str]) -> str:
        async with at_once:
            return await refusal(service, **variables)

    lines = await asyncio.gather(*(said(service, variables) for service, variables, _ in cases))
    for line, (_, variables, reason) in zip(lines, cases, strict=True):
        assert line.startswith(reason), variables
        assert "secret" not in line


async def test_a_key_with_a_password_is_refused(files: Files, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    key = load_pem_private_key(files.key.read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"password"))
    )
    said = await refusal("data", TLS_CERT_FILE=files.cert, TLS_KEY_FILE=locked, TLS_CA_FILE=files.ca)
    assert said == f"BACKCAST_TLS_KEY_FILE: the key in {locked} has a password: a key without one is needed"
