"""What is drawn: a long table, a long chart, and a large heat map."""

from dataclasses import dataclass

from tests.bench.page.browser import Tab
from tests.bench.page.stand_ins import results_stream, sweep_stream

ROWS = 5_000
CANDLES = 43_800
LONG = "LONGUSDT"
# About a thousand trades on the candles of a random walk.
_CROSSINGS = {"strategy": "ma_cross", "p.fast": "6", "p.slow": "30"}
_METHOD = "backcast.gateway.v1.BacktestService"

_SCROLL = "(frame) => { document.querySelector('.results .grid').scrollTop = frame * 90; }"
_PAN_BY_KEYS = """(frame) => {
  const key = frame % 40 < 20 ? "ArrowLeft" : "ArrowRight";
  const pressed = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true });
  document.querySelector(".chart-frame").dispatchEvent(pressed);
}"""
_DRAG = """(() => {
  const { left, top } = document.querySelector(".chart-host").getBoundingClientRect();
  const target = document.elementFromPoint(left + 300, top + 100);
  const send = (to, type, x) => to.dispatchEvent(new MouseEvent(type, {
    bubbles: true, cancelable: true, view: window, button: 0, buttons: 1, clientX: x, clientY: top + 100,
    screenX: x, screenY: top + 100 }));
  send(target, "mousedown", left + 300);
  return (frame) => send(document.documentElement, "mousemove", left + 300 + 200 * Math.sin(frame / 20));
})()"""
_ZOOM_IN = """() => {
  const frame = document.querySelector(".chart-frame");
  for (let times = 0; times < 9; times++)
    frame.dispatchEvent(new KeyboardEvent("keydown", { key: "+", bubbles: true, cancelable: true }));
}"""
_OTHER_METRIC = """async () => {
  const field = [...document.querySelectorAll("select")].find((one) =>
    [...one.options].some(({ value }) => value === "total_return") && one.closest(".sweep-choices"));
  field.value = field.value === "total_return" ? "sharpe_ratio" : "total_return";
  field.dispatchEvent(new Event("change", { bubbles: true }));
  field.dispatchEvent(new Event("input", { bubbles: true }));
  await new Promise((done) => setTimeout(done));
}"""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One sample of each: frames per second, and seconds."""

    scroll_fps: float
    chart_s: float
    trades: int
    pan_all_fps: float
    drag_all_fps: float
    pan_part_fps: float
    drag_part_fps: float
    sweep_s: float
    map_s: float


async def measure_drawing(tab: Tab) -> Drawing:
    """Measure everything once; the crypto LONG has CANDLES candles."""
    scroll_fps = await _scrolled(tab)
    chart_s, trades = await _chart_drawn(tab)
    whole = await tab.frames_per_second(_PAN_BY_KEYS), await tab.frames_per_second(_DRAG)
    await tab.page.evaluate(_ZOOM_IN)
    part = await tab.frames_per_second(_PAN_BY_KEYS), await tab.frames_per_second(_DRAG)
    sweep_s, map_s = await _mapped(tab)
    return Drawing(scroll_fps, chart_s, trades, *whole, *part, sweep_s, map_s)


async def _scrolled(tab: Tab) -> float:
    async with tab.answering(f"{_METHOD}/RunBacktests", results_stream(ROWS)):
        await tab.show("/", strategy="rsi")
        await tab.press_and_time("Run", ROWS)
    return await tab.frames_per_second(_SCROLL)


async def _chart_drawn(tab: Tab) -> tuple[float, int]:
    """Return the seconds from the last of the data to the chart, and the number of trades."""
    window = {"start": "2021-01-01", "end": "2025-12-31"}
    await tab.show("/crypto", symbol=LONG, **_CROSSINGS, **window)
    drawn_s = await tab.seen("chart") - await tab.loaded("StreamSeries")
    heading = await tab.page.locator("#trades").inner_text()
    return drawn_s, int(heading.split()[0].replace(",", ""))


async def _mapped(tab: Tab) -> tuple[float, float]:
    """Return the seconds from the click to the map of a new sweep, and to that of another metric."""
    async with tab.answering(f"{_METHOD}/SweepBacktests", sweep_stream()):
        await tab.show("/sweep", strategy="ma_cross", **{"p.fast": "2..101", "p.slow": "110..209"})
        await tab.page.get_by_role("button", name="Sweep", exact=True).click()
        sweep_s = await tab.seen("map")
    return sweep_s, await tab.time(_OTHER_METRIC)
