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

/**
 * The lines of the `data` dictionary: a name that is repeated has a list of values, and `options` are encoded by json.dumps.
 * @param {[string, any][]} request
 */
function pythonFields(request) {
  const fields = new Map();
  for (const [name, value] of request) fields.set(name, [...(fields.get(name) ?? []), value]);
  const lines = [...fields].map(([name, values]) => {
    if (name === "options") return `"options": json.dumps(${pythonLiteral(values[0])})`;
    return `${JSON.stringify(name)}: ${pythonLiteral(values.length > 1 ? values : values[0])}`;
  });
  return lines.map((line) => `            ${line},\n`).join("");
}

/**
 * The Python script that sends a request to the server at `origin` and loads the maps.
 * @param {[string, any][]} request - fields as [name, value]
 * @param {string} origin
 */
export function pythonOf(request, origin) {
  const image = request.find(([name]) => name === "image")?.[1];
  const otherFields = request.filter(([name]) => name !== "image");
  const needsJson = otherFields.some(([name]) => name === "options");
  return `import io
${needsJson ? "import json\n" : ""}
import httpx
import numpy as np

with httpx.Client(base_url=${JSON.stringify(origin)}, timeout=600) as server:
    answer = server.post(
        "/api/v1/explanations",
${image ? `        files={"image": open(${JSON.stringify(image)}, "rb")},\n` : ""}        data={
${pythonFields(otherFields)}        },
    )
    answer.raise_for_status()
    for panel in answer.json()["panels"]:
        if panel["status"] == "done":
            values = np.load(io.BytesIO(server.get(panel["urls"]["npy"]).content))  # (channels, height, width), float32
            print(panel["model"], panel["method"], panel["target"]["label"], values.shape, float(values.sum()))
`;
}
