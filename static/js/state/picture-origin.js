// Where the picture that is shown came from.

/** @import { State } from "./types.js" */

/**
 * {sample, file}: a sample's id or a file's name, as far as this page knows.
 * @param {Pick<State, "picture" | "pictures">} state
 */
export function originOf({ picture, pictures }) {
  if (!picture) return { sample: null, file: null };
  const { source = null } = pictures.find(({ key }) => key === picture.key) ?? {};
  const sample = picture.sample ?? (source?.field === "sample" ? source.value : null);
  return { sample, file: !sample && picture.url.startsWith("blob:") ? picture.name : null };
}
