// What the hub itself finds wrong: firing, about to, and lately resolved; and who has been told to be quiet.

import { html, useState } from "../vendor/preact-htm.js";
import { may, post } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { link } from "../lib/route.js";
import { alertState } from "../lib/states.js";
import { useNow } from "../lib/clock.js";
import { live } from "../lib/live.js";
import { useStore } from "../lib/store.js";
import { counted, moment, NOTHING, quoted, span } from "../lib/words.js";
import { Ago, Badge } from "../parts/badge.js";
import { attempt, Dialog } from "../parts/dialog.js";
import { Empty, Loaded } from "../parts/notice.js";
import { Table } from "../parts/table.js";

const LENGTHS = { "1 hour": 3600, "4 hours": 14_400, "1 day": 86_400, "1 week": 604_800 };
// What one takes in at a glance; the rest is one click away.
const FIRING_SHOWN = 6;

const GRAVITY = ["critical", "warning"];
const ORDER = ["firing", "pending", "resolved"];

// Kinds of rules whose subject is a node's id, and those whose subject is a task's name.
const NODE_KINDS = new Set(["node_unreachable", "node_flapping", "clock_skew", "lease_expired", "instance_conflict", "unknown_attempts", "foreign_result"]);
const NAME_KINDS = new Set(["failure_rate", "queue_age", "no_node_for_task"]);

const useAlerts = () => useFetched("/v1/alerts", { everyS: 3 });

/** The firing ones alone, for the overview. */
export function FiringAlerts() {
  const alerts = useAlerts();
  const firing = alerts.data?.alerts.filter(({ state }) => state === "firing").sort(byUrgency) ?? [];
  if (!firing.length) return null;
  return html`<section>
    <header class="head"><h2>Firing alerts</h2><a href=${link("alerts")}>All alerts</a></header>
    <ul class="firing">${firing.slice(0, FIRING_SHOWN).map((alert) => html`<li key=${alert.id} class=${alert.severity === "critical" ? "bad" : "warn"}>
      <i aria-hidden="true">${alertState("firing").glyph}</i> <span class="what">${alert.message}</span>
      <span><${Subject} alert=${alert} rules=${alerts.data.rules} /></span> <span class="faint">${alert.severity}, for <${Ago} at=${alert.since_at} /></span></li>`)}</ul>
    ${firing.length > FIRING_SHOWN && html`<p class="faint">and ${counted(firing.length - FIRING_SHOWN, "more alert")}</p>`}
  </section>`;
}

export function Alerts() {
  const alerts = useAlerts();
  const [quiet, setQuiet] = useState(null);
  return html`
    <header class="head"><h1>Alerts</h1>${may("admin") && html`<span class="buttons"><${Test} /><button onClick=${() => setQuiet({})}>Silence…</button></span>`}</header>
    <${Loaded} of=${alerts} what="Alerting">${({ alerts: all, silences, rules }) => html`
      ${all.length ? html`<${AlertTable} alerts=${[...all].sort(byUrgency)} rules=${rules} onSilence=${may("admin") && setQuiet} />` : html`<${Empty}>Nothing is firing.<//>`}
      ${silences.length > 0 && html`<section><h2>Silences</h2><${Silences} silences=${silences} reload=${alerts.reload} /></section>`}
      <section><h2>Rules</h2><${Rules} rules=${rules} /></section>
      ${quiet && html`<${SilenceDialog} alert=${quiet} rules=${rules} onDone=${() => (setQuiet(null), alerts.reload())} />`}`}<//>
  `;
}

const byUrgency = (one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state) || GRAVITY.indexOf(one.severity) - GRAVITY.indexOf(other.severity) || other.since_at - one.since_at;

function AlertTable({ alerts, rules, onSilence }) {
  const columns = [
    { label: "Alert", wide: true, cell: (alert) => html`<b>${alert.message}</b>` },
    { label: "State", cell: (alert) => html`<${AlertBadge} alert=${alert} />` },
    { label: "Rule", cell: (alert) => html`${alert.rule} <small class="faint">${alert.severity}</small>` },
    { label: "About", cell: (alert) => html`<${Subject} alert=${alert} rules=${rules} />` },
    { label: "Since", number: true, cell: (alert) => html`<${Ago} at=${alert.fired_at ?? alert.since_at} />` },
    { label: "Resolved", number: true, rare: true, cell: (alert) => (alert.resolved_at ? html`<${Ago} at=${alert.resolved_at} />` : NOTHING) },
    ...(onSilence ? [{ label: "", cell: (alert) => alert.state !== "resolved" && html`<button onClick=${() => onSilence(alert)}>Silence…</button>` }] : []),
  ];
  return html`<${Table} label="Alerts" columns=${columns} rows=${alerts} keyOf=${(alert) => alert.id} />`;
}

