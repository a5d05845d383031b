// Curves in one picture. It keeps what it was given, so that only what is new is sent, and it owns the part of the steps
// that is shown, so that data that arrives never moves it. Text from a store is only ever text: no tooltip is HTML.
import { echarts } from "nicegui-echart";

const DASHES = ["solid", [7, 4], [2, 3], [9, 3, 2, 3]];
const STROKES = ["", "7 4", "2 3", "9 3 2 3"];
const MARKS = ["circle", "triangle", "rect", "diamond"];
const SHAPES = ["", "M14 1 19 11 9 11Z", "M10 2H18V10H10Z", "M14 0 20 6 14 12 8 6Z"]; // the same, in the legend
const MANY = 3; // groups, beyond which fine lines are not drawn until one asks for them
const COLOURS = 8;
const DECADES = 1e3; // between the lowest and the highest value, from which on they are better read on a log scale
const OFTEN = 0.75; // of the values that have to be above 0 for that
const MARKS_ON_LONG = 12; // of a line that only its mark tells from another of its colour
const MARKED = 40; // so many points or fewer are marked, so that one alone is seen
const TOLD = 14; // lines in a tooltip
const LEAST_DRAG = 6; // pixels

export default {
  template: `
    <figure class="curves" :data-points="points" :data-first="look.first" :data-last="look.last" :data-log="log">
      <figcaption><h3>{{ title }}</h3><span class="soft small">{{ [note, scaled].filter(Boolean).join("; ") }}</span></figcaption>
      <div class="plot" ref="plot" role="img" :aria-label="told"></div>
      <ul class="legend" :aria-label="'Lines of ' + title">
        <li v-for="entry in entries" :key="entry.name">
          <button type="button" :aria-pressed="!entry.hidden" @click="toggle(entry.name)">
            <svg width="28" height="12" aria-hidden="true" :style="{ color: 'var(--curve' + entry.colour + ')' }">
              <line x1="0" y1="6" x2="28" y2="6" stroke="currentColor" :stroke-width="entry.width"
                :stroke-dasharray="entry.stroke" />
              <path v-if="entry.shape" :d="entry.shape" fill="currentColor" />
            </svg>
            <span>{{ entry.name }}</span>
          </button>
        </li>
        <li v-for="sort in sorts" :key="'sort ' + sort.label" class="soft">
          <button type="button" :aria-pressed="!sort.hidden" :aria-label="sort.label + ' of all'" @click="turn(sort.label)">
            <svg width="28" height="12" aria-hidden="true"><line x1="0" y1="6" x2="28" y2="6" stroke="currentColor"
              :stroke-width="sort.width" :stroke-dasharray="sort.stroke" /></svg>
            <span>{{ sort.label }}</span>
          </button>
        </li>
      </ul>
    </figure>`,
  props: { title: String, begin: Object },
  data() {
    return { look: { ...this.begin }, entries: [], sorts: [], note: "", scaled: "", told: "", points: 0, log: false };
  },
  mounted() {
    this.lines = new Map(); // by the number that the server gave it
    this.chart = echarts.init(this.$refs.plot, null, { renderer: "canvas" });
    this.sizes = new ResizeObserver(() => this.chart.resize());
    this.sizes.observe(this.$refs.plot);
    this.themes = new MutationObserver(() => this.draw());
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.catchDrags();
    this.$emit("ready", {});
  },
  beforeUnmount() {
    this.sizes.disconnect();
    this.themes.disconnect();
    this.chart.dispose();
  },
  methods: {
    // What is new: of each line the points from one step on; of some, more points of the part that is shown.
    feed(given) {
      for (const one of given.lines) {
        const kept = this.lines.get(one.line);
        const before = kept && one.from !== null ? kept.data.filter((point) => point[0] < one.from) : [];
        const added = one.steps.map((step, at) => [step, one.values[at]]);
        this.lines.set(one.line, { ...kept, ...one.about, detail: one.detail, data: before.concat(added) });
      }
      for (const line of given.gone) this.lines.delete(line);
      this.note = given.note;
      this.draw();
    },
    // Which part of the steps is shown, and how.
    show(look) {
      this.look = look;
      this.draw();
    },
    toggle(name) {
      this.pick(flipped(this.look.hide, name), this.look.also);
    },
    // A label of all groups; one that is not drawn at first, as there are too many, is asked for.
    turn(label) {
      const { hide, also } = this.look;
      if (hide.includes(label) || !this.tooMany.has(label)) return this.pick(flipped(hide, label), also);
      this.pick(hide, flipped(also, label));
    },
    pick(hide, also) {
      this.look = { ...this.look, hide, also };
      this.draw();
      this.$emit("lines", { hide, also });
    },
    isOff(label) {
      return this.look.hide.includes(label) || (this.tooMany.has(label) && !this.look.also.includes(label));
    },
    isShown(line) {
      return !this.look.hide.includes(this.nameOf(line)) && !(this.grouped && this.isOff(line.label));
    },
    draw() {
      const lines = [...this.lines.entries()].sort((one, other) => one[0] - other[0]).map(([, line]) => line);
      this.describe(lines);
      const style = getComputedStyle(document.body);
      const ink = (name) => style.getPropertyValue(name).trim();
      const series = [];
      const shown = lines.filter((line) => this.isShown(line)).map((line) => [line, this.visible(line)]);
      this.log = this.look.log ?? spans(shown);
      this.scaled = this.log ? onLog(shown, this.look.log === null) : "";
      const usual = Math.min(...shown.map(([, data]) => gap(data)));
      for (const [line, raw] of shown) {
        const data = this.log ? raw.map(([step, value]) => [step, value > 0 ? value : null]) : raw;
        const look = { color: ink(`--curve${line.colour % COLOURS}`), dash: DASHES[line.dash % DASHES.length] };
        const mark = MARKS[Math.floor(line.colour / COLOURS) % MARKS.length];
        const smoothed = this.look.smooth > 0 && data.length > 2;
        const width = line.fine && !smoothed ? 1 : 2;
        const marked = line.colour >= COLOURS;
        if (smoothed) series.push(lineOf(line.name, data, look, mark, 1, 0.25, marked));
        series.push(lineOf(line.name, smoothed ? smooth(data, this.look.smooth, usual) : data, look, mark, width, 1, marked));
      }
      this.points = lines.reduce((sum, line) => sum + this.visible(line).length, 0);
      const axis = {
        axisLine: { lineStyle: { color: ink("--line") } },
        axisLabel: { color: ink("--soft"), hideOverlap: true },
        splitLine: { lineStyle: { color: ink("--line") } },
        nameTextStyle: { color: ink("--soft") },
      };
      this.chart.setOption(
        {
          animation: false,
          grid: { left: 8, right: 16, top: 12, bottom: 26, containLabel: true },
          xAxis: {
            ...axis,
            type: "value",
            min: this.look.first ?? "dataMin",
            max: this.look.last ?? "dataMax",
            minInterval: 1,
            name: "optimiser step",
            nameLocation: "middle",
            nameGap: 24,
            splitLine: { show: false },
          },
          yAxis: { ...axis, type: this.log ? "log" : "value", scale: true },
          tooltip: {
            trigger: "axis",
            renderMode: "richText",
            confine: true,
            backgroundColor: ink("--card"),
            borderColor: ink("--line"),
            textStyle: { color: ink("--ink"), fontSize: 12 },
            axisPointer: { lineStyle: { color: ink("--soft") } },
            formatter: (found) => tell(found),
          },
          series,
        },
        { replaceMerge: ["series"] },
      );
    },
    // The legend, and the picture in a sentence for those who do not see it.
    describe(lines) {
      const groups = new Set(lines.map((line) => line.group));
      this.grouped = groups.size > 1;
      const entries = new Map();
      const sorts = new Map();
      const fine = groups.size > MANY ? lines.filter((line) => line.fine) : [];
      this.tooMany = new Set(fine.map((line) => line.label)); // what each step measured, in so many trainings
      for (const line of lines) {
        const name = this.nameOf(line);
        const stroke = STROKES[line.dash % STROKES.length];
        if (!entries.has(name)) {
          entries.set(name, {
            name,
            colour: line.colour % COLOURS,
            stroke: this.grouped ? "" : stroke,
            shape: SHAPES[Math.floor(line.colour / COLOURS) % MARKS.length],
            width: line.fine && !this.grouped ? 1.2 : 2.5,
            hidden: this.look.hide.includes(name),
          });
        }
        if (this.grouped && line.label) {
          const width = line.fine ? 1 : 2;
          sorts.set(line.label, { label: line.label, stroke, width, hidden: this.isOff(line.label) });
        }
      }
      this.entries = [...entries.values()];
      this.sorts = [...sorts.values()];
      const ends = lines.slice(0, TOLD).map((line) => {
        const last = line.data[line.data.length - 1];
        return last ? `${line.name} ends at ${number(last[1])} after step ${last[0]}` : `${line.name} has no points`;
      });
      const more = lines.length > TOLD ? `; and ${lines.length - TOLD} more lines` : "";
      this.told = `${this.title} over optimiser steps: ${ends.join("; ")}${more}`;
    },
    nameOf(line) {
      return this.grouped ? line.group || "the run" : line.name;
    },
    // The points that are shown, with the nearest ones beside them, so that the line leaves the picture where it goes on.
    visible(line) {
      const { first, last } = this.look;
      const low = first ?? -Infinity;
      const high = last ?? Infinity;
      const detail = line.detail;
      let data = line.data;
      if (detail && detail.first === first && detail.last === last) {
        const inside = detail.steps.map((step, at) => [step, detail.values[at]]);
        data = data.filter((one) => one[0] < low).concat(inside, data.filter((one) => one[0] > high));
      }
      const from = Math.max(data.findIndex((one) => one[0] >= low) - 1, 0);
      const past = data.findIndex((one) => one[0] > high);
      return data.some((one) => one[0] >= low) ? data.slice(from, past < 0 ? data.length : past + 1) : [];
    },
    // A drag over the picture chooses the steps that are shown; a double click shows all of them again.
    catchDrags() {
      const canvas = this.chart.getZr();
      const band = new echarts.graphic.Rect({ silent: true, invisible: true, z: 100 });
      canvas.add(band);
      let begin = null;
      const stepAt = (x) => Math.round(this.chart.convertFromPixel({ xAxisIndex: 0 }, x));
      canvas.on("mousedown", (event) => {
        begin = this.chart.containPixel("grid", [event.offsetX, event.offsetY]) ? event.offsetX : null;
      });
      canvas.on("mousemove", (event) => {
        if (begin === null || Math.abs(event.offsetX - begin) < LEAST_DRAG) return;
        const fill = getComputedStyle(document.body).getPropertyValue("--accent").trim();
        const x = Math.min(begin, event.offsetX);
        band.attr({
          invisible: false,
          shape: { x, y: 0, width: Math.abs(event.offsetX - begin), height: this.chart.getHeight() },
          style: { fill, opacity: 0.18 },
        });
      });
      canvas.on("mouseup", (event) => {
        band.attr({ invisible: true });
        if (begin === null || Math.abs(event.offsetX - begin) < LEAST_DRAG) return (begin = null);
        const [first, last] = [stepAt(begin), stepAt(event.offsetX)].sort((one, other) => one - other);
        begin = null;
        if (last > first) this.$emit("range", { first: Math.max(first, 0), last });
      });
      canvas.on("globalout", () => {
        begin = null;
        band.attr({ invisible: true });
      });
      canvas.on("dblclick", () => this.$emit("range", { first: null, last: null }));
    },
  },
};

