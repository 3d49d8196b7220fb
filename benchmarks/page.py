"""How fast the page opens and draws: twelve panels, every control. Prints tables; asserts nothing. `make bench-page`

The first table is of a first visit: first contentful paint, and the bytes that came, headers included.

`draw` is the time in which the page itself works for one change, from the control's event to the last canvas
(the budget is 16 ms); `frame` is the time from one frame to the next while a control is dragged, the browser's
layout and painting included.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.support.browser import launch, transferred, visiting
from tests.support.server import Server

PANELS, SIDE, STEPS = 12, 224, 60
BENCH = """async ([count, side, steps]) => {
  const module = path => import(new URL(`../${path}`, document.querySelector('script[type=module]').src));
  const { store } = await module('state/store.js');
  const { setRendering, setViewport } = await module('state/actions.js');
  const { reduce } = await module('rendering/reduction.js');
  const { REDUCTIONS } = await module('rendering/settings.js');
  const random = (seed => () => ((seed = (Math.imul(seed, 1664525) + 1013904223) | 0) >>> 8) / 2 ** 24 - 0.5)(1);
  const frame = () => new Promise(requestAnimationFrame);
  const methods = ['vanilla_gradient', 'guided_backprop', 'smooth_grad', 'integrated_gradients'];
  const targets = [0, 1, 2].map(index => ({ index, label: `class ${index}` }));
  const panels = Array.from({ length: count }, (_, place) => ({
    id: `p${place}`, model: 'm', method: methods[place % 4], target: targets[place >> 2], status: 'done',
    done: 1, total: 1, partial: null, preview: null, problem: null, record: { seconds: 1, diagnostics: {} },
    raw: { shape: [3, side, side], values: Float32Array.from({ length: 3 * side * side }, () => random() ** 5) },
  }));
  const predictions = [{ index: 0, label: 'cat', probability: 0.5, logit: 5 }];
  const picture = { url: '/static/samples/cat.jpg', name: 'cat', width: 451, height: 300 };
  const input = { size: [side, side], crop: [75.5, 0, 375.5, 300], url: picture.url, predictions };
  for (const { raw } of panels) for (const reduction of REDUCTIONS) reduce(raw, reduction);
  const ask = { ...store.state.ask, models: ['m'], targets, methods };
  store.set({ phase: 'done', picture, inputs: new Map([['m', input]]), ask, panels });
  for (let i = 0; i < 20; i += 1) await frame();
  const canvases = [...document.querySelectorAll('map-panel canvas.map')];
  const drawn = canvases.filter(canvas => canvas.width === side && canvas.checkVisibility());
  if (drawn.length !== count) throw new Error(`${drawn.length} maps are drawn, not ${count}`);
  const medianAndP95 = values => {
    const sorted = values.toSorted((a, b) => a - b);
    return [sorted[sorted.length >> 1], sorted[Math.floor(sorted.length * 0.95)]];
  };
  const measure = async act => {
    const [draws, frames] = [[], []];
    let last = await frame();
    for (let step = 0; step < steps; step += 1) {
      let start;
      const begun = new Promise(done => requestAnimationFrame(() => done(start = performance.now())));
      const before = performance.now();
      act(step);
      const event = performance.now() - before;
      // Callbacks of one frame run in the order in which they were asked for: ours first, the page's, ours again.
      const end = new Promise(done => requestAnimationFrame(at => done([at, performance.now()])));
      await begun;
      const [at, now] = await end;
      draws.push(event + now - start);
      frames.push(at - last);
      last = at;
    }
    return [...medianAndP95(draws), ...medianAndP95(frames)];
  };
  const palettes = ['inferno', 'viridis', 'gray'];
  const acts = {
    palette: step => setRendering({ palettes: { ...store.state.rendering.palettes, unsigned: palettes[step % 3] } }),
    percentile: step => setRendering({ percentile: 80 + (step % 40) / 2 }),
    reduction: step => setRendering({ reduction: REDUCTIONS[step % 5] }),
    'colour scale': step => setRendering({ scale: ['own', 'method', 'all'][step % 3] }),
    'top k %': step => setRendering({ show: 'top', top: 1 + (step % 50) }),
    outline: step => setRendering({ show: 'outline', top: 1 + (step % 50) }),
    opacity: step => setRendering({ show: 'map', overlay: step % 101 }),
    zoom: step => setViewport({ zoom: 1 + (step % 30) / 2, centre: [225, 150] }),
    crosshair: step => setViewport({ cross: [100 + 3 * step, 150] }),
    box: step => setViewport({ box: [100, 50, 110 + 3 * step, 200] }),
  };
  const found = {};
  for (const [name, act] of Object.entries(acts)) found[name] = await measure(act);
  return found;
}"""


OPENINGS = 7
PAINT = """() => new Promise(done => {
  const timeIn = list => list.find(({ name }) => name === 'first-contentful-paint')?.startTime;
  const known = timeIn(performance.getEntriesByType('paint'));
  if (known) done(known);
  else new PerformanceObserver(list => done(timeIn(list.getEntries()))).observe({ type: 'paint', buffered: true });
})"""


def opening(browser: Browser, root: str, path: str) -> None:
    """A first visit, in a browser that has seen nothing, several times."""
    paints, sizes = [], []
    for _ in range(OPENINGS):
        with visiting(browser, root) as visit:
            came = transferred(visit)
            visit.page.goto(root + path)
            paints.append(visit.page.evaluate(PAINT))
            visit.wait_until_idle()
            sizes.append(sum(came) / 1000)
    low, middle, high = min(paints), statistics.median(paints), max(paints)
    print(f"{path:14}{middle:8.0f} ({low:.0f}-{high:.0f}) ms{statistics.median(sizes):10.0f} kB")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "store")
        browser = launch(playwright)
        try:
            print(f"first contentful paint, median of {OPENINGS} (least-most); transferred before a picture is taken")
            for path in ("/", "/methods"):
                opening(browser, server.url, path)
            with visiting(browser, server.url) as visit:
                visit.open()
                visit.page.keyboard.press("Shift")  # makes the page fetch the workbench
                visit.wait_until_idle()
                before = len(visit.requests)
                found = visit.page.evaluate(BENCH, [PANELS, SIDE, STEPS])
                asked = [r.url for r in visit.requests[before:] if "/api/" in r.url]
                version = browser.version
        finally:
            browser.close()
            server.stop()
    print(f"{PANELS} panels of {SIDE} × {SIDE}, Chromium {version} without a GPU, {STEPS} steps; milliseconds")
    print(f"{'':14}{'draw':>8}{'p95':>8}{'frame':>10}{'p95':>8}")
    for name, (draw, draw_95, frame, frame_95) in found.items():
        print(f"{name:14}{draw:8.1f}{draw_95:8.1f}{frame:10.1f}{frame_95:8.1f}")
    print(f"requests to the API: {len(asked)}")


if __name__ == "__main__":
    main()
