// Called by bundle_js.py: node bundle.mjs ROLLUP FOLDER TARGET, and a plan as JSON on stdin: { entries, chunks }.
// Writes the modules of FOLDER that the entries reach to TARGET, and prints what each file imports.

import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [library, folder, target] = process.argv.slice(2);
const { rollup } = await import(pathToFileURL(library).href);
const { entries, chunks } = JSON.parse(readFileSync(0, "utf8"));

const bundle = await rollup({
  input: Object.fromEntries(entries.map((path) => [path.replace(/\.js$/, ""), resolve(folder, path)])),
  preserveEntrySignatures: "allow-extension", // an entry may hold what others share, and export that too
  onwarn: (warning) => { throw new Error(warning.message); },
});
const { output } = await bundle.write({
  dir: target,
  format: "es",
  entryFileNames: "[name].js",
  chunkFileNames: "js/chunks/[name]-[hash].js",
  manualChunks: (id) => chunks[relative(folder, id)],
  hoistTransitiveImports: false, // the page names all that it needs at first; elsewhere it would load too much
});
console.log(JSON.stringify(Object.fromEntries(output.map(({ fileName, imports }) => [fileName, imports]))));
