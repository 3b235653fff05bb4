"""The form of the view Run: the choice of cryptos, and the execution that is folded away."""

import re

from playwright.async_api import expect

from tests.web.browser.tab import Tab


async def test_all_cryptos_are_run_or_those_that_are_searched_for_and_chosen(
    tab: Tab, cryptos: list[str]
) -> None:
    field = tab.page.get_by_label("Cryptos", exact=True)
    found = tab.page.get_by_role("list", name="Cryptos found").get_by_role("button")
    chosen = tab.page.get_by_role("list", name="Chosen cryptos").get_by_role("button", name="Remove")
    await tab.show("/", strategy="ma_cross")
    await expect(field).to_have_attribute("placeholder", re.compile(r"^all \d+: type to choose$"))
    await field.fill("nothing of the kind")
    await expect(tab.says('No crypto has "nothing of the kind" in its symbol.')).to_be_visible()
    await field.fill("tab0")
    await expect(found).to_have_text(["Take all 10", *cryptos[:10]])
    await field.press("Enter")
    await expect(chosen).to_have_text([re.compile(cryptos[0])])
    await field.fill("b1")
    for symbol in (cryptos[12], cryptos[13]):
        await found.filter(has_text=symbol).click()
        await expect(found.filter(has_text=symbol)).to_have_attribute("aria-pressed", "true")
    await found.filter(has_text=cryptos[12]).click()
    await field.fill("tab2")
    await found.filter(has_text="Take all 4").click()
    await field.fill(f"{cryptos[5]}, {cryptos[6]}")
    await field.press("Enter")
    await field.press("Backspace")
    await tab.button(f"Remove {cryptos[0]}").click()
    expected = [cryptos[13], *cryptos[20:24], cryptos[5]]
    await expect(chosen).to_have_text([re.compile(symbol) for symbol in expected])
    await tab.button("Run").click()
    await tab.until_done(6)
    assert sorted(await tab.column()) == sorted(expected)
    await tab.button("all of them").click()
    await expect(chosen).to_have_count(0)
    assert "symbols=" not in tab.page.url


async def test_the_execution_is_folded_away_until_it_is_wanted_or_wrong(tab: Tab, cryptos: list[str]) -> None:
    fold = tab.page.locator("summary").filter(has_text="Execution")
    fee = tab.page.get_by_label("Fee", exact=True)
    await tab.show("/", strategy="ma_cross", symbols=cryptos[0])
    await expect(fold).to_have_text("Execution long only, fee 0.1 %")
    await expect(fee).to_be_hidden()
    await fold.click()
    await fee.fill("0.25%")
    await fold.click()
    await expect(fee).to_be_hidden()
    await expect(fold).to_have_text("Execution fee 0.25%")
    await tab.show("/", strategy="ma_cross", symbols=cryptos[0], fee="a quarter")
    await expect(fee).to_have_attribute("aria-invalid", "true")
    await expect(fee).to_be_visible()
