// Is the fleet well, what is not, and why: to be seen within two seconds.

import { html, useMemo } from "../vendor/preact-htm.js";
import { useFetched } from "../lib/fetched.js";
import { hubNow, live } from "../lib/live.js";
import { link, route, setQuery } from "../lib/route.js";
import { verdict } from "../lib/states.js";
import { useStore } from "../lib/store.js";
import { troubles } from "../lib/troubles.js";
import { count, counted, exact, moment, NOTHING, quoted, short, span } from "../lib/words.js";
import { useNow } from "../lib/clock.js";
import { Ago } from "../parts/badge.js";
import { Chart } from "../parts/chart.js";
import { NodeMap } from "../parts/map.js";
import { Loaded } from "../parts/notice.js";

// What one takes in at a glance; the rest is one click away.
const TROUBLES_SHOWN = 8;
const ERRORS_SHOWN = 5;

// Errors that are older belong to another story.
const ERRORS_WITHIN_S = 600;

// Alerts that are read for the verdict: from four on, those of one rule are one line.
const ALERTS_READ = 200;

// The shortest time that a chart spans: less would be labelled by half minutes.
const SHORTEST_S = 300;

const RANGES = { "30m": [1800, 10], "2h": [7200, 10], "24h": [86_400, 300], "7d": [604_800, 300], "30d": [2_592_000, 300] };

// Marks on an axis of time spans, in seconds: what people count in.
const SPANS = [
  ...[0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30],
  ...[1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720, 1440, 2880, 7200, 14_400, 43_200].map((minutes) => minutes * 60),
];

export function Overview() {
  const stats = useStore(live, ({ stats }) => stats);
  if (!stats) return html`<p class="notice quiet" aria-busy="true">Waiting for the hub…</p>`;
  return html`
    <${Verdict} stats=${stats} />
    <${Failing} />
    <${Figures} stats=${stats} />
    <${Fleet} />
    <${Charts} />
  `;
}

// What alerts say changes slowly; that one begins or ends, or a node goes, is to be seen at once.
const alertsTurn = (stats) => stats && `${stats.alerts?.firing} ${stats.nodes.unreachable} ${Math.floor(stats.hub.uptime_s / 10)}`;

/** The hub's word, and below it what is wrong, each with a link to where it can be seen. */
function Verdict({ stats }) {
  const { level = "ok" } = stats.verdict ?? {};
  const { glyph, tone, word } = verdict(level);
  // Alerts that begin and end are read at once; what they say is kept up to date.
  const alerts = useFetched(`/v1/alerts?state=firing,pending&limit=${ALERTS_READ}`, { everyS: 5, changed: alertsTurn });
  const nowS = useNow();
  const wrong = troubles({ stats, ...alerts.data, nowS });
  return html`<section class="verdict ${tone}" aria-label="Verdict">
    <h1 class="big"><i aria-hidden="true">${glyph}</i>${word}</h1>
    ${wrong.length
      ? html`<ul class="troubles">${wrong.slice(0, TROUBLES_SHOWN).map((trouble) => html`<${Trouble} key=${trouble.key} trouble=${trouble} />`)}
          ${wrong.length > TROUBLES_SHOWN && html`<li><i aria-hidden="true"></i><span class="what"><a href=${link("alerts")}>and ${count(wrong.length - TROUBLES_SHOWN)} more</a></span></li>`}</ul>`
      : html`<p class="why">${calmWords(stats)}</p>`}
  </section>`;
}

function Trouble({ trouble: { tone, text, href, since, note, silencedUntil } }) {
  const row = href ? { "data-row": "", tabIndex: -1 } : {};
  return html`<li class=${tone} ...${row}>
    <i aria-hidden="true">${tone === "bad" ? "■" : tone === "warn" ? "▲" : "‖"}</i>
    <span class="what">${href ? html`<a href=${href}>${text}</a>` : text}</span>
    <span class="note">${note}${note && since ? ", " : ""}${since ? html`for <${Ago} at=${since} />` : ""}${silencedUntil ? `, silenced until ${moment(silencedUntil)}` : ""}</span>
  </li>`;
}

