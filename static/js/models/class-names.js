// Names of classes in the page's language, where labels are in another.

import * as api from "../api/client.js";
import { addClassNames } from "../state/actions.js";
import { store } from "../state/store.js";

const asked = new Set();

/** @param {string} model */
async function fetchNames(model) {
  asked.add(model);
  try {
    const found = await api.namedClasses(model);
    const labels = new Map();
    for (const { label, name } of found) labels.set(label, labels.has(label) ? null : name); // a label of two classes names neither
    addClassNames(Object.fromEntries([...labels].filter(([, name]) => name)));
  } catch {
    asked.delete(model); // the labels stand there meanwhile
  }
}

/** Fetches the names of each model's classes once it has answered. */
export function nameClasses() {
  if (!api.hasClassNames()) return;
  store.watch(["inputs"], ({ inputs }) => {
    for (const model of inputs.keys()) if (model && !asked.has(model)) fetchNames(model);
  });
}
