// Defines what opens over the workbench, and holds what only an export needs. Fetched once the workbench stands
// (lazy-dialogs.js), so that the names of the maps do not wait for it.

// Imported only so that they are fetched now: the code that uses them imports them dynamically later.
import "../export/export.js";
import "../history/thumbnail.js";
import { MapCompare } from "../compare/map-compare.js";
import { OverlaidMaps } from "../compare/overlaid-maps.js";
import { ParameterDialog } from "../parameters/parameter-dialog.js";
import { ParameterField } from "../parameters/parameter-field.js";
import { PictureOverview } from "../picture/picture-overview.js";
import { addTexts } from "../shared/texts.js";
import { inTurns } from "../shared/turns.js";
import { MapViewer } from "../viewport/map-viewer.js";
import { SplitDivider } from "../viewport/split-divider.js";
import { offerHelp } from "../widgets/help-tip.js";

// Inner elements come before those that contain them, as in workbench.js.
/** @type {Record<string, CustomElementConstructor>} */
const ELEMENTS = {
  "split-divider": SplitDivider,
  "map-viewer": MapViewer,
  "parameter-field": ParameterField,
  "parameter-dialog": ParameterDialog,
  "overlaid-maps": OverlaidMaps,
  "map-compare": MapCompare,
  "picture-overview": PictureOverview,
};

await addTexts("dialogs");
await inTurns(Object.entries(ELEMENTS), ([name, element]) => customElements.define(name, element));
offerHelp();