function flipped(names, name) {
  return names.includes(name) ? names.filter((one) => one !== name) : [...names, name];
}

// Whether values lie so many decades apart that one line would hide all others; what is often 0 or below has no such scale.
function spans(shown) {
  const values = shown.flatMap(([, data]) => data.map((one) => one[1]).filter((value) => value !== null));
  const positive = values.filter((value) => value > 0);
  if (positive.length < OFTEN * values.length || values.some((value) => value < 0)) return false;
  const [low, high] = positive.reduce(([least, most], value) => [Math.min(least, value), Math.max(most, value)], [Infinity, 0]);
  return high > DECADES * low;
}

function onLog(shown, asNeeded) {
  const lost = shown.reduce((sum, [, data]) => sum + data.filter((one) => one[1] !== null && one[1] <= 0).length, 0);
  const told = asNeeded ? ["log scale: the values span more than three decades"] : [];
  return [...told, ...(lost ? [`${lost} not above 0 left out`] : [])].join("; ");
}

function lineOf(name, data, look, mark, width, opacity, marked) {
  const few = data.length <= MARKED;
  const every = Math.ceil(data.length / MARKS_ON_LONG);
  return {
    type: "line",
    name,
    data,
    symbol: mark,
    symbolSize: few ? 5 : (_, { dataIndex }) => (dataIndex % every ? 0 : 7),
    showSymbol: opacity === 1 && (few || marked),
    connectNulls: false,
    color: look.color,
    lineStyle: { width, type: look.dash, opacity },
    itemStyle: { opacity },
    tooltip: { show: opacity === 1 },
    silent: opacity < 1,
    emphasis: { disabled: true },
  };
}

