// One node: how it is, its last day, what it runs, and what an operator may ask of it.

import { html } from "../vendor/preact-htm.js";
import { may, post } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { hubNow } from "../lib/live.js";
import { link } from "../lib/route.js";
import { count, counted, NOTHING, quoted, short, span } from "../lib/words.js";
import { nodeState } from "../lib/states.js";
import { Ago, Back, Badge, Labels, Slots, When } from "../parts/badge.js";
import { attempt, confirm } from "../parts/dialog.js";
import { Facts } from "../parts/facts.js";
import { Loaded, Problem } from "../parts/notice.js";
import { Strip } from "../parts/strip.js";
import { NodeBadge } from "./nodes.js";
import { TaskTable } from "./tasks.js";

const DAY_S = 86_400;
const REASONS_SHOWN = 8;

const ASKED = {
  cordon: { word: "Cordon", text: "It gets nothing new; what it runs goes on.", done: "is cordoned: it gets nothing new" },
  uncordon: { word: "Uncordon", text: "It gets work again.", done: "gets work again" },
  drain: { word: "Drain", text: "It finishes what it runs, takes nothing new, and leaves.", done: "drains: it leaves when what it runs is finished" },
  disconnect: { word: "Disconnect", text: "Its connection is closed. It comes back by itself, and what it runs goes on.", done: "is disconnected, and comes back by itself" },
};

export function Node({ id }) {
  const path = `/v1/nodes/${encodeURIComponent(id)}`;
  const node = useFetched(path, { everyS: 2 });
  if (node.error && !node.data) return html`<header class="head"><h1><${Back} label="All nodes" /> ${id}</h1></header><${Problem} error=${node.error} what="This node" />`;
  return html`<${Loaded} of=${node} what="This node">${(data) => html`
    <header class="head">
      <h1><${Back} label="All nodes" /> ${data.name || data.id} <${NodeBadge} node=${data} /></h1>
      ${may("admin") && html`<${Actions} node=${data} path=${path} reload=${node.reload} />`}
    </header>
    <${NodeFacts} node=${data} />
    <${History} path=${path} />
    <section><h2>Runs now</h2><${Running} id=${id} /></section>
    <section>
      <header class="head"><h2>Handlers</h2><a href=${link("tasks", "", { filter: `node=${quoted(id)}` })}>All its tasks</a></header>
      <p class="labels">${data.handlers.map((name) => html`<span class="label" key=${name}>${name}</span>`)}</p>
    </section>`}<//>`;
}

function Actions({ node, path, reload }) {
  const isHere = node.state === "online" || node.state === "draining";
  const verbs = [node.cordoned || node.state === "draining" ? "uncordon" : "cordon", ...(isHere ? [...(node.state === "online" ? ["drain"] : []), "disconnect"] : [])];
  const act = async (verb) => {
    const { word, text, done } = ASKED[verb];
    const title = `${word} ${node.id}?`;
    if (!(await confirm({ title, text, action: word }))) return;
    await attempt(() => post(`${path}/${verb}`), `${node.id} ${done}.`);
    reload();
  };
  return html`<span class="buttons">${verbs.map((verb) => html`<button key=${verb} onClick=${() => act(verb)}>${ASKED[verb].word}</button>`)}</span>`;
}

function NodeFacts({ node }) {
  const { totals, last_disconnect: left } = node;
  return html`<${Facts} facts=${[
    ["Slots", html`<${Slots} used=${node.slots_in_use} total=${node.slots} />`],
    ["Session", node.session_id ? html`<${Ago} at=${node.connected_at} isLong=${true} />` : "none"],
    ["Round trip", node.round_trip_ms === null ? NOTHING : `${short(node.round_trip_ms)} ms`],
    ["Load", node.load === null ? NOTHING : node.load.toFixed(2)],
    ["Outbox", node.outbox ?? NOTHING],
    ["Connects", `${count(node.connects)}, ${count(node.disconnects)} ended`],
    ["Last disconnect", left ? html`<${When} at=${left.at} /> <span class="faint">${left.reason}</span>` : "never"],
    ["Done", html`${count(totals.succeeded)} succeeded, ${count(totals.failed)} failed, ${count(totals.lost)} lost`],
    ["Ran for", span(totals.run_s)],
    ["First seen", html`<${When} at=${node.first_seen_at} />`],
    ["Last heard of", node.session_id ? null : html`<${When} at=${node.last_seen_at} />`],
    ["Version", node.version],
    ["Id", html`<code>${node.id}</code>`],
    ["Labels", Object.keys(node.labels ?? {}).length ? html`<${Labels} labels=${node.labels} />` : "none"],
  ]} />`;
}

function History({ path }) {
  const history = useFetched(`${path}/history`, { everyS: 15 });
  return html`<section><h2>Sessions of the last 24 hours</h2>
    <${Loaded} of=${history} what="The history of sessions">${({ spans, since, until }) => html`
      <${Strip} spans=${spans} since=${Math.max(since, hubNow() - DAY_S)} until=${until} />
      <${Reasons} spans=${spans} />`}<//>
  </section>`;
}

function Reasons({ spans }) {
  const all = spans.filter((one) => one.state !== "online");
  if (!all.length) return html`<p class="faint">It has not been away.</p>`;
  const away = all.slice(-REASONS_SHOWN).reverse();
  return html`${all.length > away.length && html`<p class="faint">the last ${away.length} of ${counted(all.length, "time")} that it was not online</p>`}<ul class="reasons">${away.map((one) => html`<li key=${one.began_at}>
    <${When} at=${one.began_at} /> <${Badge} state=${nodeState(one.state)} />
    <span>${one.ended_at === null ? "until now" : `for ${span(one.ended_at - one.began_at)}`}</span> <span class="faint">${one.reason}</span></li>`)}</ul>`;
}

function Running({ id }) {
  const page = useFetched(`/v1/tasks?state=running&node=${encodeURIComponent(id)}&limit=100`, { everyS: 3 });
  return html`<${Loaded} of=${page}>${({ tasks }) => (tasks.length ? html`<${TaskTable} tasks=${tasks} without=${["Node"]} />` : html`<p class="notice quiet">Nothing. What it runs stands here while it runs.</p>`)}<//>`;
}
