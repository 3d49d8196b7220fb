// The workbench's elements and styles: fetched when a first picture is taken or an address is opened, so that the
// start page stays small.

import { ActionMenu } from "./elements/action-menu.js";
import { AddRow } from "./elements/add-row.js";
import { AskForm } from "./elements/ask-form.js";
import { BoxFields } from "./elements/box-fields.js";
import { ClassSearch } from "./elements/class-search.js";
import { ClipHistogram } from "./elements/clip-histogram.js";
import { ColumnHead } from "./elements/column-head.js";
import { CopyLink } from "./elements/copy-link.js";
import { ExportButton } from "./elements/export-button.js";
import { ExportMenu } from "./elements/export-menu.js";
import { ForgetDialog } from "./elements/forget-dialog.js";
import { GridStack } from "./elements/grid-stack.js";
import { GridTable } from "./elements/grid-table.js";
import { InputFields } from "./elements/input-fields.js";
import { LayerSearch } from "./elements/layer-search.js";
import { LookFacts } from "./elements/look-facts.js";
import { LookingBar } from "./elements/looking-bar.js";
import { MapCompare } from "./elements/map-compare.js";
import { MapLens } from "./elements/map-lens.js";
import { MapPanel } from "./elements/map-panel.js";
import { MapViewer } from "./elements/map-viewer.js";
import { ModelPicker } from "./elements/model-picker.js";
import { PanelGrid } from "./elements/panel-grid.js";
import { PanelMenu } from "./elements/panel-menu.js";
import { ParameterDialog } from "./elements/parameter-dialog.js";
import { ParameterField } from "./elements/parameter-field.js";
import { PictureBox } from "./elements/picture-box.js";
import { PictureStrip } from "./elements/picture-strip.js";
import { PictureView } from "./elements/picture-view.js";
import { PredictionList } from "./elements/prediction-list.js";
import { ReadingBar } from "./elements/reading-bar.js";
import { RowHead } from "./elements/row-head.js";
import { ScaleBar } from "./elements/scale-bar.js";
import { ShowBar } from "./elements/show-bar.js";
import { SplitDivider } from "./elements/split-divider.js";
import { WeightsDownload } from "./elements/weights-download.js";
import { offerDialogs } from "./opening.js";
import { style } from "./sheets.js";

// Inner elements first: an element may use those that it contains as soon as it is built.
const ELEMENTS = {
  "picture-strip": PictureStrip,
  "picture-box": PictureBox,
  "picture-view": PictureView,
  "prediction-list": PredictionList,
  "class-search": ClassSearch,
  "model-picker": ModelPicker,
  "layer-search": LayerSearch,
  "input-fields": InputFields,
  "weights-download": WeightsDownload,
  "ask-form": AskForm,
  "scale-bar": ScaleBar,
  "action-menu": ActionMenu,
  "add-row": AddRow,
  "box-fields": BoxFields,
  "looking-bar": LookingBar,
  "show-bar": ShowBar,
  "clip-histogram": ClipHistogram,
  "map-lens": MapLens,
  "look-facts": LookFacts,
  "split-divider": SplitDivider,
  "copy-link": CopyLink,
  "export-menu": ExportMenu,
  "export-button": ExportButton,
  "forget-dialog": ForgetDialog,
  "panel-menu": PanelMenu,
  "map-panel": MapPanel,
  "row-head": RowHead,
  "column-head": ColumnHead,
  "grid-stack": GridStack,
  "grid-table": GridTable,
  "panel-grid": PanelGrid,
  "reading-bar": ReadingBar,
  "map-viewer": MapViewer,
  "parameter-field": ParameterField,
  "parameter-dialog": ParameterDialog,
  "map-compare": MapCompare,
};

const SHEETS = ["models", "panels", "reading", "grid", "looking"];

await Promise.all(SHEETS.map(style));
for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
offerDialogs();
