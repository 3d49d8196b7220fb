// How maps are rendered: the settings that all maps share, their defaults, and their memory in this tab.

/** @import { Reduction, Settings } from "./types.js" */

/** @type {Reduction[]} */
export const REDUCTIONS = ["sum", "abs", "max", "positive", "negative"];

/**
 * Whose clip holds for a panel: its own, the largest of its method's panels, the largest of all.
 * @type {Settings["scale"][]}
 */
export const SCALES = ["own", "method", "all"];

/**
 * All of the map | its top in colours, the picture elsewhere | the picture in the top only | the top's outline | the
 * borders of the map's regions, those in the top light.
 * @type {Settings["show"][]}
 */
export const SHOWS = ["map", "top", "window", "outline", "regions"];

/** @type {Settings} */
export const DEFAULT = {
  reduction: "abs",
  // Signed values want a palette with a middle, magnitudes one with a bottom: each remembers its own.
  palettes: { signed: "blue_orange", unsigned: "inferno" },
  percentile: 99,
  overlay: 100,
  scale: "own",
  show: "map", // one of SHOWS
  top: 10, // per cent of the pixels
};

const KEY = "gradoscope.reading"; // as older pages of this tab wrote it

/**
 * The settings of this tab before a reload; a new tab starts from the defaults.
 * @returns {Settings}
 */
export function restoredSettings() {
  try {
    return { ...DEFAULT, ...JSON.parse(sessionStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...DEFAULT };
  }
}

/** @param {Settings} settings */
export function rememberSettings(settings) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(settings));
  } catch {
    // Storage may be full or switched off; the settings then last until the reload.
  }
}

/**
 * Which of the two remembered palettes holds for a reduction.
 * @param {Reduction} reduction
 */
export const signOf = (reduction) => (reduction === "sum" ? "signed" : "unsigned");

/** @param {Pick<Settings, "palettes" | "reduction">} settings */
export const paletteOf = (settings) => settings.palettes[signOf(settings.reduction)];
