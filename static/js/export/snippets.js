// A request as text that runs as it is: for a shell, and for Python.

/** @param {string} text */
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

/** @param {any} value */
const plain = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

// A field as curl takes it: -F reads @, < and ; in its own way.
/** @param {[string, any]} field */
function curlField([name, value]) {
  if (name === "image") return `-F ${quoted(`image=@${/[,;"]/.test(value) ? `"${value.replaceAll(/(["\\])/g, "\\$1")}"` : value}`)}`;
  const text = plain(value);
  return `${/^[@<]|;/.test(text) ? "--form-string" : "-F"} ${quoted(`${name}=${text}`)}`;
}

/**
 * @param {[string, any][]} request
 * @param {string} origin
 */
export const curlOf = (request, origin) => `curl -s ${[...request.map(curlField), `${origin}/api/v1/explanations`].join(" \\\n     ")}\n`;

/**
 * @param {any} value
 * @returns {string}
 */
function literal(value) {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object") return `{${Object.entries(value).map(([name, part]) => `${JSON.stringify(name)}: ${literal(part)}`).join(", ")}}`;
  return JSON.stringify(value);
}

/**
 * {name: value, or values where there are several}, options as the call that writes them.
 * @param {[string, any][]} request
 */
function pythonFields(request) {
  const fields = new Map();
  for (const [name, value] of request) fields.set(name, [...(fields.get(name) ?? []), value]);
  const lines = [...fields].map(([name, values]) => {
    if (name === "options") return `"options": json.dumps(${literal(values[0])})`;
    return `${JSON.stringify(name)}: ${literal(values.length > 1 ? values : values[0])}`;
  });
  return lines.map((line) => `            ${line},\n`).join("");
}

/**
 * @param {[string, any][]} request
 * @param {string} origin
 */
export function pythonOf(request, origin) {
  const image = request.find(([name]) => name === "image")?.[1];
  const rest = request.filter(([name]) => name !== "image");
  const json = rest.some(([name]) => name === "options");
  return `import io
${json ? "import json\n" : ""}
import httpx
import numpy as np

with httpx.Client(base_url=${JSON.stringify(origin)}, timeout=600) as server:
    answer = server.post(
        "/api/v1/explanations",
${image ? `        files={"image": open(${JSON.stringify(image)}, "rb")},\n` : ""}        data={
${pythonFields(rest)}        },
    )
    answer.raise_for_status()
    for panel in answer.json()["panels"]:
        if panel["status"] == "done":
            values = np.load(io.BytesIO(server.get(panel["urls"]["npy"]).content))  # (channels, height, width), float32
            print(panel["model"], panel["method"], panel["target"]["label"], values.shape, float(values.sum()))
`;
}