/** What fails at the moment: a thousand tasks that fail alike are one line. */
function Failing() {
  const page = useFetched("/v1/errors?limit=50", { everyS: 10 });
  const nowS = useNow();
  const lately = (page.data?.groups ?? []).filter(({ last_at: at }) => nowS - at < ERRORS_WITHIN_S);
  if (!lately.length) return null;
  return html`<section>
    <header class="head"><h2>Failed in the last 10 minutes</h2><a href=${link("errors")}>All errors</a></header>
    <ul class="failing">${lately.slice(0, ERRORS_SHOWN).map((group) => html`<li key=${group.id} data-row tabindex="-1">
      <span class="what"><a href=${link("tasks", "", { filter: `errorgroup=${quoted(group.id)}` })}>${group.name}: ${group.type || group.kind}</a> <span class="faint">${group.message}</span></span>
      <span class="note">${counted(group.count, "time")} since <time title=${exact(group.first_at)}>${moment(group.first_at)}</time>, last <${Ago} at=${group.last_at} /> ago</span></li>`)}</ul>
    ${lately.length > ERRORS_SHOWN && html`<p class="faint">and <a href=${link("errors")}>${counted(lately.length - ERRORS_SHOWN, "more kind")}</a></p>`}
  </section>`;
}

function calmWords({ nodes, tasks }) {
  const running = tasks.running ?? 0;
  return `${counted(nodes.online ?? 0, "node")} online, ${running ? `${counted(running, "task")} running` : "nothing running"}, ${tasks.queued ? `${count(tasks.queued)} queued` : "nothing waits"}.`;
}

function Figures({ stats }) {
  const { tasks, nodes, rates = {} } = stats;
  const { unreachable = 0, draining = 0, gone = 0 } = nodes;
  const away = [unreachable && `${count(unreachable)} unreachable`, draining && `${count(draining)} draining`].filter(Boolean).join(", ");
  const tasksWith = (state) => link("tasks", "", { filter: `state=${state}` });
  return html`<section class="figures" aria-label="Counts">
    <${Figure} label="Queued" value=${count(tasks.queued ?? 0)} href=${tasksWith("queued")}
      note=${stats.oldest_queued_at ? html`oldest waits <${Ago} at=${stats.oldest_queued_at} isLong=${true} />` : "nothing waits"} />
    <${Figure} label="Running" value=${count(tasks.running ?? 0)} href=${tasksWith("running")} note="${short(rates.started ?? 0)}/s started" />
    <${Figure} label="Finished" value=${html`${short(rates.finished ?? 0)}<small>/s</small>`} href=${tasksWith("succeeded")} note="${short(rates.succeeded ?? 0)}/s succeeded" />
    <${Figure} label="Failed" value=${html`${short(rates.failed ?? 0)}<small>/s</small>`} href=${tasksWith("failed")} tone=${rates.failed > 0 ? "warn" : ""} note="${count(tasks.failed ?? 0)} in all" />
    <${Figure} label="Nodes online" value=${count(nodes.online ?? 0)} href=${link("nodes")} note=${away || `${count(gone)} gone`} tone=${nodes.unreachable ? "warn" : ""} />
    <${Figure} label="Scheduled" value=${count(tasks.scheduled ?? 0)} href=${tasksWith("scheduled")} note="wait for a time or a retry" />
  </section>`;
}

function Figure({ label, value, note, href, tone = "" }) {
  return html`<a class="figure ${tone}" href=${href}><span class="label">${label}</span><span class="value">${value}</span><span class="note">${note}</span></a>`;
}

