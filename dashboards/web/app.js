// The page: who is here, what the hub says, and one view at a time.

import { html, render, useErrorBoundary } from "./vendor/preact-htm.js";
import { me } from "./lib/api.js";
import { listenToKeys } from "./lib/keys.js";
import { follow, live } from "./lib/live.js";
import { route } from "./lib/route.js";
import { useStore } from "./lib/store.js";
import { Questions, Words } from "./parts/dialog.js";
import { Frame } from "./parts/frame.js";
import { Empty, Problem } from "./parts/notice.js";
import { Alerts } from "./views/alerts.js";
import { Audit } from "./views/audit.js";
import { Errors } from "./views/errors.js";
import { Events } from "./views/events.js";
import { Login } from "./views/login.js";
import { Node } from "./views/node.js";
import { Nodes } from "./views/nodes.js";
import { Overview } from "./views/overview.js";
import { Task } from "./views/task.js";
import { Tasks } from "./views/tasks.js";

// Maps: an address can name anything, also what every object has.
const VIEWS = new Map(Object.entries({ overview: Overview, nodes: Nodes, tasks: Tasks, errors: Errors, events: Events, alerts: Alerts, audit: Audit }));
const DETAILS = new Map(Object.entries({ nodes: Node, tasks: Task }));

function App() {
  const who = useStore(me);
  const phase = useStore(live, (value) => value.phase);
  if (phase === "refused") return html`<main class="login"><${Problem} error=${live.value.error} /></main>`;
  if (who?.needs_login) return html`<${Login} />`;
  if (!who && phase === "connecting") return null;
  return html`<${Frame}><${View} /><//><${Questions} /><${Words} />`;
}

function View() {
  const { view, id } = useStore(route);
  const Shown = (id ? DETAILS : VIEWS).get(view);
  if (!Shown) return html`<${Empty}>There is no view ${view}.<//>`;
  return html`<${Guard} key=${`${view}/${id}`}><${Shown} id=${id} /><//>`;
}

/** What breaks in a view stays in it. */
function Guard({ children }) {
  const [error, reset] = useErrorBoundary((problem) => console.error(problem));
  if (!error) return children;
  return html`<div class="notice warn" role="alert"><p><strong>This view broke:</strong> ${String(error)}</p><p><button onClick=${reset}>Draw it again</button></p></div>`;
}

listenToKeys();
follow();
render(html`<${App} />`, document.getElementById("page"));
