// A request as code to copy: a curl command, and a Python script.

/**
 * A text quoted for the shell where it needs to be.
 * @param {string} text
 */
const shellQuoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/**
 * The text that a form field sends for a value.
 * @param {any} value
 */
const fieldText = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

/**
 * A form field as an argument of curl. -F gives at signs, < and ; a meaning of their own; --form-string does not.
 * @param {[string, any]} field
 */
function curlField([name, value]) {
  if (name === "image") return `-F ${shellQuoted(`image=@${/[,;"]/.test(value) ? `"${value.replaceAll(/(["\\])/g, "\\$1")}"` : value}`)}`;
  const text = fieldText(value);
  return `${/^[@<]|;/.test(text) ? "--form-string" : "-F"} ${shellQuoted(`${name}=${text}`)}`;
}

/**
 * The curl command that sends a request to the server at `origin`.
 * @param {[string, any][]} request - fields as [name, value]
 * @param {string} origin
 */
export const curlOf = (request, origin) => `curl -s ${[...request.map(curlField), `${origin}/api/v1/explanations`].join(" \\\n     ")}\n`;

/**
 * A JSON value as a Python literal.
 * @param {any} value
 * @returns {string}
 */
function pythonLiteral(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}: ${pythonLiteral(part)}`).join(", ")}}`;
  return JSON.stringify(value);
}

/** @type {Record<string, string>} */
const ARGUMENTS = { method: "methods" }; // form field -> argument of the Python client, where the two have different names

/**
 * The value of a field as the client takes it: a size of two sides is a tuple.
 * @param {string} name
 * @param {any} value
 */
function argumentLiteral(name, value) {
  if (name !== "size") return pythonLiteral(value);
  const sides = String(value).split("x");
  return sides.length > 1 ? `(${sides.join(", ")})` : sides[0];
}

/**
 * The arguments of `client.explain`, a line each; a name that is repeated has a list of values.
 * @param {[string, any][]} request
 */
function pythonArguments(request) {
  /** @type {Map<string, any[]>} */
  const fields = new Map();
  for (const [name, value] of request) fields.set(name, [...(fields.get(name) ?? []), value]);
  const lines = [...fields].map(([name, values]) => {
    if (name === "image") return pythonLiteral(values[0]);
    if (name === "from") return `client.get(${pythonLiteral(values[0])}).image()`;
    return `${ARGUMENTS[name] ?? name}=${values.length > 1 ? pythonLiteral(values) : argumentLiteral(name, values[0])}`;
  });
  return lines.map((line) => `        ${line},\n`).join("");
}

/**
 * The Python script that sends a request to the server at `origin` and loads the maps, by the client of this package.
 * @param {[string, any][]} request - fields as [name, value]
 * @param {string} origin
 */
export const pythonOf = (request, origin) => `import gradoscope

with gradoscope.Client(${JSON.stringify(origin)}) as client:
    explanation = client.explain(
${pythonArguments(request)}    )
    for panel in explanation:
        if panel.status == "done":
            values = panel.values  # (channels, height, width), float32
            print(panel.model, panel.method, panel.target.label, values.shape, float(values.sum()))
`;
