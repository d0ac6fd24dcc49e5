// Values as words for people: numbers, time spans, moments.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const time = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

export const NOTHING = "–";

export function count(n) {
  return n === null || n === undefined ? NOTHING : whole.format(n);
}

/** "1 task", "2 tasks". */
export function counted(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

/** Three digits at most: 0, 0.4, 12, 1.2k. */
export function short(n) {
  if (n === null || n === undefined) return NOTHING;
  if (n !== 0 && n < 10) return `${+n.toFixed(n < 1 ? 2 : 1)}`;
  if (n < 10_000) return whole.format(Math.round(n));
  return n < 1e6 ? `${+(n / 1e3).toFixed(1)}k` : `${+(n / 1e6).toFixed(1)}M`;
}

/** A time span in two units at most: 850 ms, 3.2 s, 4m 05s, 2h 03m, 3d 04h. */
export function span(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return NOTHING;
  if (seconds > 0 && seconds < 0.001) return "<1 ms";
  if (seconds < 1) return `${Math.round(Math.max(0, seconds) * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const all = Math.floor(seconds);
  if (all < 60) return `${all} s`;
  const units = [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]];
  const [unitS, unit, partS, part] = units.find(([size]) => all >= size);
  return `${Math.floor(all / unitS)}${unit} ${String(Math.floor((all % unitS) / partS)).padStart(2, "0")}${part}`;
}

/** A time span that only has to be about right: 5s, 12m, 3h, 9d. */
export function about(seconds) {
  if (seconds === null || seconds === undefined) return NOTHING;
  const found = [[86400, "d"], [3600, "h"], [60, "m"]].find(([size]) => seconds >= 2 * size);
  return found ? `${Math.floor(seconds / found[0])}${found[1]}` : `${Math.max(0, Math.floor(seconds))}s`;
}

/** A moment on this browser's clock; of another day with its date. */
export function moment(at) {
  if (at === null || at === undefined) return NOTHING;
  const date = new Date(at * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? time.format(date) : `${day.format(date)} ${time.format(date)}`;
}

/** The same without doubt, for what is shown when the pointer rests. */
export function exact(at) {
  return at === null || at === undefined ? "" : new Date(at * 1000).toISOString().replace("T", " ");
}

export function pairs(labels) {
  return Object.entries(labels ?? {})
    .sort()
    .map(([key, value]) => `${key}=${value}`);
}

/** A value as JSON over several lines; what is very long is cut, since a browser stands still over it. */
export function pretty(value, max = 100_000) {
  const text = JSON.stringify(value, null, 2) ?? "";
  return text.length > max ? `${text.slice(0, max)}\n… ${count(text.length - max)} characters more` : text;
}

/** A word for the filter grammar, in quotes where it needs them. */
export function quoted(text) {
  return /^[\w.:@/*-]+$/.test(text) ? text : `"${text.replace(/(["\\])/g, "\\$1")}"`;
}
