// The fleet, page by page.

import { html } from "../vendor/preact-htm.js";
import { may, withQuery } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { live } from "../lib/live.js";
import { link, route, setQuery } from "../lib/route.js";
import { NODE_STATES, nodeState } from "../lib/states.js";
import { useStore } from "../lib/store.js";
import { count, counted, NOTHING, short } from "../lib/words.js";
import { Ago, Badge, Labels, Slots } from "../parts/badge.js";
import { bulkNodes } from "../parts/bulk.js";
import { Filter, withTerm } from "../parts/filter.js";
import { Empty, Loaded } from "../parts/notice.js";
import { Pager } from "../parts/pager.js";
import { Table } from "../parts/table.js";

const PER_PAGE = 100;

// To order a large fleet by what only live sessions know, the hub looks at all of it.
const isOrderedByLife = (sort) => /^-?(used|free|rtt|outbox|age)$/.test(sort);

const COLUMNS = [
  { label: "Node", sort: "id", cell: (node) => html`<a class="main" href=${link("nodes", node.id)}>${node.name || node.id}</a>${node.name && node.name !== node.id && html` <small class="faint">${node.id}</small>`}` },
  { label: "State", sort: "state", cell: (node) => html`<${NodeBadge} node=${node} />` },
  { label: "Slots", sort: "used", number: true, cell: (node) => html`<${Slots} used=${node.slots_in_use} total=${node.slots} />` },
  { label: "Session", sort: "age", number: true, cell: (node) => (node.session_id ? html`<${Ago} at=${node.connected_at} />` : NOTHING) },
  { label: "Round trip", sort: "rtt", number: true, rare: true, cell: (node) => (node.round_trip_ms === null ? NOTHING : `${short(node.round_trip_ms)} ms`) },
  { label: "Done", number: true, cell: (node) => html`${count(node.totals.succeeded)}${node.totals.failed > 0 && html` <span class="warn" title="failed">✕ ${count(node.totals.failed)}</span>`}` },
  { label: "Outbox", sort: "outbox", number: true, rare: true, cell: (node) => node.outbox ?? NOTHING },
  { label: "Connects", sort: "connects", number: true, rare: true, cell: (node) => count(node.connects) },
  { label: "Last disconnect", rare: true, roomy: true, cell: (node) => node.last_disconnect && html`<${Ago} at=${node.last_disconnect.at} /> ago <span class="faint">${node.last_disconnect.reason}</span>` },
  { label: "Labels", wide: true, cell: (node) => html`<${Labels} labels=${node.labels} />` },
  { label: "Version", sort: "version", rare: true, cell: (node) => node.version },
];

export function NodeBadge({ node }) {
  const isCordoned = node.cordoned && node.state === "online";
  const isAway = node.state === "unreachable" && node.last_disconnect;
  const notes = [isAway && html`for <${Ago} at=${node.last_disconnect.at} />`, node.cordoned && !isCordoned && " cordoned"].filter(Boolean);
  return html`<${Badge} state=${nodeState(isCordoned ? "cordoned" : node.state)} note=${notes.length > 0 && notes} />`;
}

/** How many nodes are in which state; each is a filter. */
function States({ filter }) {
  const counts = useStore(live, ({ stats }) => stats?.nodes) ?? {};
  const now = /(?:^|\s)state=(\S+)/.exec(filter)?.[1] ?? "";
  const choose = (state) => setQuery({ filter: withTerm(filter, "state", state && `state=${state}`), cursor: "" });
  return html`<p class="choices states" role="group" aria-label="State">
    <button aria-pressed=${now === ""} onClick=${() => choose("")}>all</button>
    ${NODE_STATES.map((state) => html`<button key=${state} aria-pressed=${now === state} onClick=${() => choose(state)}>
      <i class=${nodeState(state).tone} aria-hidden="true">${nodeState(state).glyph}</i> ${state} <span class="faint">${count(counts[state] ?? 0)}</span></button>`)}
  </p>`;
}

export function Nodes() {
  const { query } = useStore(route);
  const { filter = "", sort = "id", cursor = "" } = query;
  const page = useFetched(withQuery("/v1/nodes", { filter, sort: sort === "id" ? "" : sort, cursor, limit: PER_PAGE }), { everyS: cursor ? 0 : isOrderedByLife(sort) ? 10 : 3 });
  return html`
    <header class="head"><h1>Nodes</h1><${Filter} value=${filter} label="Filter nodes" example="state=unreachable label.site=berlin" />
      ${may("admin") && html`<span class="buttons">${["cordon", "uncordon", "drain"].map((verb) => html`<button key=${verb} onClick=${async () => (await bulkNodes(verb, filter)) && page.reload()}>${verb[0].toUpperCase()}${verb.slice(1)} all…</button>`)}</span>`}
    </header>
    <${States} filter=${filter} />
    <${Loaded} of=${page} what="The list of nodes">${({ nodes, total, cursor: next }) => html`
      ${nodes.length ? html`<${Table} label="Nodes" columns=${COLUMNS} rows=${nodes} keyOf=${(node) => node.id} href=${(node) => link("nodes", node.id)} order=${sort} onOrder=${(order) => setQuery({ sort: order, cursor: "" })} />` : html`<${Empty}>${filter ? "No node matches this filter." : html`No node has registered yet. Start one with <code>moorline node</code>.`}<//>`}
      <${Pager} cursor=${next}>${counted(total ?? nodes.length, "node")}${filter ? " match" : ""}<//>`}<//>
  `;
}
