// What goes wrong, by error and place: a thousand tasks that fail alike are one row.

import { html } from "../vendor/preact-htm.js";
import { may } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { link } from "../lib/route.js";
import { count, counted, quoted } from "../lib/words.js";
import { When } from "../parts/badge.js";
import { bulk } from "../parts/bulk.js";
import { Empty, Loaded } from "../parts/notice.js";
import { Table } from "../parts/table.js";

const GROUPS_MAX = 200;

const filterOf = (group) => `errorgroup=${quoted(group.id)}`;
const tasksOf = (group) => link("tasks", "", { filter: filterOf(group) });

export function Errors() {
  const page = useFetched(`/v1/errors?limit=${GROUPS_MAX}`, { everyS: 5 });
  const columns = [
    { label: "Error", wide: true, cell: (group) => html`<a class="main" href=${tasksOf(group)}>${group.type || group.kind}</a> <span class="fault">${group.message}</span>${group.place && html`<small class="place faint">${group.place}</small>`}` },
    { label: "Task", named: true, cell: (group) => group.name },
    { label: "Count", number: true, cell: (group) => html`<b>${count(group.count)}</b>` },
    { label: "First", cell: (group) => html`<${When} at=${group.first_at} />` },
    { label: "Last", cell: (group) => html`<a href=${link("tasks", group.last_task_id)} title="The task that failed last"><${When} at=${group.last_at} /></a>` },
    ...(may("submit") ? [{ label: "", cell: (group) => html`<button onClick=${async () => (await bulk("retry", filterOf(group))) && page.reload()}>Retry…</button>` }] : []),
  ];
  return html`
    <header class="head"><h1>Errors</h1></header>
    <${Loaded} of=${page} what="The list of errors">${({ groups }) => html`
      ${groups.length ? html`<${Table} label="Errors" columns=${columns} rows=${groups} keyOf=${(group) => group.id} href=${tasksOf} />` : html`<${Empty}>No attempt has failed. Failures with the same error at the same place will be one row here.<//>`}
      ${groups.length > 0 && html`<p class="pager faint">${groups.length < GROUPS_MAX ? counted(groups.length, "kind") : `the ${GROUPS_MAX} kinds seen last`} of errors</p>`}`}<//>
  `;
}
