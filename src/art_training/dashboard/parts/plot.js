// Points, steps or bars in one picture, in the colours of the theme. Text from a store is only ever text: no tooltip is HTML.
import { echarts } from "nicegui-echart";

const COLOURS = 8;
const TOLD = 14; // entries in a tooltip

export default {
  template: `
    <figure class="curves" :data-points="count">
      <figcaption><h3 v-if="plot.title">{{ plot.title }}</h3><span class="soft small">{{ plot.note }}</span></figcaption>
      <div class="plot" ref="plot" role="img" :aria-label="plot.told"></div>
    </figure>`,
  props: { plot: Object },
  computed: {
    count() {
      return this.plot.series.reduce((sum, one) => sum + one.points.length, 0);
    },
  },
  watch: {
    plot: { deep: true, handler: "draw" },
  },
  mounted() {
    this.chart = echarts.init(this.$refs.plot, null, { renderer: "canvas" });
    this.sizes = new ResizeObserver(() => this.chart.resize());
    this.sizes.observe(this.$refs.plot);
    this.themes = new MutationObserver(() => this.draw());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.draw();
  },
  beforeUnmount() {
    this.sizes.disconnect();
    this.themes.disconnect();
    this.chart.dispose();
  },
  methods: {
    draw() {
      const style = getComputedStyle(document.body);
      const ink = (name) => style.getPropertyValue(name).trim();
      const bars = this.plot.series.some((one) => one.kind === "bars");
      this.chart.setOption(
        {
          animation: false,
          aria: { enabled: bars, label: { enabled: false }, decal: { show: this.plot.series.length > 1 } },
          grid: { left: 38, right: 20, top: this.plot.series.length > 1 ? 34 : 14, bottom: 30, containLabel: true },
          legend: { show: this.plot.series.length > 1, top: 0, left: 0, textStyle: { color: ink("--ink") }, formatter: clip },
          xAxis: { ...axis(this.plot.x, ink), nameGap: 28, axisTick: { alignWithLabel: true } },
          yAxis: { ...axis(this.plot.y, ink), nameGap: 46, scale: !bars },
          tooltip: {
            trigger: bars ? "axis" : "item",
            renderMode: "richText",
            confine: true,
            backgroundColor: ink("--card"),
            borderColor: ink("--line"),
            textStyle: { color: ink("--ink"), fontSize: 12 },
            axisPointer: { type: "shadow" },
            formatter: (found) => this.tell(found),
          },
          series: this.plot.series.map((one) => drawn(one, ink(`--curve${one.colour % COLOURS}`))),
        },
        { replaceMerge: ["series"] },
      );
    },
    tell(found) {
      const several = Array.isArray(found) ? found : [found];
      const rows = several.slice(0, TOLD).map((one) => clip(one.data.told));
      const more = several.length > TOLD ? [`... ${several.length - TOLD} more`] : [];
      return [...rows, ...more].join("\n");
    },
  },
};

function axis(given, ink) {
  return {
    type: given.labels.length ? "category" : given.log ? "log" : "value",
    data: given.labels.length ? given.labels : undefined,
    name: clip(given.name),
    nameLocation: "middle",
    nameTextStyle: { color: ink("--soft") },
    axisLine: { lineStyle: { color: ink("--line") } },
    axisLabel: { color: ink("--soft"), hideOverlap: true, formatter: (value) => label(value) },
    splitLine: { show: !given.labels.length, lineStyle: { color: ink("--line") } },
    minInterval: given.whole ? 1 : undefined,
    min: given.low ?? undefined,
    max: given.high ?? undefined,
  };
}

function drawn(one, color) {
  const data = one.points.map(([x, y, told]) => ({ value: [x, y], told }));
  const common = { name: one.name, data, color, emphasis: { disabled: true } };
  if (one.kind === "bars") return { ...common, type: "bar", barMaxWidth: 26 };
  if (one.kind === "steps") return { ...common, type: "line", step: "end", symbol: one.mark, symbolSize: 8, lineStyle: { width: 2 } };
  return { ...common, type: "scatter", symbol: one.mark, symbolSize: one.mark === "circle" ? 10 : 15, itemStyle: { opacity: one.mark === "circle" ? 0.65 : 1 } };
}

function label(value) {
  return typeof value === "number" ? String(Number(value.toPrecision(4))) : clip(value, 18);
}

function clip(text, most = 90) {
  const plain = String(text).replace(/[{}|]/g, " "); // which rich text takes for its own
  return plain.length > most ? plain.slice(0, most - 1) + "…" : plain;
}
