// What the hub itself finds wrong: firing, about to, and lately resolved; and who has been told to be quiet.

import { html, useState } from "../vendor/preact-htm.js";
import { may, post, withQuery } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { route, setQuery } from "../lib/route.js";
import { alertState } from "../lib/states.js";
import { useNow } from "../lib/clock.js";
import { live } from "../lib/live.js";
import { useStore } from "../lib/store.js";
import { kindOf, whereOf } from "../lib/troubles.js";
import { count, counted, moment, NOTHING, span } from "../lib/words.js";
import { Badge, When } from "../parts/badge.js";
import { attempt, Dialog, say } from "../parts/dialog.js";
import { Empty, Loaded } from "../parts/notice.js";
import { Pager } from "../parts/pager.js";
import { Table } from "../parts/table.js";

const LENGTHS = { "1 hour": 3600, "4 hours": 14_400, "1 day": 86_400, "1 week": 604_800 };

const PER_PAGE = 200;

// To be quiet about everything is to be chosen, and no default. No rule has this name.
const ALL_RULES = "*";

const STATES = ["firing", "pending", "resolved"];

const EMPTY = {
  "": "Nothing fires, and nothing did lately. What a rule finds wrong stands here.",
  firing: "Nothing fires.",
  pending: "Nothing is about to fire. What a rule finds stands here until it has been so for long enough.",
  resolved: "Nothing has fired lately. The last 200 alerts that are over stand here.",
};

export function Alerts() {
  const { state = "", cursor = "" } = useStore(route).query;
  const alerts = useFetched(withQuery("/v1/alerts", { state, cursor, limit: PER_PAGE }), { everyS: cursor ? 0 : 3 });
  const [quiet, setQuiet] = useState(null);
  return html`
    <header class="head"><h1>Alerts</h1>${may("admin") && html`<span class="buttons"><${Test} /><button onClick=${() => setQuiet({})}>Silence…</button></span>`}</header>
    <${States} state=${state} />
    <${Loaded} of=${alerts} what="Alerting">${({ alerts: page, total, cursor: next, silences, rules, channels }) => html`
      ${page.length ? html`<${AlertTable} alerts=${page} rules=${rules} onSilence=${may("admin") && setQuiet} />` : html`<${Empty}>${EMPTY[state] ?? EMPTY[""]}<//>`}
      ${page.length > 0 && html`<${Pager} cursor=${next}>${counted(total, "alert")}<//>`}
      ${silences.length > 0 && html`<section><h2>Silences</h2><${Silences} silences=${silences} reload=${alerts.reload} /></section>`}
      <section><h2>Channels</h2><${Channels} channels=${channels} /></section>
      <details><summary><h2>${counted(rules.length, "rule")}</h2></summary><${Rules} rules=${rules} /></details>
      ${quiet && html`<${SilenceDialog} alert=${quiet} rules=${rules} onDone=${() => (setQuiet(null), alerts.reload())} />`}`}<//>
  `;
}

function States({ state }) {
  const choose = (next) => setQuery({ state: next, cursor: "" });
  return html`<p class="choices states" role="group" aria-label="State">
    <button aria-pressed=${state === ""} onClick=${() => choose("")}>all</button>
    ${STATES.map((name) => html`<button key=${name} aria-pressed=${state === name} onClick=${() => choose(name)}>
      <i class=${alertState(name).tone} aria-hidden="true">${alertState(name).glyph}</i> ${name}</button>`)}
  </p>`;
}

