// Runs as points of two axes, or as lines over several. Text from a store is only ever text: no tooltip is HTML.
import { echarts } from "nicegui-echart";

// Of a point and beside its name in the legend alike.
const SHAPES = [
  "M7 2A5 5 0 1 1 6.99 2Z", "M7 1 13 13 1 13Z", "M7 0 14 7 7 14 0 7Z", "M2 2H12V12H2Z", "M1 1 13 1 7 13Z",
  "M5 1H9V5H13V9H9V13H5V9H1V5H5Z", "M4 1H10L13 7 10 13H4L1 7Z",
];
const COLOURS = 8;
const FOOT = 0.15; // of the length between the smallest value and the largest, below the smallest
const LOOKS = {
  "is-passed": "--passed", "is-failed": "--failed", "is-errored": "--failed", "is-warned": "--warned",
  "is-running": "--running", "is-stopped": "--stopped", "is-idle": "--idle",
};
const MARGIN = { points: { left: 16, right: 24, top: 34, bottom: 34, containLabel: true }, lines: { left: 60, right: 90, top: 46, bottom: 24 } };

export default {
  template: `
    <figure class="curves">
      <div class="plot" :class="shape" ref="plot" role="img" :aria-label="told" :data-drawn="drawn"></div>
      <ul v-if="entries.length" class="legend" aria-label="Legend">
        <li v-for="(entry, at) in entries" :key="at">
          <svg width="14" height="14" aria-hidden="true"><path :d="entry.shape" :style="{ fill: entry.fill }" /></svg>
          <span>{{ entry.name }}</span>
        </li>
      </ul>
    </figure>`,
  props: {
    shape: String, told: String, axes: Array, runs: Array, names: Array, values: Array, levels: Array, colours: Array,
    scale: Object, picked: Array,
  },
  emits: ["pick"],
  data: () => ({ entries: [], drawn: "" }),
  mounted() {
    this.chart = echarts.init(this.$refs.plot, null, { renderer: "canvas" });
    this.sizes = new ResizeObserver(() => this.chart.resize());
    this.sizes.observe(this.$refs.plot);
    this.themes = new MutationObserver(() => this.draw());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.chart.on("click", (event) => {
      if (event.componentType === "series" && event.data?.at !== undefined) this.$emit("pick", this.runs[event.data.at]);
    });
    this.$watch(() => [this.shape, this.axes, this.runs, this.values, this.colours, this.picked], () => this.draw());
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
      this.ink = (name) => style.getPropertyValue(name).trim();
      const paint = this.paint();
      this.entries = this.legend(paint);
      const tooltip = {
        trigger: "item",
        renderMode: "richText",
        confine: true,
        backgroundColor: this.ink("--card"),
        borderColor: this.ink("--line"),
        textStyle: { color: this.ink("--ink"), fontSize: 12 },
        formatter: (one) => this.tell(one.data.at),
      };
      const option = this.shape === "lines" ? this.lines(paint) : this.points(paint);
      this.chart.setOption({ animation: false, tooltip, ...option }, { notMerge: true });
      this.drawn = `${this.shape} ${this.runs.length}`;
    },
    // A colour for each run: of its state, of its level, or of where its number lies.
    paint() {
      const none = this.ink("--idle");
      if (this.scale) {
        const { low, high } = this.scale;
        const ends = [this.ink("--low"), this.ink("--high")];
        return (value) => (value === null ? none : mixed(ends, high > low ? (value - low) / (high - low) : 0.5));
      }
      const inks = this.levels.map(({ look }, at) => this.ink(LOOKS[look] ?? `--curve${at % COLOURS}`));
      return (value) => (value === null ? none : inks[value]);
    },
    // And a shape, where they are points.
    form(value) {
      return SHAPES[this.scale || this.shape === "lines" ? 0 : (value ?? 0) % SHAPES.length];
    },
    legend(paint) {
      const seen = new Set(this.colours);
      const entry = (name, value) => ({ name, fill: paint(value), shape: this.form(value) });
      const none = seen.has(null) ? [entry("none", null)] : [];
      if (this.scale) {
        const { low, high, texts } = this.scale;
        return [...texts.map((name, at) => entry(name, at ? high : low)), ...none];
      }
      return [...this.levels.map(({ name }, at) => entry(name, at)).filter((_, at) => seen.has(at)), ...none];
    },
    axis(one) {
      const rule = { lineStyle: { color: this.ink("--line") } };
      return {
        axisLine: rule,
        axisLabel: { color: this.ink("--soft"), hideOverlap: true },
        splitLine: rule,
        name: clip(one.name),
        nameTextStyle: { color: this.ink("--soft") },
        type: one.levels.length ? "category" : one.logarithmic ? "log" : "value",
        ...(one.levels.length ? { data: one.levels.map((level) => clip(level, 20)) } : { scale: true }),
      };
    },
    points(paint) {
      const [x, y] = this.axes.map((one) => this.axis(one));
      const ink = this.ink("--ink");
      const data = this.runs.map((run, at) => {
        const picked = this.picked.includes(run);
        return {
          at,
          value: this.values[at],
          symbol: `path://${this.form(this.colours[at])}`,
          symbolSize: picked ? 15 : this.runs.length > 500 ? 6 : 10,
          itemStyle: { color: paint(this.colours[at]), opacity: picked ? 1 : 0.75, borderColor: ink, borderWidth: picked ? 2.5 : 0 },
        };
      });
      return {
        grid: MARGIN.points,
        xAxis: { ...x, nameLocation: "middle", nameGap: 30 },
        yAxis: { ...y, nameTextStyle: { ...y.nameTextStyle, align: "left" } },
        series: [{ type: "scatter", data }],
      };
    },
    lines(paint) {
      const faint = this.runs.length > 200 ? 0.25 : 0.6;
      const data = this.runs.map((run, at) => {
        const picked = this.picked.includes(run);
        const lineStyle = { color: paint(this.colours[at]), width: picked ? 4 : 1.5, opacity: picked ? 1 : faint };
        return { at, value: this.values[at].map((value, place) => placed(value, this.axes[place])), lineStyle };
      });
      const parallelAxis = this.axes.map((one, dim) => {
        const made = { ...this.axis(one), ...footed(one) };
        const nameTextStyle = { ...made.nameTextStyle, width: 110, overflow: "truncate" };
        const axisLabel = { ...made.axisLabel, color: this.ink("--ink"), backgroundColor: this.ink("--card"), padding: [1, 3] };
        const axisLine = { lineStyle: { color: this.ink("--soft"), width: 1.5 } };
        return { ...made, dim, nameTextStyle, axisLabel, axisLine, splitLine: { show: false }, z: 20 };
      });
      const emphasis = { lineStyle: { width: 3, opacity: 1 } };
      return { parallel: MARGIN.lines, parallelAxis, series: [{ type: "parallel", data, smooth: false, emphasis }] };
    },
    tell(at) {
      if (at === undefined) return "";
      const rows = this.axes.map(({ name, levels, gap }, place) => {
        const value = this.values[at][place];
        const text = value === null ? gap : levels.length ? levels[value] : rounded(value);
        return `${clip(name)}  ${clip(text)}`;
      });
      const click = this.picked.includes(this.runs[at]) ? "click to untick" : "click to tick";
      return [clip(this.names[at]), ...rows, click].join("\n");
    },
  },
};