function AlertBadge({ alert }) {
  const now = useNow();
  const isQuiet = alert.state !== "resolved" && alert.silenced_until > now;
  return html`<${Badge} state=${alertState(isQuiet ? "silenced" : alert.state)} note=${isQuiet ? `until ${moment(alert.silenced_until)}` : ""} />`;
}

/** What a subject is, its rule's kind tells: a node's id, a task's name (and perhaps what it requires), or a word. */
function Subject({ alert, rules }) {
  const { subject } = alert;
  const kind = rules.find(({ name }) => name === alert.rule)?.kind;
  if (subject && NODE_KINDS.has(kind)) return html`<a href=${link("nodes", subject)}>${subject}</a>`;
  if (subject && NAME_KINDS.has(kind) && !/\s/.test(subject)) return html`<a href=${link("tasks", "", { filter: `name=${quoted(subject)}` })}>${subject}</a>`;
  return subject;
}

function Silences({ silences, reload }) {
  const end = async ({ id }) => {
    await attempt(() => post(`/v1/alerts/silences/${encodeURIComponent(id)}/end`), "The silence has ended.");
    reload();
  };
  const columns = [
    { label: "Rule", cell: (silence) => silence.rule || "all rules" },
    { label: "About", cell: (silence) => silence.subject || "everything" },
    { label: "Until", cell: (silence) => moment(silence.until_at) },
    { label: "By", cell: (silence) => silence.who },
    { label: "Comment", wide: true, cell: (silence) => silence.comment },
    ...(may("admin") ? [{ label: "", cell: (silence) => html`<button onClick=${() => end(silence)}>End</button>` }] : []),
  ];
  return html`<${Table} label="Silences" columns=${columns} rows=${silences} keyOf=${(silence) => silence.id} />`;
}

function Rules({ rules }) {
  const columns = [
    { label: "Rule", cell: (rule) => html`<b>${rule.name}</b>` },
    { label: "Severity", cell: (rule) => rule.severity },
    { label: "Fires", cell: (rule) => (rule.for_s ? `after ${span(rule.for_s)}` : "at once") },
    { label: "Settings", wide: true, cell: settingsOf },
  ];
  return rules.length ? html`<${Table} label="Rules" columns=${columns} rows=${rules} keyOf=${(rule) => rule.name} />` : html`<${Empty}>No rules.<//>`;
}

/** What a rule was told: its kind where that is not its name, its numbers, whom it looks at, when it is quiet. */
function settingsOf({ name, kind, filter, quiet = [], settings = {} }) {
  const told = Object.entries(settings).map(([key, value]) => {
    const word = key.replace(/_s$/, "").replaceAll("_", " ");
    if (key.endsWith("_s")) return `${word} ${span(value)}`;
    if (key.endsWith("share")) return `${word} ${Math.round(value * 100)} %`;
    return key.endsWith("_bytes") ? `${word.replace(" bytes", "")} ${Math.round(value / 2 ** 20)} MiB` : `${word} ${value}`;
  });
  if (kind !== name) told.unshift(String(kind).replaceAll("_", " "));
  if (filter) told.push(`only ${filter}`);
  if (quiet.length) told.push("with quiet times");
  return html`<span class="faint">${told.join(", ")}</span>`;
}

function SilenceDialog({ alert, rules, onDone }) {
  const send = async (event) => {
    event.preventDefault();
    const { rule, subject, length, comment } = Object.fromEntries(new FormData(event.target));
    const body = { for_s: LENGTHS[length], ...(rule && { rule }), ...(subject && { subject }), ...(comment && { comment }) };
    if (await attempt(() => post("/v1/alerts/silences", body), `Quiet for ${length}.`)) onDone();
  };
  return html`<${Dialog} title="Silence" onClose=${onDone}>
    <form class="stack" onSubmit=${send}>
      <h2>Silence alerts</h2>
      <p class="faint">Nobody is told while it lasts; the alerts are still shown here.</p>
      <label>Rule<select name="rule"><option value="">all rules</option>${rules.map(({ name }) => html`<option key=${name} selected=${name === alert.rule}>${name}</option>`)}</select></label>
      <label>About<input name="subject" value=${alert.subject ?? ""} placeholder="everything" /></label>
      <label>For<select name="length">${Object.keys(LENGTHS).map((name) => html`<option key=${name}>${name}</option>`)}</select></label>
      <label>Comment<input name="comment" placeholder="why" maxlength="200" /></label>
      <p class="buttons"><button type="button" onClick=${onDone}>Leave it</button><button class="main">Silence</button></p>
    </form>
  <//>`;
}

function Test() {
  const isLive = useStore(live, ({ phase }) => phase === "live");
  const send = () =>
    attempt(
      () => post("/v1/alerts/test"),
      ({ channels }) => (channels.length ? channels.map(({ channel, ok, detail }) => `${channel}: ${ok ? "sent" : detail}`).join(", ") : "No channel is set up."),
    );
  return html`<button disabled=${!isLive} onClick=${send}>Send a test</button>`;
}
