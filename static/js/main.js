// Wires the page: elements, catalogue, address.

import * as api from "./api.js";
import { ActionMenu } from "./elements/action-menu.js";
import { AddRow } from "./elements/add-row.js";
import { AskForm } from "./elements/ask-form.js";
import { BoxFields } from "./elements/box-fields.js";
import { ClassSearch } from "./elements/class-search.js";
import { ColumnHead } from "./elements/column-head.js";
import { GridStack } from "./elements/grid-stack.js";
import { GridTable } from "./elements/grid-table.js";
import { ClipHistogram } from "./elements/clip-histogram.js";
import { CopyLink } from "./elements/copy-link.js";
import { EarlierList } from "./elements/earlier-list.js";
import { ExportButton } from "./elements/export-button.js";
import { ExportMenu } from "./elements/export-menu.js";
import { ForgetDialog } from "./elements/forget-dialog.js";
import { HistoryPanel } from "./elements/history-panel.js";
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
import { PictureStrip } from "./elements/picture-strip.js";
import { PictureBox } from "./elements/picture-box.js";
import { PictureView } from "./elements/picture-view.js";
import { PredictionList } from "./elements/prediction-list.js";
import { ProblemNotice } from "./elements/problem-notice.js";
import { ReadingBar } from "./elements/reading-bar.js";
import { RowHead } from "./elements/row-head.js";
import { SampleList } from "./elements/sample-list.js";
import { ScaleBar } from "./elements/scale-bar.js";
import { ShowBar } from "./elements/show-bar.js";
import { SplitDivider } from "./elements/split-divider.js";
import { ThemeToggle } from "./elements/theme-toggle.js";
import { WeightsDownload } from "./elements/weights-download.js";
import { choose, listenForPictures } from "./intake.js";
import { keepAddress } from "./keep/address.js";
import { keepHistory } from "./keep/chronicle.js";
import { offerLanguages } from "./language.js";
import { loadPalettes } from "./palettes.js";
import { takeSamples } from "./pictures.js";
import { followAddress } from "./session.js";
import { store } from "./store.js";

// Inner elements first: an element may use those that it contains as soon as it is built.
const ELEMENTS = {
  "theme-toggle": ThemeToggle,
  "problem-notice": ProblemNotice,
  "sample-list": SampleList,
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
  "history-panel": HistoryPanel,
  "earlier-list": EarlierList,
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

const RETRY_MS = 2000;

/** Fills one part of the catalogue; while the server is still starting, it asks again. */
async function load(key, fetcher) {
  try {
    store.set({ [key]: await fetcher() });
  } catch (error) {
    if (error.passing) setTimeout(load, RETRY_MS, key, fetcher);
    else throw error;
  }
}

function switchViews(start, bench) {
  store.watch(["phase"], ({ phase }) => {
    const empty = phase === "empty";
    const arriving = bench.hidden && !empty;
    const hadFocus = start.contains(document.activeElement);
    start.hidden = !empty;
    bench.hidden = empty;
    // The button that was pressed is gone: the focus goes on to what came in its place.
    if (arriving && hadFocus) bench.querySelector(".question").focus({ preventScroll: true });
    if (arriving) scrollTo(0, 0);
  });
}

for (const [name, element] of Object.entries(ELEMENTS)) customElements.define(name, element);
switchViews(document.getElementById("start"), document.getElementById("bench"));
document.getElementById("choose").addEventListener("click", choose);
document.getElementById("all-samples").addEventListener("click", () => takeSamples(store.state.samples ?? []));
listenForPictures();
addEventListener("popstate", followAddress);
offerLanguages();
followAddress();
keepAddress();
keepHistory();
delete document.documentElement.dataset.opening; // theme.js kept the start page from flashing

load("palettes", loadPalettes);
load("samples", api.samples);
load("models", api.models);
load("methods", api.methods);