// The foot of an axis, below all its values, is where a line passes whose run has none on it: through a value, or
// between two that its neighbours have, it would show what no run has.
function foot({ low, high, logarithmic }) {
  if (logarithmic) return low / (high / low) ** FOOT;
  return low - FOOT * (high - low || Math.abs(high) || 1);
}

function isOfLevels({ levels, low }) {
  return levels.length > 0 || low === null; // without a number there is nothing but the foot
}

function placed(value, axis) {
  if (isOfLevels(axis)) return value === null ? 0 : value + (axis.gap ? 1 : 0);
  return value ?? foot(axis);
}

function footed(axis) {
  const { levels, low, gap } = axis;
  if (!gap) return {};
  if (isOfLevels(axis)) return { type: "category", data: [gap, ...levels.map((level) => clip(level, 20))] };
  const min = foot(axis);
  const isFoot = (value) => Math.abs(value - min) < 0.1 * (low - min);
  const formatter = (value) => (isFoot(value) ? gap : value < low ? "" : rounded(value));
  return { min, axisLabel: { formatter, showMinLabel: true, hideOverlap: true } };
}

function rounded(value) {
  return String(Number(value.toPrecision(4)));
}

function clip(text, most = 36) {
  const plain = text.replace(/[{}|]/g, " "); // which rich text takes for its own
  return plain.length > most ? plain.slice(0, most - 1) + "…" : plain;
}

function mixed([low, high], share) {
  const parts = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const [from, to] = [parts(low), parts(high)];
  return `rgb(${from.map((one, at) => Math.round(one + (to[at] - one) * share)).join(",")})`;
}
