"""The view Runs: whose runs one sees, who may watch and cancel them."""

import re
from pathlib import Path

from playwright.async_api import Browser, expect

from services.gateway.auth.tokens import make_token
from services.local.stack import LocalStack
from tests.end_to_end.processes import workers_held
from tests.security.secured import entry
from tests.web.browser.own_page import own_page
from tests.web.browser.tab import Tab, opened

RIGHTS = {"alice": ["run"], "bob": ["run"], "boss": ["run", "admin"]}


async def test_a_run_is_seen_by_its_client_and_by_an_admin_who_watches_and_cancels_it(
    browser: Browser, stack: LocalStack, cryptos: list[str], short_folder: Path, tmp_path: Path
) -> None:
    tokens = {name: make_token() for name in RIGHTS}
    tokens_file = tmp_path / "tokens.toml"
    tokens_file.write_text("".join(entry(name, tokens[name], *rights) for name, rights in RIGHTS.items()))
    async with (
        own_page(browser, stack, short_folder / "clients", tokens_file=tokens_file) as page,
        opened(browser, page.web.address) as bob,
        opened(browser, page.web.address) as boss,
        workers_held(stack),
    ):
        alice = page.tab
        await carry(alice, tokens["alice"])
        await carry(bob, tokens["bob"])
        await carry(boss, tokens["boss"])
        await alice.run(cryptos, **{"p.fast": "9", "p.slow": "44"})
        await expect(alice.progress).to_have_text("0 of 24")
        run_id = alice.run_id

        await bob.show("/runs")
        await expect(bob.says(re.compile("^There is no run."))).to_be_visible()
        await bob.show("/", run=run_id)
        alert = bob.page.get_by_role("alert")
        await expect(alert).to_contain_text(run_id)
        await expect(alert).to_contain_text("It ended some time ago, or belongs to somebody else.")

        await boss.show("/runs")
        row = boss.page.locator(".runs tbody tr")
        await expect(row).to_contain_text("running")
        await expect(row).to_contain_text("alice")
        await expect(row.get_by_role("cell").nth(7)).to_have_text("1")
        await boss.page.get_by_label(f"Watch the run {run_id}").click()
        await expect(boss.progress).to_have_text("0 of 24")
        await boss.page.go_back()
        await expect(row.get_by_role("cell").nth(7)).to_have_text("2")
        await boss.button(f"Cancel the run {run_id}").click()
        await expect(row).to_contain_text("cancelled")
        await expect(alice.says(re.compile("The run was cancelled"))).to_be_visible()


async def carry(tab: Tab, token: str) -> None:
    """Have the tab carry a token, as if it had been entered."""
    await tab.page.add_init_script(f"sessionStorage.setItem('backcast-token', '{token}')")
