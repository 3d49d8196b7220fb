"""Work in short turns (shared/turns.js), and places that are measured together (grid/facts-line.js)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Visit, visiting


@pytest.fixture(scope="module")
def opened(browser: Browser, server_url: str) -> Iterator[Visit]:
    with visiting(browser, server_url) as visit:
        visit.open()
        yield visit


def test_what_the_page_has_to_do_comes_between_two_turns(opened: Visit) -> None:
    done = opened.page.evaluate(
        """async () => {
          const { inTurns } = await import('/static/js/shared/turns.js');
          const done = [];
          const { port1, port2 } = new MessageChannel();
          port1.onmessage = () => { done.push('the page'); port1.close(); };
          port2.postMessage(null);
          await inTurns([1, 2, 3], item => {
            done.push(item);
            const end = performance.now() + 10; // longer than a turn
            while (performance.now() < end);
          });
          return done;
        }"""
    )
    assert done == [1, "the page", 2, 3]


def test_what_is_put_off_has_an_idle_period_each(opened: Visit) -> None:
    """One after another, whatever fails, and what is put off meanwhile comes last."""
    done = opened.page.evaluate(
        """async () => {
          const periods = [];
          const own = globalThis.requestIdleCallback;
          globalThis.requestIdleCallback = run => periods.push(run);
          const { putOff } = await import('/static/js/shared/turns.js?alone');
          globalThis.requestIdleCallback = own;
          const done = [];
          putOff(() => { done.push('first'); putOff(() => done.push('last')); });
          putOff(() => { throw new Error('a failure'); });
          putOff(() => done.push('third'));
          while (periods.length) {
            done.push(periods.length);
            try { periods.shift()(); } catch ({ message }) { done.push(message); }
          }
          putOff(() => done.push('again'));
          periods.shift()();
          return [...done, periods.length];
        }"""
    )
    assert done == [1, "first", 1, "a failure", 1, "third", 1, "last", "again", 0]


def test_facts_of_all_maps_are_measured_together(opened: Visit) -> None:
    """However many they are, the page is laid out as often as the longest line needs."""
    found = opened.page.evaluate(
        """async () => {
          const { showFacts } = await import('/static/js/grid/facts-line.js');
          const facts = ['ten', 'eleven', 'twelve', 'thirteen', 'fourteen'].map(text => ({ text: text.repeat(8) }));
          facts[1].poor = true;
          const work = [];
          const places = [1, 3, 5].map(count => {
            const place = document.createElement('p');
            place.style.cssText = 'width: 300px; height: 36px; line-height: 18px; overflow: clip; font-size: 13px';
            document.body.append(place);
            const write = place.replaceChildren.bind(place);
            place.replaceChildren = (...nodes) => { work.push('write'); write(...nodes); };
            Object.defineProperty(place, 'scrollHeight', { get() {
              work.push('measure');
              return Object.getOwnPropertyDescriptor(Element.prototype, 'scrollHeight').get.call(place);
            } });
            showFacts(place, { facts: facts.slice(0, count), method: 'any', open() {} });
            return place;
          });
          const before = work.length;
          await new Promise(resolve => requestAnimationFrame(resolve));
          const changes = work.filter((kind, index) => kind !== work[index - 1]).length;
          const texts = places.map(place => place.textContent);
          showFacts(places[0], { facts: [{ ...facts[0] }], method: 'any', open() {} }); // the same again
          await new Promise(resolve => requestAnimationFrame(resolve));
          const again = work.filter(kind => kind === 'write').length;
          for (const place of places) place.remove();
          return { before, kinds: work.slice(0, 4), changes, texts, writes: again };
        }"""
    )
    assert found["before"] == 0, "in the next frame"
    assert found["kinds"] == ["write", "write", "write", "measure"]
    first, second, third = found["texts"]
    assert first == "ten" * 8
    assert second.count("+") == third.count("+") == 1
    assert "eleven" in second, "what warns is left out last"
    assert "eleven" in third
    rounds = 1 + int(third.rpartition("+")[2])  # each leaves out one fact of each line that is too long
    assert found["changes"] == 2 * rounds
    assert found["writes"] == 3 + int(second.rpartition("+")[2]) + int(third.rpartition("+")[2])
