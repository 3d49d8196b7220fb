"""How fast the page draws: twelve panels, every control. Prints a table; asserts nothing. `make bench-page`

`draw` is the time in which the page itself works for one change, from the control's event to the last canvas
(the budget is 16 ms); `frame` is the time from one frame to the next while a control is dragged, the browser's
layout and painting included.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from browser_support import launch, visiting
from conftest import Server
from playwright.sync_api import sync_playwright

PANELS, SIDE, STEPS = 12, 224, 60
BENCH = """async ([count, side, steps]) => {
  const { store } = await import('/static/js/store.js');
  const { look } = await import('/static/js/looking.js');
  const { reduce, REDUCTIONS } = await import('/static/js/reading.js');
  const random = (seed => () => ((seed = (Math.imul(seed, 1664525) + 1013904223) | 0) >>> 8) / 2 ** 24 - 0.5)(1);
  const frame = () => new Promise(requestAnimationFrame);
  const methods = ['vanilla_gradient', 'guided_backprop', 'smooth_grad', 'integrated_gradients'];
  const panels = Array.from({ length: count }, (_, place) => ({
    id: `p${place}`, model: 'm', method: methods[place % 4], target: { index: place, label: 'cat' }, status: 'done',
    done: 1, total: 1, estimate: null, problem: null, record: { seconds: 1, diagnostics: {} },
    raw: { shape: [3, side, side], values: Float32Array.from({ length: 3 * side * side }, () => random() ** 5) },
  }));
  const predictions = [{ index: 0, label: 'cat', probability: 0.5, logit: 5 }];
  const picture = { url: '/static/samples/cat.jpg', name: 'cat', width: 451, height: 300 };
  const input = { size: [side, side], crop: [75.5, 0, 375.5, 300], url: picture.url, predictions };
  for (const { raw } of panels) for (const reduction of REDUCTIONS) reduce(raw, reduction);
  store.set({ phase: 'done', picture, inputs: new Map([['m', input]]), panels });
  for (let i = 0; i < 20; i += 1) await frame();
  const of = values => {
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
    return [...of(draws), ...of(frames)];
  };
  const palettes = ['inferno', 'viridis', 'gray'];
  const acts = {
    palette: step => store.read({ palettes: { ...store.state.reading.palettes, unsigned: palettes[step % 3] } }),
    percentile: step => store.read({ percentile: 80 + (step % 40) / 2 }),
    reduction: step => store.read({ reduction: REDUCTIONS[step % 5] }),
    'colour scale': step => store.read({ scale: ['own', 'method', 'all'][step % 3] }),
    'top k %': step => store.read({ show: 'top', top: 1 + (step % 50) }),
    outline: step => store.read({ show: 'outline', top: 1 + (step % 50) }),
    opacity: step => store.read({ show: 'map', overlay: step % 101 }),
    zoom: step => look({ zoom: 1 + (step % 30) / 2, centre: [225, 150] }),
    crosshair: step => look({ cross: [100 + 3 * step, 150] }),
    box: step => look({ box: [100, 50, 110 + 3 * step, 200] }),
  };
  const found = {};
  for (const [name, act] of Object.entries(acts)) found[name] = await measure(act);
  return found;
}"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "store")
        browser = launch(playwright)
        try:
            with visiting(browser, server.url) as visit:
                visit.open()
                visit.settled()
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
