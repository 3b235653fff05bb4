"""Tabs of headless Chromium, and what is measured inside of them by the browser's own clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from playwright.async_api import Browser, Page, Route

from tests.bench.timing import Timing

_WIDTH, _HEIGHT = 1280, 800
_FRAMES_S = 2.0

# Times from a click on a button (or else from the start of the page) to what is in the DOM and painted. What
# changes the page is seen at once; a task after the frame that paints it ends the time, never too early.
_STOPWATCH = """
window.stopwatch = { clicked: 0, rows: 0, seen: {} };
addEventListener("click", (event) => {
  if (!event.target.closest("button.primary")) return;
  const before = document.querySelector(".results");
  window.stopwatch = { rows: stopwatch.rows, clicked: event.timeStamp, seen: {}, before };
}, true);
// What is drawn in a frame is painted with it; what is drawn between two frames, with the next one.
const { port1, port2 } = new MessageChannel();
let inFrame = false;
const [waiting, drawn] = [[], []];
const frame = () => {
  inFrame = true;
  drawn.push(...waiting.splice(0));
  port2.postMessage(0);
  requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
port1.onmessage = () => {
  inFrame = false;
  for (const end of drawn.splice(0)) end();
};
const painted = (name) => {
  const { seen, clicked } = stopwatch;
  if (seen[name] !== undefined) return;
  seen[name] = 0;
  (inFrame ? drawn : waiting).push(() => { seen[name] = performance.now() - clicked; });
};
new MutationObserver(() => {
  const results = document.querySelector(".results");
  // The results of the run before may still be there.
  if (results && results !== stopwatch.before) {
    if (results.querySelector(".grid-row.opens")) painted("first");
    const count = results.querySelector(".grid")?.getAttribute("aria-rowcount");
    if (Number(count) === stopwatch.rows + 1) painted("all");
  }
  if (document.querySelector(".heat-map canvas")) painted("map");
  if (document.querySelector(".chart-host canvas")) painted("chart");
}).observe(document, { subtree: true, childList: true, attributeFilter: ["aria-rowcount"] });
"""

_SEEN = """
(name) => new Promise((done) => {
  const look = () => stopwatch.seen[name] ? done(stopwatch.seen[name]) : setTimeout(look, 10);
  look();
})
"""

_LOADED = """
(name) => performance.getEntriesByType("resource").filter((one) => one.name.endsWith(name)).at(-1).responseEnd
"""

# Calls STEP in every frame, and counts the frames.
_FRAMES = """
async (milliseconds) => {
  const move = STEP;
  const times = [];
  await new Promise((done) => {
    const frame = (now) => {
      times.push(now);
      if (now - times[0] >= milliseconds) return done();
      move(times.length);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  return (times.length - 1) / (times.at(-1) - times[0]) * 1000;
}
"""


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab with the page in it, at `url`."""

    page: Page
    url: str

    async def show(self, path: str, **query: str) -> None:
        """Open a view anew, and wait until it has asked for all that it needs."""
        words = "&".join(f"{name}={value}" for name, value in query.items())
        await self.page.goto(f"{self.url}{path}?{words}", wait_until="networkidle")

    async def press_and_time(self, button: str, rows: int) -> Timing:
        """Press a button, and return the time until the first and until this number of rows are painted."""
        await self.page.evaluate("(rows) => { stopwatch.rows = rows; stopwatch.seen = {}; }", rows)
        place = await self.page.get_by_role("button", name=button, exact=True).bounding_box()
        assert place
        # As a mouse does it: the click of a locator first asks the page what is below the pointer.
        await self.page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        return Timing(await self.seen("all"), await self.seen("first"))

    async def seen(self, name: str) -> float:
        """Return the seconds from the click, or else the start of the page, until this was painted."""
        return float(await self.page.evaluate(_SEEN, name)) / 1000

    async def loaded(self, name: str) -> float:
        """Return the seconds from the start of the page until the last response of this method had come."""
        return float(await self.page.evaluate(_LOADED, name)) / 1000

    async def frames_per_second(self, step: str) -> float:
        """Do `step` (a function of JavaScript) in every frame for a while; return the frames per second."""
        # The page's policy allows no code made of text: this is part of the script.
        return float(await self.page.evaluate(_FRAMES.replace("STEP", step), 1000 * _FRAMES_S))

    async def time(self, script: str) -> float:
        """Return the seconds that `script` takes, with the frame that shows what it changed."""
        timed = f"""async () => {{
          const began = performance.now();
          await ({script})();
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
          return performance.now() - began;
        }}"""
        return float(await self.page.evaluate(timed)) / 1000

    @asynccontextmanager
    async def answering(self, method: str, body: bytes) -> AsyncIterator[Self]:
        """Let calls of a method get a body of gRPC-Web that was made here."""

        async def answer(route: Route) -> None:
            await route.fulfill(content_type="application/grpc-web+proto", body=body)

        await self.page.route(f"**/{method}", answer)
        try:
            yield self
        finally:
            await self.page.unroute(f"**/{method}")


@asynccontextmanager
async def open_tab(browser: Browser, url: str) -> AsyncIterator[Tab]:
    """Open a tab without a cache or a session of others, as large as a small screen."""
    context = await browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT})
    try:
        page = await context.new_page()
        await page.add_init_script(_STOPWATCH)
        yield Tab(page, url)
    finally:
        await context.close()


@dataclass(frozen=True, slots=True)
class EmptyPage:
    """The floor: a page of the same server that counts the messages of a stream, and shows nothing."""

    page: Page

    async def timed_stream(self, method: str, request: bytes) -> tuple[Timing, int]:
        """Call a method; return the time until the first result and the end, and the number of bytes."""
        found: Any = await self.page.evaluate(_COUNT, [method, list(request)])
        return Timing(found["all"] / 1000, found["first"] / 1000), int(found["bytes"])


# The first message says that the run has begun; the second one has the first result.
_COUNT = """
async ([method, request]) => {
  const body = new Uint8Array(5 + request.length);
  new DataView(body.buffer).setUint32(1, request.length);
  body.set(request, 5);
  const began = performance.now();
  const headers = { "content-type": "application/grpc-web+proto", "x-grpc-web": "1" };
  const response = await fetch(method, { method: "POST", headers, body });
  const reader = response.body.getReader();
  let [left, head, messages, first, bytes] = [0, [], 0, 0, 0];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    bytes += value.length;
    for (let at = 0; at < value.length; ) {
      if (left > 0) {
        const taken = Math.min(left, value.length - at);
        left -= taken;
        at += taken;
      } else {
        head.push(value[at++]);
        if (head.length < 5) continue;
        left = new DataView(Uint8Array.from(head).buffer).getUint32(1);
        head = [];
        messages += 1;
        if (messages === 2) first = performance.now() - began;
      }
    }
  }
  return { first, all: performance.now() - began, bytes };
}
"""


@asynccontextmanager
async def open_empty_page(browser: Browser, url: str) -> AsyncIterator[EmptyPage]:
    """Open the floor's page."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        address = f"{url}/floor"
        await page.route(
            address, lambda route: route.fulfill(content_type="text/html", body="<title>floor</title>")
        )
        await page.goto(address)
        # An interception that stays would slow the calls down.
        await page.unroute(address)
        yield EmptyPage(page)
    finally:
        await context.close()
