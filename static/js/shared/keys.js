// The keys of the page, in one table: who listens for keys asks it what they do, and the list of keys is made of it.

const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];

/**
 * Where a key counts → what it does there → the keys, named as events name them; with Shift as «Shift+NAME». Menus,
 * lists and sliders take the usual keys of their kind, and are not in it.
 * @type {Record<"page" | "map" | "brush" | "viewer" | "divider" | "strip", Record<string, string[]>>}
 */
export const KEYS = {
  page: { list: ["?"], before: ["p"] }, // the list of keys; the maps of the previous question
  map: {
    move: ARROWS,
    far: ARROWS.map((key) => `Shift+${key}`),
    larger: ["+", "="],
    smaller: ["-"],
    whole: ["0"], // no zoom
    corner: ["b"], // of a box: the first press marks one, the second draws the box
    mask: ["m"], // the brush for a mask is taken, or put away
    paint: [" "], // a dab of the brush at the crosshair
    compare: ["c"],
    open: ["Enter"],
    clear: ["Escape"],
  },
  brush: { smaller: ["["], larger: ["]"], erase: ["x"] }, // anywhere, while a mask is drawn
  // one map in full screen; the divider of its split; the strip of several pictures
  viewer: { previous: ["ArrowLeft"], next: ["ArrowRight"] },
  divider: { left: ["ArrowLeft", "ArrowDown"], right: ["ArrowRight", "ArrowUp"], farLeft: ["PageDown"], farRight: ["PageUp"], start: ["Home"], end: ["End"] },
  strip: { previous: ["ArrowLeft", "ArrowUp"], next: ["ArrowRight", "ArrowDown"], first: ["Home"], last: ["End"], remove: ["Delete"] },
};

/**
 * What a key does at a place; undefined if nothing. A key that does nothing of its own with Shift does what it does without.
 * @param {keyof typeof KEYS} place
 * @param {Pick<KeyboardEvent, "key" | "shiftKey">} event
 */
export function commandOf(place, { key, shiftKey }) {
  /** @param {string} name */
  const find = (name) => Object.keys(KEYS[place]).find((command) => KEYS[place][command].includes(name));
  return (shiftKey && find(`Shift+${key}`)) || find(key);
}

/** @param {EventTarget | null} target */
export const takesText = (target) => target instanceof HTMLElement && target.matches("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