/** Whom alerts are told, and whether they are: who hears nothing must not think that nothing is wrong. */
function Channels({ channels }) {
  const columns = [
    { label: "Channel", named: true, cell: (channel) => html`<b>${channel.name}</b> <small class="faint">${channel.kind}</small>` },
    { label: "State", cell: ({ failures }) => html`<${Badge} state=${failures ? { glyph: "▲", tone: "bad", word: "takes nothing" } : { glyph: "●", tone: "good", word: "well" }} />` },
    { label: "Told of", cell: ({ severity }) => (severity === "critical" ? "critical alerts" : "all alerts") },
    { label: "Messages that wait", number: true, cell: ({ waiting }) => count(waiting) },
    { label: "What it met last", wide: true, cell: ({ failure, failures }) => failures > 0 && html`<span class="fault">${failure}</span> <span class="faint">${counted(failures, "try").replace("trys", "tries")} in vain</span>` },
  ];
  return channels.length
    ? html`<${Table} label="Channels" columns=${columns} rows=${channels} keyOf=${({ name }) => name} />`
    : html`<${Empty}>Nobody is told: no channel is set up. Name one in the file of <code>moorline hub --alerts</code>.<//>`;
}

function AlertTable({ alerts, rules, onSilence }) {
  const columns = [
    { label: "Alert", wide: true, cell: (alert) => html`<b>${alert.message}</b>` },
    { label: "State", cell: (alert) => html`<${AlertBadge} alert=${alert} />` },
    { label: "Rule", named: true, cell: (alert) => html`${alert.rule} <small class="faint">${alert.severity}</small>` },
    { label: "About", named: true, cell: (alert) => html`<${Subject} alert=${alert} rules=${rules} />` },
    { label: "Since", cell: (alert) => html`<${When} at=${alert.fired_at ?? alert.since_at} />` },
    { label: "Resolved", rare: true, cell: (alert) => (alert.resolved_at ? html`<${When} at=${alert.resolved_at} />` : NOTHING) },
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
  const where = whereOf(alert, rules);
  return where ? html`<a href=${where}>${alert.subject || (kindOf(alert, rules) === "queue_age" ? "the queue" : "the fleet")}</a>` : alert.subject;
}

function Silences({ silences, reload }) {
  const end = async ({ id }) => {
    await attempt(() => post(`/v1/alerts/silences/${encodeURIComponent(id)}/end`), "The silence has ended.");
    reload();
  };
  const columns = [
    { label: "Rule", cell: (silence) => silence.rule || "all rules" },
    { label: "About", cell: (silence) => silence.subject || "everything" },
    { label: "Until", cell: (silence) => html`<${When} at=${silence.until_at} />` },
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
    const body = { for_s: LENGTHS[length], ...(rule !== ALL_RULES && { rule }), ...(subject && { subject }), ...(comment && { comment }) };
    if (await attempt(() => post("/v1/alerts/silences", body), `Quiet for ${length}.`)) onDone();
  };
  return html`<${Dialog} title="Silence" onClose=${onDone}>
    <form class="stack" onSubmit=${send}>
      <h2>Silence alerts</h2>
      <p class="faint">Nobody is told while it lasts. The alerts still fire and stand on this page, and count in the verdict.</p>
      <label>Rule<select name="rule" required><option value="" disabled selected=${!alert.rule}>choose…</option><option value=${ALL_RULES}>all rules</option>${rules.map(({ name }) => html`<option key=${name} value=${name} selected=${name === alert.rule}>${name}</option>`)}</select></label>
      <label>About<input name="subject" value=${alert.subject ?? ""} placeholder="everything" /></label>
      <label>For<select name="length">${Object.keys(LENGTHS).map((name) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
      <label>Comment<input name="comment" placeholder="why" maxlength="200" /></label>
      <p class="buttons"><button type="button" onClick=${onDone}>Leave it</button><button class="main">Silence</button></p>
    </form>
  <//>`;
}

function Test() {
  const isLive = useStore(live, ({ phase }) => phase === "live");
  const send = async () => {
    const said = await attempt(() => post("/v1/alerts/test"));
    if (!said) return;
    const { channels } = said;
    const text = channels.length ? channels.map(({ channel, ok, detail }) => `${channel}: ${ok ? "sent" : detail}`).join(", ") : "Nobody was told: no channel is set up.";
    say(text, channels.length && channels.every(({ ok }) => ok) ? "good" : "bad");
  };
  return html`<button disabled=${!isLive} onClick=${send}>Send a test</button>`;
}
