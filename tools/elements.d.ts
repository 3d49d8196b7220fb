// The page's own elements, and what scripts that are not ours bring, for tsc.

import type { ActionMenu } from "../static/js/widgets/action-menu.js";
import type { AddMethod } from "../static/js/grid/add-method.js";
import type { AddRow } from "../static/js/grid/add-row.js";
import type { AskForm } from "../static/js/question/ask-form.js";
import type { BottomSheet } from "../static/js/toolbar/bottom-sheet.js";
import type { BoxFields } from "../static/js/toolbar/box-fields.js";
import type { CheckBar } from "../static/js/toolbar/check-bar.js";
import type { ChecksDialog } from "../static/js/metrics/checks-dialog.js";
import type { ClassSearch } from "../static/js/question/class-search.js";
import type { ClipHistogram } from "../static/js/toolbar/clip-histogram.js";
import type { ColumnHead } from "../static/js/grid/column-head.js";
import type { CopyLink } from "../static/js/export/copy-link.js";
import type { EarlierList } from "../static/js/history/earlier-list.js";
import type { ExportButton } from "../static/js/export/export-button.js";
import type { ExportMenu } from "../static/js/export/export-menu.js";
import type { FirstSteps } from "../static/js/teaching/first-steps.js";
import type { FlowDialog } from "../static/js/flow/flow-dialog.js";
import type { FlowFigure } from "../static/js/flow/flow-figure.js";
import type { FlowLayerDetails } from "../static/js/flow/flow-layer-details.js";
import type { ForgetDialog } from "../static/js/history/forget-dialog.js";
import type { GridStack } from "../static/js/grid/grid-stack.js";
import type { GridTable } from "../static/js/grid/grid-table.js";
import type { HelpTip } from "../static/js/widgets/help-tip.js";
import type { HistoryPanel } from "../static/js/history/history-panel.js";
import type { InputFields } from "../static/js/question/input-fields.js";
import type { LayerDialog } from "../static/js/layers/layer-dialog.js";
import type { LayerSearch } from "../static/js/models/layer-search.js";
import type { MaskFields } from "../static/js/toolbar/mask-fields.js";
import type { MapReadout } from "../static/js/viewport/map-readout.js";
import type { ViewportBar } from "../static/js/toolbar/viewport-bar.js";
import type { MapCompare } from "../static/js/compare/map-compare.js";
import type { OverlaidMaps } from "../static/js/compare/overlaid-maps.js";
import type { MapLens } from "../static/js/viewport/map-lens.js";
import type { MapPanel } from "../static/js/grid/map-panel.js";
import type { MethodSearch } from "../static/js/grid/method-search.js";
import type { MapViewer } from "../static/js/viewport/map-viewer.js";
import type { ModelPicker } from "../static/js/models/model-picker.js";
import type { MoreTools } from "../static/js/toolbar/more-tools.js";
import type { PanelGrid } from "../static/js/grid/panel-grid.js";
import type { PanelMenu } from "../static/js/grid/panel-menu.js";
import type { ParameterDialog } from "../static/js/parameters/parameter-dialog.js";
import type { ParameterField } from "../static/js/parameters/parameter-field.js";
import type { PictureBox } from "../static/js/picture/picture-box.js";
import type { PictureStrip } from "../static/js/picture/picture-strip.js";
import type { PictureView } from "../static/js/picture/picture-view.js";
import type { PredictionList } from "../static/js/question/prediction-list.js";
import type { ProblemNotice } from "../static/js/page/problem-notice.js";
import type { ReadingBar } from "../static/js/toolbar/reading-bar.js";
import type { RowHead } from "../static/js/grid/row-head.js";
import type { SampleList } from "../static/js/picture/sample-list.js";
import type { ScaleBar } from "../static/js/widgets/scale-bar.js";
import type { SheetBar } from "../static/js/toolbar/sheet-bar.js";
import type { ShowBar } from "../static/js/toolbar/show-bar.js";
import type { SmallMap } from "../static/js/metrics/small-map.js";
import type { SplitDivider } from "../static/js/viewport/split-divider.js";
import type { ThemeToggle } from "../static/js/widgets/theme-toggle.js";
import type { TrustDialog } from "../static/js/metrics/trust-dialog.js";
import type { TrustMetric } from "../static/js/metrics/trust-metric.js";
import type { TrustVerdict } from "../static/js/metrics/trust-verdict.js";
import type { WeightsDownload } from "../static/js/models/weights-download.js";

declare global {
  interface HTMLElementTagNameMap {
    "action-menu": ActionMenu;
    "add-method": AddMethod;
    "add-row": AddRow;
    "ask-form": AskForm;
    "bottom-sheet": BottomSheet;
    "box-fields": BoxFields;
    "mask-fields": MaskFields;
    "check-bar": CheckBar;
    "checks-dialog": ChecksDialog;
    "class-search": ClassSearch;
    "clip-histogram": ClipHistogram;
    "column-head": ColumnHead;
    "copy-link": CopyLink;
    "earlier-list": EarlierList;
    "export-button": ExportButton;
    "export-menu": ExportMenu;
    "first-steps": FirstSteps;
    "flow-dialog": FlowDialog;
    "flow-figure": FlowFigure;
    "flow-layer-details": FlowLayerDetails;
    "forget-dialog": ForgetDialog;
    "grid-stack": GridStack;
    "grid-table": GridTable;
    "help-tip": HelpTip;
    "history-panel": HistoryPanel;
    "input-fields": InputFields;
    "layer-dialog": LayerDialog;
    "layer-search": LayerSearch;
    "map-readout": MapReadout;
    "viewport-bar": ViewportBar;
    "map-compare": MapCompare;
    "overlaid-maps": OverlaidMaps;
    "map-lens": MapLens;
    "map-panel": MapPanel;
    "map-viewer": MapViewer;
    "model-picker": ModelPicker;
    "more-tools": MoreTools;
    "method-search": MethodSearch;
    "panel-grid": PanelGrid;
    "panel-menu": PanelMenu;
    "parameter-dialog": ParameterDialog;
    "parameter-field": ParameterField;
    "picture-box": PictureBox;
    "picture-strip": PictureStrip;
    "picture-view": PictureView;
    "prediction-list": PredictionList;
    "problem-notice": ProblemNotice;
    "reading-bar": ReadingBar;
    "row-head": RowHead;
    "sample-list": SampleList;
    "scale-bar": ScaleBar;
    "sheet-bar": SheetBar;
    "show-bar": ShowBar;
    "small-map": SmallMap;
    "split-divider": SplitDivider;
    "theme-toggle": ThemeToggle;
    "trust-dialog": TrustDialog;
    "trust-metric": TrustMetric;
    "trust-verdict": TrustVerdict;
    "weights-download": WeightsDownload;
  }

  interface HTMLElementEventMap {
    choose: CustomEvent<any>;
  }

  interface Window {
    SwaggerUIBundle: (options: object) => void;
  }
}
