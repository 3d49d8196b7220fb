// The server's list of models, asked for again.

import * as api from "../api/client.js";
import { setCatalogue } from "../state/actions.js";

/** Weights may have come; a model that was loaded once tells its layers. */
export async function refreshModels() {
  try {
    setCatalogue("models", await api.models());
  } catch {
    // The list as it was is better than none; what the server has against a choice, it says to that choice.
  }
}
