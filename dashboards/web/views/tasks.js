// Tasks, newest first, as the hub's filter selects them.

import { html } from "../vendor/preact-htm.js";
import { get, may, withQuery } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { live } from "../lib/live.js";
import { link, route, setQuery } from "../lib/route.js";
import { TASK_STATES, taskState } from "../lib/states.js";
import { useStore } from "../lib/store.js";
import { count, counted, NOTHING, span } from "../lib/words.js";
import { Ago, Badge, Progress } from "../parts/badge.js";
import { bulk } from "../parts/bulk.js";
import { Filter, withTerm } from "../parts/filter.js";
import { Empty, Loaded } from "../parts/notice.js";
import { Pager } from "../parts/pager.js";
import { Table } from "../parts/table.js";

const PER_PAGE = 100;

// The hub looks at 5,000 tasks for a page, whatever it finds among them. A page that is empty is no answer: so many more
// are looked at before somebody is asked whether to go on.
const LOOKS_MAX = 10;

const COLUMNS = [
  { label: "Task", cell: (task) => html`<a class="main" href=${link("tasks", task.id)}>${task.name}</a> <small class="faint id">${task.id}</small>` },
  { label: "State", cell: (task) => html`<${Badge} state=${taskState(task.state)} />` },
  { label: "Node", named: true, cell: (task) => task.node && html`<a href=${link("nodes", task.node)}>${task.node}</a>` },
  { label: "Attempt", number: true, rare: true, cell: (task) => task.attempt || NOTHING },
  { label: "Age", number: true, cell: (task) => html`<${Ago} at=${task.submitted_at} />` },
  { label: "Waited", number: true, rare: true, cell: (task) => (task.state === "queued" ? html`<${Ago} at=${couldStartAt(task)} />` : span(waitOf(task))) },
  { label: "Ran", number: true, cell: (task) => (task.state === "running" ? html`<${Ago} at=${task.started_at} />` : span(task.run_s)) },
  { label: "Details", wide: true, cell: (task) => html`<${Details} task=${task} />` },
];

/** When a task that waits could have started. */
export const couldStartAt = (task) => Math.max(task.submitted_at, task.due_at ?? 0);

/** How long it waited; while its first attempt runs, the hub does not say it yet. */
export function waitOf(task) {
  return task.wait_s ?? (task.state === "running" && task.attempt === 1 ? Math.max(0, task.started_at - couldStartAt(task)) : null);
}

function Details({ task }) {
  if (task.progress) return html`<${Progress} progress=${task.progress} />`;
  if (task.error) return html`<span class="fault" title=${task.error.message}>${task.error.type && html`<b>${task.error.type}</b> `}${task.error.message}</span>`;
  return null;
}

/** A table of tasks; `without`: labels of columns that say nothing here. */
export function TaskTable({ tasks, without = [] }) {
  const columns = COLUMNS.filter(({ label }) => !without.includes(label));
  return html`<${Table} label="Tasks" columns=${columns} rows=${tasks} keyOf=${(task) => task.id} href=${(task) => link("tasks", task.id)} />`;
}

export function Tasks() {
  const { query } = useStore(route);
  const { filter = "", cursor = "" } = query;
  const page = useFetched(withQuery("/v1/tasks", { filter, cursor, limit: PER_PAGE }), { everyS: cursor ? 0 : 2, ask: findSome });
  return html`
    <header class="head">
      <h1>Tasks</h1>
      <${Filter} value=${filter} label="Filter tasks" example="state=failed name~hash node=n1 age>5m" />
      ${may("submit") && html`<${BulkButtons} filter=${filter} reload=${page.reload} />`}
    </header>
    <${States} filter=${filter} />
    <${Loaded} of=${page} what="The list of tasks">${({ tasks, cursor: next }) => html`
      ${tasks.length ? html`<${TaskTable} tasks=${tasks} />` : html`<${Empty}>${nothingWords(filter, next, cursor)}<//>`}
      <${Pager} cursor=${next} word=${tasks.length ? "Next page" : "Look further back"}>${counted(tasks.length, "task")} on this page${next && tasks.length < PER_PAGE ? ", older ones may follow" : ""}<//>`}<//>
  `;
}

async function findSome(path, signal) {
  let page = await get(path, signal);
  for (let looks = 1; looks < LOOKS_MAX && !page.tasks.length && page.cursor; looks += 1) {
    page = await get(withCursor(path, page.cursor), signal);
  }
  return page;
}

function withCursor(path, cursor) {
  const [route, query] = path.split("?");
  return withQuery(route, { ...Object.fromEntries(new URLSearchParams(query)), cursor });
}

function nothingWords(filter, next, cursor) {
  if (!filter) return cursor ? "There are no older tasks." : "No task has been submitted yet. The newest will stand first here.";
  if (next) return "None of the tasks that were looked at matches this filter; there are older ones.";
  return cursor ? "No older task matches this filter." : "No task matches this filter.";
}

function States({ filter }) {
  const counts = useStore(live, ({ stats }) => stats?.tasks) ?? {};
  const now = /(?:^|\s)state=(\S+)/.exec(filter)?.[1] ?? "";
  const choose = (state) => setQuery({ filter: withTerm(filter, "state", state && `state=${state}`), cursor: "" });
  return html`<p class="choices states" role="group" aria-label="State">
    <button aria-pressed=${now === ""} onClick=${() => choose("")}>all</button>
    ${TASK_STATES.map((state) => html`<button key=${state} aria-pressed=${now === state} onClick=${() => choose(state)}>
      <i class=${taskState(state).tone} aria-hidden="true">${taskState(state).glyph}</i> ${state} <span class="faint">${count(counts[state] ?? 0)}</span></button>`)}
  </p>`;
}

function BulkButtons({ filter, reload }) {
  const act = async (action) => (await bulk(action, filter)) && reload();
  return html`<span class="buttons">
    <button onClick=${() => act("retry")}>Retry all…</button>
    <button onClick=${() => act("cancel")}>Cancel all…</button>
  </span>`;
}
