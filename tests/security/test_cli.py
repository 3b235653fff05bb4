"""The command as a client of secured services: its error messages, which never contain a secret."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
import trustme

from services.feed.exchanges.all_exchanges import EXCHANGES
from services.gateway.auth.tokens import PREFIX, hash_of, make_token, tokens_from_toml
from tests.cli.conftest import Finished, write_csv
from tests.feed.stand_in import Served, StandIn, serving
from tests.feed.virtual_clock import VirtualClock
from tests.security.certificates import make_files
from tests.security.secured import Secured


async def backcast(*arguments: object, **variables: object) -> Finished:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.cli.main", *map(str, arguments)),
        env={**os.environ, **{f"BACKCAST_{name}": str(value) for name, value in variables.items()}},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Finished(process.returncode or 0, out.decode(), err.decode())


async def test_one_address_and_one_token_are_enough_for_all_commands(
    secured: Secured, tmp_path: Path
) -> None:
    place = {"GATEWAY_ADDRESS": secured.stack.gateway_address, "TLS_CA_FILE": secured.files.ca}
    file = write_csv(tmp_path / "SECUREDUSDT.csv", 3)
    imported = await backcast("import", file, TOKEN=secured.tokens["import"], **place)
    assert imported.out.startswith("SECUREDUSDT: 500 written")
    checked = await backcast("data", "check", "SECUREDUSDT", TOKEN=secured.tokens["run"], **place)
    assert "1 crypto, 500 hourly candles" in checked.out
    ran = await backcast("run", "rsi", "--symbols", "SECUREDUSDT", TOKEN=secured.tokens["run"], **place)
    assert ran.status == 0
    assert "1 of 1 in" in ran.out


async def test_the_command_reports_missing_credentials_in_one_line(
    secured: Secured, tmp_path: Path, ca: trustme.CA
) -> None:
    gateway = secured.stack.gateway_address
    place = {"GATEWAY_ADDRESS": gateway, "TLS_CA_FILE": secured.files.ca}
    run, wrong = secured.tokens["run"], make_token()
    other_ca = make_files(tmp_path / "other", trustme.CA(), ca, "127.0.0.1").ca
    file = write_csv(tmp_path / "AUSDT.csv", 3)
    cases: list[tuple[list[object], dict[str, object], str]] = [
        (["cryptos"], place, "the gateway requires a token: set BACKCAST_TOKEN"),
        (
            ["cryptos"],
            place | {"TOKEN": wrong},
            "the gateway does not know this token: is BACKCAST_TOKEN",
        ),
        (["cryptos"], place | {"TOKEN": "two words"}, "BACKCAST_TOKEN: is not a token"),
        (["import", file], place | {"TOKEN": run}, "the token the-run lacks the right import"),
        (
            ["cryptos"],
            {"TOKEN": run, "GATEWAY_ADDRESS": "192.0.2.1:50051"},
            "BACKCAST_TOKEN: is not sent to 192.0.2.1:50051 without TLS: set BACKCAST_TLS_CA_FILE",
        ),
        (
            ["cryptos"],
            {"TOKEN": run, "GATEWAY_ADDRESS": gateway},
            f"the server at {gateway} closes the connection: does it require TLS (BACKCAST_TLS_CA_FILE)",
        ),
        (
            ["cryptos"],
            place | {"TOKEN": run, "TLS_CA_FILE": other_ca},
            f"the certificate that {gateway} shows was not signed by a trusted CA",
        ),
        (
            ["cryptos"],
            {"TOKEN": run, "GATEWAY_ADDRESS": gateway, "TLS": 1},
            f"the certificate that {gateway} shows was not signed by a trusted CA",
        ),
    ]
    for arguments, variables, reason in cases:
        finished = await backcast(*arguments, **variables)
        (line,) = (finished.out + finished.err).splitlines()
        assert line.startswith(f"backcast: {reason}")
        assert finished.status == 1
        for secret in (run, wrong, hash_of(run)):
            assert secret not in line


async def test_a_fetch_without_the_right_to_import_ends_at_once(secured: Secured) -> None:
    records = {1_577_836_800 + 3600 * hour: (1_577_836_800 + 3600 * hour, *"22221") for hour in range(30)}
    served = {f"SECF{number}USDT": Served("", records) for number in range(30)}
    stand_in = StandIn(EXCHANGES["binance"], VirtualClock(1_577_836_800 + 3600 * 30), served)
    with serving(stand_in):
        finished = await backcast(
            *("fetch", "binance", "--quote", "USDT", "--since", "2020-01-01", "--url", stand_in.base_url),
            TOKEN=secured.tokens["run"],
            GATEWAY_ADDRESS=secured.stack.gateway_address,
            TLS_CA_FILE=secured.files.ca,
        )
    assert (finished.status, finished.err) == (1, "backcast: the token the-run lacks the right import\n")
    # Requests that were on their way, and no more.
    assert len(stand_in.windows()) < len(served)


async def test_a_token_is_made_and_its_entry_can_be_appended() -> None:
    made = await backcast("token", "research", "--rights", "run, import")
    assert made.status == 0
    (token,) = (word for word in made.err.split() if word.startswith(PREFIX))
    assert token not in made.out
    client = tokens_from_toml(made.out, "F").client(token)
    assert client
    assert (client.name, sorted(client.rights)) == ("research", ["import", "run"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["two words"], "NAME: must be 1 to 64 letters, digits, dots, dashes and underscores"),
        (["x", "--rights", "root"], "--rights: must be one or more of run, import and admin"),
        (["x", "--rights", ""], "--rights: must be one or more of run, import and admin"),
    ],
)
async def test_a_token_for_nobody_or_nothing_is_refused(arguments: list[str], said: str) -> None:
    made = await backcast("token", *arguments)
    assert (made.status, made.out, made.err) == (1, "", f"backcast: {said}\n")
