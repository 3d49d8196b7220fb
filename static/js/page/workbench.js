// Defines the workbench's elements and loads their styles. Fetched when the first picture is chosen or a permalink is
// opened, so that the start page stays small.

// Imported only so that they are fetched now: the code that uses them imports them dynamically later.
import "../api/event-stream.js";
import "../controller/stream-events.js";
import "../state/recorded-question.js";
import { CopyLink } from "../export/copy-link.js";
import { ExportButton } from "../export/export-button.js";
import { ExportMenu } from "../export/export-menu.js";
import { AddMethod } from "../grid/add-method.js";
import { AddRow } from "../grid/add-row.js";
import { ColumnHead } from "../grid/column-head.js";
import { GridStack } from "../grid/grid-stack.js";
import { GridTable } from "../grid/grid-table.js";
import { MapPanel } from "../grid/map-panel.js";
import { MethodSearch } from "../grid/method-search.js";
import { PanelGrid } from "../grid/panel-grid.js";
import { PanelMenu } from "../grid/panel-menu.js";
import { RowHead } from "../grid/row-head.js";
import { ForgetDialog } from "../history/forget-dialog.js";
import { nameClasses } from "../models/class-names.js";
import { LayerSearch } from "../models/layer-search.js";
import { ModelPicker } from "../models/model-picker.js";
import { WeightsDownload } from "../models/weights-download.js";
import { PictureBox } from "../picture/picture-box.js";
import { computePictures } from "../picture/picture-queue.js";
import { PictureStrip } from "../picture/picture-strip.js";
import { PictureView } from "../picture/picture-view.js";
import { AskForm } from "../question/ask-form.js";
import { ClassSearch } from "../question/class-search.js";
import { InputFields } from "../question/input-fields.js";
import { PredictionList } from "../question/prediction-list.js";
import { style } from "../shared/style-sheets.js";
import { inTurns } from "../shared/turns.js";
import { FirstSteps } from "../teaching/first-steps.js";
import { BottomSheet } from "../toolbar/bottom-sheet.js";
import { BoxFields } from "../toolbar/box-fields.js";
import { CheckBar } from "../toolbar/check-bar.js";
import { ClipHistogram } from "../toolbar/clip-histogram.js";
import { MaskFields } from "../toolbar/mask-fields.js";
import { MoreTools } from "../toolbar/more-tools.js";
import { ReadingBar } from "../toolbar/reading-bar.js";
import { SheetBar } from "../toolbar/sheet-bar.js";
import { ShowBar } from "../toolbar/show-bar.js";
import { ViewportBar } from "../toolbar/viewport-bar.js";
import { MapReadout } from "../viewport/map-readout.js";
import { MapLens } from "../viewport/map-lens.js";
import { ActionMenu } from "../widgets/action-menu.js";
import { ScaleBar } from "../widgets/scale-bar.js";
import { offerDialogs } from "./lazy-dialogs.js";

// Inner elements come before those that contain them, since an element uses its inner elements as soon as it is built.
/** @type {Record<string, CustomElementConstructor>} */
const ELEMENTS = {
  "box-fields": BoxFields,
  "mask-fields": MaskFields,
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
  "add-method": AddMethod,
  "add-row": AddRow,
  "viewport-bar": ViewportBar,
  "check-bar": CheckBar,
  "show-bar": ShowBar,
  "clip-histogram": ClipHistogram,
  "more-tools": MoreTools,
  "map-lens": MapLens,
  "map-readout": MapReadout,
  "copy-link": CopyLink,
  "export-menu": ExportMenu,
  "export-button": ExportButton,
  "forget-dialog": ForgetDialog,
  "first-steps": FirstSteps,
  "panel-menu": PanelMenu,
  "map-panel": MapPanel,
  "row-head": RowHead,
  "column-head": ColumnHead,
  "grid-stack": GridStack,
  "grid-table": GridTable,
  "method-search": MethodSearch,
  "panel-grid": PanelGrid,
  "reading-bar": ReadingBar,
  "bottom-sheet": BottomSheet,
  "sheet-bar": SheetBar,
};

const SHEETS = ["models", "panels", "reading", "grid", "looking", "previous", "comparing", "tools", "layout", "pictures", "phone", "help"];

await Promise.all(SHEETS.map(style));
await inTurns(Object.entries(ELEMENTS), ([name, element]) => customElements.define(name, element));
offerDialogs();
nameClasses();
computePictures();