// The usual number of steps between two points.
function gap(data) {
  const gaps = data.slice(1).map((one, at) => one[0] - data[at][0]).sort((one, other) => one - other);
  return gaps[Math.floor(gaps.length / 2)] || Infinity;
}

// An exponential mean over steps, not over points: the points of a long curve do not lie equally far apart, and curves of
// one picture, such as of train and validation, are to lag alike.
function smooth(data, share, usual) {
  let mean = null;
  let before = null;
  return data.map(([step, value]) => {
    if (value === null) return [step, null];
    const weight = mean === null ? 1 : 1 - Math.pow(share, Math.min((step - before) / usual, 1e3));
    mean = mean === null ? value : mean + weight * (value - mean);
    before = step;
    return [step, mean];
  });
}

function tell(found) {
  const lines = new Map(); // the smoothed one is drawn behind its own and counts
  for (const one of found) if (one.value[1] !== null) lines.set(one.seriesName, one);
  const rows = [...lines.values()].slice(0, TOLD).map((one) => `${clip(one.seriesName)}  ${number(one.value[1])}`);
  const more = lines.size > TOLD ? [`... ${lines.size - TOLD} more`] : [];
  return [`step ${found[0].value[0]}`, ...rows, ...more].join("\n");
}

function clip(text) {
  const plain = text.replace(/[{}|]/g, " "); // which rich text takes for its own
  return plain.length > 44 ? plain.slice(0, 43) + "…" : plain;
}

function number(value) {
  return value === null || value === undefined ? "not a finite number" : String(Number(value.toPrecision(4)));
}
