"""`backcast runs`, `watch` and `cancel`: runs by name."""

import json

import pytest

from tests.cli.conftest import Cli

LIMITED = ("--symbols", "CLIAUSDT,CLIBUSDT")


async def test_a_run_with_a_name_is_listed_and_watched(cli: Cli, imported: list[str]) -> None:
    ran = await cli("run", "rsi", *LIMITED, "--run-id", "by-name", "--cache", "refresh", "--format", "jsonl")
    assert ran.status == 0
    listed = await cli("runs")
    (line,) = (line for line in listed.out.splitlines() if "by-name" in line)
    assert line.split()[:5] == ["by-name", "RunBacktests", "rsi", "anonymous", "completed"]
    watched = await cli("watch", "by-name", "--format", "jsonl")
    assert watched.out == ran.out
    rest = await cli("watch", "by-name", "--after", "2", "--format", "jsonl")
    assert rest.out.splitlines() == ran.out.splitlines()[2:]
    table = await cli("watch", "by-name")
    assert "CLIAUSDT" in table.out
    assert "2 cryptos" in table.out


async def test_a_cancelled_run_says_what_was_done(cli: Cli, imported: list[str]) -> None:
    await cli("run", "rsi", *LIMITED, "--run-id", "over", "--format", "jsonl")
    finished = await cli("cancel", "over")
    assert finished.out == "over had already completed: there is nothing to cancel\n"


async def test_the_cache_obeys_its_mode(cli: Cli, imported: list[str]) -> None:
    asked = ("run", "rsi", *LIMITED, "--param", "period=23", "--format", "jsonl", "--cache")
    first = await cli(*asked, "only")
    assert first.status == 1
    failures = [json.loads(line).get("failure") for line in first.out.splitlines()]
    assert [failure["status"]["message"] for failure in failures if failure] == [
        "its result is not in the cache"
    ] * 2
    for mode, from_cache in (("refresh", 0), ("bypass", 0), ("only", 2), ("default", 2)):
        finished = await cli(*asked, mode)
        assert json.loads(finished.out.splitlines()[-1])["progress"]["from_cache"] == from_cache


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("watch", "nobody"), "there is no run 'nobody', or it is not kept any more"),
        (("cancel", "nobody"), "there is no run 'nobody', or it is not kept any more"),
        (("watch", ""), "RUN_ID: is needed"),
        (("watch", "x", "--after", "99999999999999999999"), "--after: 99999999999999999999 is out of range"),
        (("run", "rsi", "--run-id", "a b"), "--run-id: must be 1 to 64 letters, digits, '-', '_' and '.'"),
    ],
)
async def test_what_is_wrong_ends_in_one_line(cli: Cli, arguments: tuple[str, ...], reason: str) -> None:
    finished = await cli(*arguments)
    assert (finished.status, finished.err) == (1, f"backcast: {reason}\n")
