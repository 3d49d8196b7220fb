// Defines the workbench's elements and loads their styles. Fetched when the first picture is chosen or a permalink is
// opened, so that the start page stays small.

// Imported only so that they are fetched now: the code that uses them imports them dynamically later.
import "../api/event-stream.js";
import "../controller/stream-events.js";
import "../history/thumbnail.js";
import "../rendering/palettes.js";
import "../state/recorded-question.js";
import { MapCompare } from "../compare/map-compare.js";
import { CopyLink } from "../export/copy-link.js";
import { ExportButton } from "../export/export-button.js";
import { ExportMenu } from "../export/export-menu.js";
import { AddRow } from "../grid/add-row.js";
import { ColumnHead } from "../grid/column-head.js";
import { GridStack } from "../grid/grid-stack.js";
import { GridTable } from "../grid/grid-table.js";
import { MapPanel } from "../grid/map-panel.js";
import { PanelGrid } from "../grid/panel-grid.js";
import { PanelMenu } from "../grid/panel-menu.js";
import { RowHead } from "../grid/row-head.js";
import { ForgetDialog } from "../history/forget-dialog.js";
import { LayerSearch } from "../models/layer-search.js";
import { ModelPicker } from "../models/model-picker.js";
import { WeightsDownload } from "../models/weights-download.js";
import { ParameterDialog } from "../parameters/parameter-dialog.js";
import { ParameterField } from "../parameters/parameter-field.js";
import { PictureBox } from "../picture/picture-box.js";
import { PictureStrip } from "../picture/picture-strip.js";
import { PictureView } from "../picture/picture-view.js";
import { AskForm } from "../question/ask-form.js";
import { ClassSearch } from "../question/class-search.js";
import { InputFields } from "../question/input-fields.js";
import { PredictionList } from "../question/prediction-list.js";
import { style } from "../shared/style-sheets.js";
import { BottomSheet } from "../toolbar/bottom-sheet.js";
import { BoxFields } from "../toolbar/box-fields.js";
import { CheckBar } from "../toolbar/check-bar.js";
import { ClipHistogram } from "../toolbar/clip-histogram.js";
import { MoreTools } from "../toolbar/more-tools.js";
import { ReadingBar } from "../toolbar/reading-bar.js";
import { SheetBar } from "../toolbar/sheet-bar.js";
import { ShowBar } from "../toolbar/show-bar.js";
import { ViewportBar } from "../toolbar/viewport-bar.js";
import { MapReadout } from "../viewport/map-readout.js";
import { MapLens } from "../viewport/map-lens.js";
import { MapViewer } from "../viewport/map-viewer.js";
import { SplitDivider } from "../viewport/split-divider.js";
import { ActionMenu } from "../widgets/action-menu.js";
import { ScaleBar } from "../widgets/scale-bar.js";
import { offerDialogs } from "./lazy-dialogs.js";

// Inner elements come before those that contain them, since an element uses its inner elements as soon as it is built.
/** @type {Record<string, CustomElementConstructor>} */
const ELEMENTS = {
  "box-fields": BoxFields,
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
  "viewport-bar": ViewportBar,
  "check-bar": CheckBar,
  "show-bar": ShowBar,
  "clip-histogram": ClipHistogram,
  "more-tools": MoreTools,
  "map-lens": MapLens,
  "map-readout": MapReadout,
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
  "bottom-sheet": BottomSheet,
  "sheet-bar": SheetBar,
  "map-viewer": MapViewer,
  "parameter-field": ParameterField,
  "parameter-dialog": ParameterDialog,
  "map-compare": MapCompare,
};

const SHEETS = ["models", "panels", "reading", "grid", "looking", "tools", "layout", "phone"];

await Promise.all(SHEETS.map(style));
for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
offerDialogs();
