// What the page must know of the methods before the server has told: the first visit shows them at once.

import { store } from "./store.js";
import { textOr } from "./texts.js";

export const DEFAULT_METHODS = [
  "vanilla_gradient",
  "guided_backprop",
  "grad_cam",
  "smooth_grad",
  "integrated_gradients",
  "blur_integrated_gradients",
];

export const methodOf = (id) => store.state.methods?.find((method) => method.id === id);

export const titleOf = (id) => textOr(`method.${id}`, methodOf(id)?.title ?? id);
