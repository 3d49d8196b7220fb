// Interactive documentation of the REST interface, from our own OpenAPI document; no asset comes from elsewhere.

// An operation's path is a link within the button that opens it, which no screen reader can tell apart: text it is.
/** @param {{ React: any }} system */
const plainPaths = ({ React }) => ({ wrapComponents: { DeepLink: () => (/** @type {{ text: string }} */ { text }) => React.createElement("span", {}, text) } });

/** Groups of operations are of level 3: the title above them is of level 2, below that of the page. */
function levels() {
  document.querySelector(".info .title")?.setAttribute("aria-level", "2");
}

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  plugins: [plainPaths],
  onComplete: levels,
});
