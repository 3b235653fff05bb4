"""Files and lists of tokens: which clients they authenticate, and errors, which never contain a secret."""

from pathlib import Path

import pytest

from backcast_engine.errors import InvalidInput
from services.gateway.auth.clients import Client, Right
from services.gateway.auth.token_file import TokenBook, token_book
from services.gateway.auth.tokens import (
    PREFIX,
    Tokens,
    hash_of,
    make_token,
    tokens_from_json,
    tokens_from_toml,
)
from services.settings import load_settings

HASH = hash_of("secret-token")
ENTRY = f'[[tokens]]\nname = "research"\nsha256 = "{HASH}"\nrights = ["run"]\n'


def test_a_token_is_its_clients_and_nobody_elses() -> None:
    limits = "max_runs = 3\nmax_backtests = 10\nmax_backtests_per_request = 5\nmax_symbols_per_request = 2\n"
    other = ENTRY.replace("research", "ops").replace(HASH, hash_of("other")).replace("run", "admin")
    tokens = tokens_from_toml(ENTRY + limits + other, "F")
    assert tokens.client("secret-token") == Client("research", frozenset({Right.RUN}), 3, 10, 5, 2)
    assert tokens.client("other") == Client("ops", frozenset({Right.ADMIN}))
    for nobody in ("", "secret-toke", "secret-token ", HASH, "é\0"):
        assert tokens.client(nobody) is None


def test_a_list_says_the_same_as_a_file() -> None:
    listed = f'[{{"name": "research", "sha256": "{HASH}", "rights": ["run"]}}]'
    assert tokens_from_json(listed, "L") == tokens_from_toml(ENTRY, "F")


def test_tokens_are_random_and_known_for_tokens() -> None:
    made = {make_token() for _ in range(100)}
    assert len(made) == 100
    # 256 bits are 43 characters of 6 bits.
    assert {(token.startswith(PREFIX), len(token)) for token in made} == {(True, len(PREFIX) + 43)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "F: has no token: `backcast token` makes entries"),
        ("tokens = 3", "F: is not a list"),
        ("tokens = [3]", "F: tokens[0]: is not a table with name, sha256 and rights"),
        ("[tokens", "F: is not TOML: "),
        ("tokens=" + 3_000 * "[", "F: is not TOML: "),
        ("[[token]]", "F: has other content than [[tokens]] tables"),
        (ENTRY.replace("research", "a b"), "F: tokens[0].name: "),
        (ENTRY.replace("research", ""), "F: tokens[0].name: "),
        (ENTRY.replace('"research"', "3"), "F: tokens[0].name: "),
        (ENTRY.replace(HASH, "secret-token"), "F: tokens[0].sha256: must be 64 hexadecimal digits"),
        (ENTRY.replace(HASH, HASH.upper()), "F: tokens[0].sha256: must be 64 hexadecimal digits"),
        (ENTRY.replace("run", "root"), "F: tokens[0].rights: must be one or more of run, import and admin"),
        (ENTRY.replace('"run"', ""), "F: tokens[0].rights: "),
        (ENTRY + "max_runs = 0", "F: tokens[0].max_runs: must be a whole number of at least 1"),
        (ENTRY + "max_runs = 1.5", "F: tokens[0].max_runs: "),
        (
            ENTRY + 'secret-token = "x"',
            "F: tokens[0]: has a key that is none of name, sha256, rights, max_runs",
        ),
        (ENTRY.replace("name", "nam"), "F: tokens[0].name: must be 1 to 64 letters"),
        (ENTRY + ENTRY, "F: tokens[1].name: occurs twice"),
        (ENTRY + ENTRY.replace("research", "b"), "F: tokens[1].sha256: occurs twice"),
    ],
)
def test_the_error_of_wrong_tokens_contains_no_secret(text: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        tokens_from_toml(text, "F")
    said = str(caught.value)
    assert said.startswith(reason) or f"; {reason}" in said
    assert "secret-token" not in said
    assert HASH not in said


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, "[{]", '"secret-token"', "[]", "1" * 5000])
def test_a_malformed_token_list_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^L: ") as caught:
        tokens_from_json(text, "L")
    assert "secret" not in str(caught.value)


def book(monkeypatch: pytest.MonkeyPatch, **variables: str) -> TokenBook | None:
    for name, value in variables.items():
        monkeypatch.setenv(f"BACKCAST_{name}", value)
    return token_book(load_settings())


def test_without_tokens_there_is_no_book(monkeypatch: pytest.MonkeyPatch) -> None:
    assert book(monkeypatch) is None


def test_tokens_come_from_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^BACKCAST_TOKENS: is set beside BACKCAST_TOKENS_FILE"):
        book(monkeypatch, TOKENS="[]", TOKENS_FILE=str(tmp_path / "f"))


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b""], ids=["none", "binary", "empty"])
def test_a_gateway_does_not_start_without_its_configured_tokens(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "tokens.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"^BACKCAST_TOKENS_FILE: "):
        book(monkeypatch, TOKENS_FILE=str(file))


def test_a_file_is_read_once_while_it_is_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text(ENTRY)
    tokens = book(monkeypatch, TOKENS_FILE=str(file))
    assert tokens
    reads: list[Path] = []

    def read(path: Path) -> Tokens:
        reads.append(path)
        return Tokens([])

    monkeypatch.setattr("services.gateway.auth.token_file._read", read)
    assert tokens.client("secret-token")
    assert reads == []
    file.write_text(ENTRY + "\n")
    for _ in range(3):
        assert tokens.client("secret-token") is None
    assert reads == [file]
