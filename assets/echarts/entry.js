import { connect, getInstanceByDom, init, use } from "echarts/core";
import { LineChart, ScatterChart } from "echarts/charts";
import { AriaComponent, DataZoomInsideComponent, GridComponent, LegendComponent, TooltipComponent } from "echarts/components";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";

use([
  AriaComponent, CanvasRenderer, DataZoomInsideComponent, GridComponent, LabelLayout, LegendComponent, LineChart,
  ScatterChart, TooltipComponent,
]);

export { connect, getInstanceByDom, init };
