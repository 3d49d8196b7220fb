// Server-sent events from a fetch: an EventSource cannot POST, and does not show the problem of an error response.

/** Splits text that arrives in pieces into lines ended by LF, CRLF or CR. */
class Lines {
  #rest = "";

  /** @param {string} text */
  *push(text) {
    this.#rest += text;
    // A CR at the very end may be the first half of a CRLF: it waits for the next piece.
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest);
      if (!end) return;
      yield this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
    }
  }
}

/**
 * Yields {event, data} for each event of a text/event-stream body; comments keep it alive only.
 * @param {ReadableStream<Uint8Array>} body
 */
export async function* readEvents(body) {
  const lines = new Lines();
  let event = "message";
  /** @type {string[]} */
  let data = [];
  const pieces = body.pipeThrough(/** @type {ReadableWritablePair<string, Uint8Array>} */ (new TextDecoderStream()));
  for await (const piece of iterate(pieces)) {
    for (const line of lines.push(piece)) {
      if (line === "") {
        if (data.length) yield { event, data: data.join("\n") };
        event = "message";
        data = [];
        continue;
      }
      const colon = line.indexOf(":");
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (field === "event") event = value;
      if (field === "data") data.push(value);
    }
  }
}

/**
 * ReadableStream is not async iterable in every browser yet.
 * @template T
 * @param {ReadableStream<T>} stream
 */
async function* iterate(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {}); // already errored or aborted: there is nothing left to stop
  }
}