function Charts() {
  const { query } = useStore(route);
  const range = RANGES[query.range] ? query.range : "30m";
  const [lengthS, stepS] = RANGES[range];
  // The window moves on once a minute, or with each sample where those are rarer.
  const moveS = Math.max(60, stepS);
  const turn = useStore(live, () => Math.floor(hubNow() / moveS));
  const since = useMemo(() => Math.max(0, Math.floor(hubNow()) - lengthS), [lengthS, turn]);
  const history = useFetched(`/v1/history?since=${since}&step=${stepS}`, { everyS: stepS });
  return html`<section>
    <header class="head">
      <h2>History</h2>
      <span class="choices" role="group" aria-label="Length">${Object.keys(RANGES).map((name) => html`<button key=${name} aria-pressed=${name === range} onClick=${() => setQuery({ range: name }, { replace: true })}>${name}</button>`)}</span>
    </header>
    <${Kept} of=${history} what="History">${(data) => html`<${FourCharts} data=${data} from=${since} to=${since + lengthS} />`}<//>
  </section>`;
}

/** The last history stays while the next is read: charts must not blink. */
function Kept({ of, what, children }) {
  const kept = useMemo(() => ({ data: null }), []);
  if (of.data) kept.data = of.data;
  return html`<${Loaded} of=${{ ...of, data: of.data ?? kept.data }} what=${what}>${children}<//>`;
}

/** Put a hole where no sample was taken for a while: a line across it would be an invention. */
function withHoles(data) {
  const { at, step_s: stepS } = data;
  const places = at.flatMap((when, n) => (n > 0 && when - at[n - 1] > 2.5 * stepS ? [null, n] : [n]));
  if (places.length === at.length) return data;
  const columns = Object.entries(data).filter(([, column]) => Array.isArray(column));
  const fuller = columns.map(([name, column]) => [name, places.map((n) => (n === null ? null : column[n]))]);
  // A hole stands a step behind the last sample before it.
  const times = places.map((n, place) => (n === null ? at[places[place - 1]] + stepS : at[n]));
  return { ...data, ...Object.fromEntries(fuller), at: times };
}

function FourCharts({ data: told, from, to }) {
  const data = useMemo(() => withHoles(told), [told]);
  const perS = (name) => data[name].map((n) => (n === null ? null : n / data.step_s));
  const charts = useMemo(() => [
    { title: "Throughput", format: (n) => (n === null ? NOTHING : `${short(n)}/s`), lines: [
      { label: "submitted", values: perS("submitted"), tone: "calm" },
      { label: "succeeded", values: perS("succeeded"), tone: "good", fill: true },
      { label: "failed", values: perS("failed"), tone: "bad" }] },
    { title: "Oldest in the queue", format: span, steps: SPANS, lines: [{ label: "waits", values: data.oldest_queued_s, tone: "warn", fill: true }] },
    { title: "Run time", format: span, steps: SPANS, lines: [
      { label: "p50", values: data.run_p50_s, tone: "good" },
      { label: "p95", values: data.run_p95_s, tone: "busy" }] },
    { title: "Nodes", format: (n) => short(n), lines: [
      { label: "online", values: data.nodes_online, tone: "good", fill: true },
      { label: "away", values: data.nodes_away, tone: "bad" }] },
  ], [data]);
  // A young hub's charts begin with the hub: what was before it is nothing to see.
  const begin = data.at.length ? Math.max(from, Math.min(data.at[0], to - SHORTEST_S)) : from;
  return html`<div class="charts">${charts.map((chart) => html`<${Chart} key=${chart.title} at=${data.at} from=${begin} to=${to} ...${chart} />`)}</div>`;
}

function Fleet() {
  const map = useFetched("/v1/map", { everyS: 5 });
  return html`<section>
    <header class="head"><h2>Nodes</h2></header>
    <${Loaded} of=${map} what="The map of nodes">${({ nodes }) =>
      nodes.length ? html`<${NodeMap} nodes=${nodes} />` : html`<p class="notice quiet">No node has registered yet. Start one with <code>moorline node</code>.</p>`}<//>
  </section>`;
}
