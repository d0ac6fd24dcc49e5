// Who did what. For administrators.

import { html } from "../vendor/preact-htm.js";
import { withQuery } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { route } from "../lib/route.js";
import { useStore } from "../lib/store.js";
import { counted } from "../lib/words.js";
import { When } from "../parts/badge.js";
import { Empty, Loaded } from "../parts/notice.js";
import { Pager } from "../parts/pager.js";
import { Table } from "../parts/table.js";

const COLUMNS = [
  { label: "When", cell: (entry) => html`<${When} at=${entry.at} />` },
  { label: "Who", cell: (entry) => html`<b>${entry.who || "somebody on this machine"}</b> <small class="faint">${entry.role}</small>` },
  { label: "Did", named: true, cell: (entry) => entry.action },
  { label: "To", named: true, cell: (entry) => entry.target },
  { label: "Details", wide: true, cell: (entry) => (typeof entry.detail === "string" ? entry.detail : JSON.stringify(entry.detail)) },
  { label: "From", cell: (entry) => entry.address },
];

export function Audit() {
  const { query } = useStore(route);
  const page = useFetched(withQuery("/v1/audit", { limit: 100, cursor: query.cursor }), { everyS: query.cursor ? 0 : 10, changed: null });
  return html`
    <header class="head"><h1>Audit log</h1></header>
    <${Loaded} of=${page} what="The audit log">${({ entries, cursor }) => html`
      ${entries.length ? html`<${Table} label="Audit log" columns=${COLUMNS} rows=${entries} keyOf=${(entry) => entry.id} />` : html`<${Empty}>Nobody has done anything yet. Every action, login and token will be a line here.<//>`}
      <${Pager} cursor=${cursor}>${counted(entries.length, "entry").replace("entrys", "entries")} on this page<//>`}<//>
  `;
}
