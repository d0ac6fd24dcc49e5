// A chart over time (uPlot), in the page's own colours, with a legend that follows the pointer.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { useStore } from "../lib/store.js";
import { colour, theme } from "../lib/theme.js";
import { moment } from "../lib/words.js";

const HEIGHT = 148;

// What marks of time may lie apart: they are written to the minute, so that nearer ones would read alike.
const MARKS_S = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14_400].map((minutes) => minutes * 60);

/**
 * Draw lines.
 *
 * `at`: seconds. `from`, `to`: what the axis spans. `lines`: {label, values, tone: name of a colour, fill?}. `format`: a
 * value in words. `steps`: what the marks of the axis may lie apart. Null is a gap.
 */
export function Chart({ title, at, from, to, lines, format, steps }) {
  const box = useRef();
  const plot = useRef(null);
  const [index, setIndex] = useState(null);
  const span = useRef();
  span.current = [from, to];
  const shown = useStore(theme);
  const shape = lines.map((line) => line.label).join();
  const isEmpty = !at.length || lines.every(({ values }) => values.every((value) => value === null));
  useEffect(() => {
    if (isEmpty) return undefined;
    const made = new uPlot(options({ lines, format, steps }, box.current.clientWidth, span, setIndex), columns(at, lines), box.current);
    plot.current = made;
    const watcher = new ResizeObserver(([{ contentRect }]) => made.setSize({ width: contentRect.width, height: HEIGHT }));
    watcher.observe(box.current);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, shown, isEmpty]);
  useEffect(() => plot.current?.setData(columns(at, lines)), [at, lines]);
  const place = index ?? at.length - 1;
  return html`<figure class="chart">
    <figcaption>
      <span class="title">${title}</span>
      <span class="legend">
        ${index !== null && html`<time class="faint">${moment(at[index])}</time>`}
        ${lines.map(({ label, values, tone }) => html`<span key=${label}><i class="mark ${tone}" aria-hidden="true"></i>${label} <b>${format(values[place] ?? null)}</b></span>`)}
      </span>
    </figcaption>
    <div class="plot" ref=${box}>${isEmpty && html`<p class="notice quiet">No history yet</p>`}</div>
  </figure>`;
}

const columns = (at, lines) => [at, ...lines.map((line) => line.values)];

function options({ lines, format, steps }, width, span, setIndex) {
  const [ink, grid] = [colour("faint"), colour("hair")];
  const axis = { stroke: ink, font: `11px ${getComputedStyle(document.body).fontFamily}`, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  return {
    width,
    height: HEIGHT,
    // To the right there is room for half of the last mark's words.
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 }, sync: { key: "time" } },
    scales: { x: { range: () => span.current }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1e-3) * 1.08] } },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 64, incrs: MARKS_S, values: (_, splits) => splits.map(clock) },
      { ...axis, size: 56, gap: 4, ...(steps && { incrs: steps }), values: (_, splits) => splits.map((value) => format(value)) },
    ],
    series: [
      {},
      ...lines.map(({ label, tone, fill }) => {
        const stroke = colour(tone);
        return { label, stroke, width: 1.6, fill: fill ? faded(stroke) : undefined, points: { size: 4 } };
      }),
    ],
    hooks: { setCursor: [(made) => setIndex(made.cursor.left >= 0 ? (made.cursor.idx ?? null) : null)] },
  };
}

const clock = (at) => moment(at).replace(/:\d\d$/, "");

const faded = (stroke) => stroke.replace(/^rgb\((.*)\)$/, "rgba($1, 0.1)");
