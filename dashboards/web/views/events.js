// What happens, as it happens: the only view that asks the hub for every event.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { onKey } from "../lib/keys.js";
import { followEvents, live } from "../lib/live.js";
import { link, route, setQuery } from "../lib/route.js";
import { eventState } from "../lib/states.js";
import { useStore } from "../lib/store.js";
import { exact, moment } from "../lib/words.js";
import { Badge } from "../parts/badge.js";
import { Empty } from "../parts/notice.js";

const ROWS_MAX = 200;

// A storm of events is drawn four times a second.
const DRAWN_EVERY_MS = 250;

// How far back the view begins.
const EARLIER = 200;

const KINDS = { all: "", tasks: "task", nodes: "node", alerts: "alert" };

export function Events() {
  const { query } = useStore(route);
  const { kind, name, node } = query;
  const [isFrozen, setFrozen] = useState(false);
  const { rows, skipped } = useEvents(query, isFrozen);
  useEffect(() => onKey(" ", () => setFrozen((was) => !was)), []);
  return html`
    <header class="head"><h1>Events</h1>
      <span class="choices" role="group" aria-label="Kind">${Object.keys(KINDS).map((kind) => html`<button key=${kind} aria-pressed=${(query.kind ?? "all") === kind} onClick=${() => setQuery({ kind: kind === "all" ? "" : kind })}>${kind}</button>`)}</span>
      <${Field} name="name" value=${query.name} isFirst=${true} /><${Field} name="node" value=${query.node} />
      <button aria-pressed=${isFrozen} onClick=${() => setFrozen(!isFrozen)}>${isFrozen ? `Go on (${skipped} more)` : "Freeze"}</button>
    </header>
    ${rows.length ? html`<ol class="events" aria-label="Events">${rows.map((event) => html`<${EventRow} key=${event.key} event=${event} />`)}</ol>` : html`<${Empty}>${kind || name || node ? "Nothing of this kind has happened lately." : "Nothing has happened yet."} What happens stands here at once.<//>`}
  `;
}

function Field({ name, value = "", isFirst }) {
  const more = isFirst ? { "data-filter": "" } : {};
  return html`<input class="narrow" type="search" placeholder=${`${name}…`} aria-label=${`Only this ${name}`} value=${value} ...${more} onChange=${(event) => setQuery({ [name]: event.target.value.trim() })} />`;
}

function useEvents({ kind = "all", name = "", node = "" }, isFrozen) {
  const [rows, setRows] = useState([]);
  const waiting = useRef([]);
  const [skipped, setSkipped] = useState(0);
  const frozen = useRef(isFrozen);
  frozen.current = isFrozen;
  useEffect(() => {
    let number = 0;
    waiting.current = [];
    setRows([]);
    const told = (event) => {
      number += 1;
      waiting.current.unshift({ ...event, key: event.id ?? `live-${number}` });
      if (waiting.current.length > ROWS_MAX) waiting.current.length = ROWS_MAX;
    };
    const draw = () => {
      if (frozen.current) return setSkipped(waiting.current.length);
      if (!waiting.current.length) return undefined;
      const fresh = waiting.current;
      waiting.current = [];
      setSkipped(0);
      return setRows((old) => [...fresh, ...old].slice(0, ROWS_MAX));
    };
    const newest = live.value.stats?.last_event_id ?? 0;
    // A name or a node may be rare: look further back for it.
    const back = name || node ? EARLIER * 20 : EARLIER;
    const stop = followEvents({ kind: KINDS[kind], name, node, last_event_id: Math.max(0, newest - back) }, { told });
    const timer = setInterval(draw, DRAWN_EVERY_MS);
    return () => (clearInterval(timer), stop());
  }, [kind, name, node]);
  return { rows, skipped };
}

function EventRow({ event }) {
  const state = eventState(event.kind);
  return html`<li class=${state.tone}>
    <time class="faint" title=${exact(event.at)}>${moment(event.at)}</time>
    <${Badge} state=${state} />
    <span class="about"><${About} event=${event} /></span>
  </li>`;
}

function About({ event }) {
  const node = event.node_id && html`<a href=${link("nodes", event.node_id)}>${event.node_id}</a>`;
  if (event.kind.startsWith("task.")) {
    const fault = event.error ? `${event.error.type}: ${event.error.message}` : (event.message ?? "");
    return html`<a href=${link("tasks", event.task_id)}>${event.name || event.task_id}</a> ${event.attempt > 0 && html`<span class="faint">#${event.attempt}</span>`} ${node && html`<span class="faint">on</span> ${node}`} ${fault && html`<span class="fault">${fault}</span>`}`;
  }
  return html`${event.name && html`<b>${event.name}</b> `}${node} <span class="faint">${event.reason ?? event.message ?? ""}</span>`;
}
