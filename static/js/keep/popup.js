// A menu that hangs on its button: the browser handles Escape and a click beside, this its place.

const WIDTH = 320;
const EDGE = 8;

function place(menu, button) {
  const { left, right, top, bottom } = button.getBoundingClientRect();
  const below = innerHeight - bottom;
  const downwards = below >= 320 || below >= top;
  const width = Math.min(WIDTH, innerWidth - 2 * EDGE);
  const x = Math.min(right - width >= EDGE ? right - width : left, innerWidth - width - EDGE);
  Object.assign(menu.style, {
    width: `${width}px`,
    left: `${Math.max(EDGE, x)}px`,
    top: downwards ? `${bottom + 4}px` : "auto",
    bottom: downwards ? "auto" : `${innerHeight - top + 4}px`,
    maxHeight: `${(downwards ? below : top) - 4 - EDGE}px`,
  });
}

/** Ties `menu` to `button`; `fill` is called whenever it opens. When the button moves away, the menu goes. */
export function hang(menu, button, fill, signal) {
  let top = 0;
  menu.popover = "auto";
  button.popoverTargetElement = menu;
  button.setAttribute("aria-haspopup", "dialog");
  menu.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    top = button.getBoundingClientRect().top;
    fill();
    place(menu, button);
  }, { signal });
  const isOpen = () => menu.matches(":popover-open");
  addEventListener("scroll", () => isOpen() && Math.abs(button.getBoundingClientRect().top - top) > 4 && menu.hidePopover(), { capture: true, passive: true, signal });
  addEventListener("resize", () => isOpen() && menu.hidePopover(), { signal });
}
