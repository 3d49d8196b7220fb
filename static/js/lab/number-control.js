// A number as it is typed and slid: its bounds, its place on the slider, and what is wrong with it.

import { t } from "../shared/texts.js";

/** @import { Declared } from "./types.js" */

const PLACES = 200; // of a logarithmic slider
// Decades that it goes down where the lower end is 0: from the default, or from the upper end.
const BELOW_DEFAULT = 3;
const BELOW_HIGH = 6;

/** @param {number | null} value */
const written = (value) => String(value).replace("-", "−");

/**
 * What a text says as a number; NaN where it says none.
 * @param {string} text
 */
export const numberIn = (text) => (text.trim() ? Number(text.trim().replace("−", "-").replace(",", ".")) : NaN);

/**
 * The bounds in words; null where there are none.
 * @param {Declared} declared
 */
function boundsOf({ low, high, open_low: open }) {
  if (low !== null && high !== null) return t(open ? "lab.page.above" : "lab.page.between", { low: written(low), high: written(high) });
  if (low !== null) return t(open ? "lab.page.over" : "lab.page.from", { low: written(low) });
  return high === null ? null : t("lab.page.to", { high: written(high) });
}

/**
 * What is wrong with a value, in words; null where nothing is.
 * @param {Declared} declared
 * @param {unknown} value
 */
export function complaintOf(declared, value) {
  const { low, high, open_low: openLow, open_high: openHigh, whole } = declared;
  if (typeof value !== "number" || !Number.isFinite(value)) return t("lab.page.number");
  if (whole && !Number.isInteger(value)) return t("lab.page.whole");
  const under = low !== null && (openLow ? value <= low : value < low);
  const over = high !== null && (openHigh ? value >= high : value > high);
  return under || over ? boundsOf(declared) : null;
}

/** Two digits. @param {number} value */
const rough = (value) => Number(value.toPrecision(2));

/** @param {Declared} declared */
function logBounds({ low, high, initial }) {
  if (low !== null && low > 0) return [low, Number(high)];
  const from = typeof initial === "number" && initial > 0 ? Math.floor(Math.log10(initial)) - BELOW_DEFAULT : Math.floor(Math.log10(Number(high))) - BELOW_HIGH;
  return [10 ** from, Number(high)];
}

/**
 * Gives a slider its ends and steps.
 * @param {HTMLInputElement} slider
 * @param {Declared} declared
 */
export function prepareSlider(slider, declared) {
  const { low, high, step, log } = declared;
  slider.min = log ? "0" : String(low);
  slider.max = log ? String(PLACES) : String(high);
  slider.step = log ? "1" : String(step ?? "any");
}

/**
 * @param {HTMLInputElement} slider
 * @param {Declared} declared
 * @param {number} value
 * @param {boolean} move - it is left where it is while the hand is at it: neighbouring places may have the same value
 */
export function placeSlider(slider, declared, value, move) {
  slider.setAttribute("aria-valuetext", written(value));
  if (!move) return;
  const [low, high] = declared.log ? logBounds(declared) : [0, 0];
  slider.value = declared.log ? String(Math.round((PLACES * Math.log(Math.max(value, low) / low)) / Math.log(high / low))) : String(value);
}

/**
 * The value at a slider's place.
 * @param {HTMLInputElement} slider
 * @param {Declared} declared
 */
export function slidTo(slider, declared) {
  if (!declared.log) return slider.valueAsNumber;
  const [low, high] = logBounds(declared);
  if (slider.valueAsNumber === PLACES) return high;
  const value = rough(low * (high / low) ** (slider.valueAsNumber / PLACES));
  return declared.whole ? Math.round(value) : Math.min(high, value);
}
