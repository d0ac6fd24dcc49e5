// One task: what was asked, what came of it, each attempt, what its handler says, and why it is where it is.

import { html, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { address, get, may, post } from "../lib/api.js";
import { useFetched } from "../lib/fetched.js";
import { followEvents } from "../lib/live.js";
import { link } from "../lib/route.js";
import { taskState } from "../lib/states.js";
import { count, counted, exact, moment, pairs, pretty, quoted, span } from "../lib/words.js";
import { Ago, Back, Badge, Labels, Progress, When } from "../parts/badge.js";
import { attempt, confirm } from "../parts/dialog.js";
import { Facts } from "../parts/facts.js";
import { Loaded, Problem } from "../parts/notice.js";
import { Timeline } from "../parts/timeline.js";
import { couldStartAt, waitOf } from "./tasks.js";

const FINAL = new Set(["succeeded", "failed", "cancelled", "expired", "lost"]);
const WAITS = new Set(["scheduled", "queued"]);
const SHOWN = new Set(["origin", "labels", "requires", "node", "priority", "deadline", "not_before", "delay_s"]);
const RETRIED = new Set(["failed", "cancelled", "expired", "lost"]);

// As many lines as a browser scrolls through without effort; the hub keeps the rest.
const LINES_MAX = 2_000;

// Events of one task come one by one; it is read again at most this often.
const READ_EVERY_MS = 400;

// Reasons that are listed, and nodes of each that are named.
const REASONS_MAX = 20;
const NAMES_MAX = 8;

export function Task({ id }) {
  const path = `/v1/tasks/${encodeURIComponent(id)}`;
  const task = useFetched(path, { everyS: 0 });
  const attempts = useFetched(`${path}/attempts`, { everyS: 0 });
  const told = useTold(id, () => (task.reload(), attempts.reload()));
  if (task.error && !task.data) return html`<header class="head"><h1><${Back} label="All tasks" /> ${id}</h1></header><${Problem} error=${task.error} what="This task" />`;
  return html`<${Loaded} of=${task} what="This task">${(data) => html`
    <header class="head">
      <h1><${Back} label="All tasks" /> ${data.name} <${Badge} state=${taskState(data.state)} /></h1>
      ${may("submit") && html`<${Actions} task=${data} path=${path} reload=${task.reload} />`}
    </header>
    ${data.state === "running" && html`<${Progress} progress=${told.progress ?? data.progress} />`}
    ${data.error && html`<${Fault} error=${data.error} />`}
    <${TaskFacts} task=${data} />
    <section><h2>Attempts</h2><${Attempts} task=${data} of=${attempts} /></section>
    ${WAITS.has(data.state) && html`<section><h2>Why is it ${data.state}?</h2><${Explain} path=${path} /></section>`}
    <${Log} path=${path} lines=${told.lines} />
    <div class="pair">
      <section><h2>Payload <a href=${address(path)} target="_blank" rel="noopener">all as JSON</a></h2><pre>${pretty(data.payload ?? {})}</pre></section>
      ${data.state === "succeeded" && html`<section><h2>Value</h2><pre>${pretty(data.value ?? null)}</pre></section>`}
    </div>
    ${!WAITS.has(data.state) && html`<${Explanation} path=${path} />`}`}<//>`;
}

/** Follow one task: its progress and log lines as they come, and `onMove` when its state changes. */
function useTold(id, onMove) {
  const [told, setTold] = useState({ progress: null, lines: [] });
  const move = useRef(onMove);
  move.current = onMove;
  useEffect(() => {
    let timer = 0;
    setTold({ progress: null, lines: [] });
    const take = (event) => {
      if (event.kind === "task.log") setTold((old) => ({ ...old, lines: [...old.lines, event].slice(-LINES_MAX) }));
      else if (event.kind === "task.progress") setTold((old) => ({ ...old, progress: event }));
      else if (!timer) timer = setTimeout(() => ((timer = 0), move.current()), READ_EVERY_MS);
    };
    const stop = followEvents({ task: id }, { told: take, onReset: () => move.current() });
    return () => (clearTimeout(timer), stop());
  }, [id]);
  return told;
}

function Actions({ task, path, reload }) {
  const act = async (verb, text, isGrave) => {
    const word = verb === "retry" ? "Retry" : "Cancel";
    if (!(await confirm({ title: `${word} ${task.name}?`, text, action: `${word} task`, isGrave }))) return;
    await attempt(() => post(`${path}/${verb}`), verb === "retry" ? "It is queued again." : "It is cancelled.");
    reload();
  };
  return html`<span class="buttons">
    ${RETRIED.has(task.state) && html`<button onClick=${() => act("retry", "It is queued again and runs as a new attempt.", false)}>Retry</button>`}
    ${!FINAL.has(task.state) && html`<button onClick=${() => act("cancel", "If it runs it is stopped; if it waits it never starts.", true)}>Cancel</button>`}
  </span>`;
}

function Fault({ error }) {
  return html`<section class="fault-box" aria-label="Error">
    <p><b>${error.type || error.kind}</b> ${error.message}</p>
    ${error.traceback && html`<pre>${error.traceback}</pre>`}
  </section>`;
}

function TaskFacts({ task }) {
  // What has a place of its own here is not told twice.
  const options = Object.entries(task.options).filter(([name]) => !SHOWN.has(name));
  const at = (when) => when && html`<${When} at=${when} />`;
  return html`<${Facts} facts=${[
    ["Id", html`<code>${task.id}</code>`],
    ["Node", task.node && html`<a href=${link("nodes", task.node)}>${task.node}</a>`],
    ["Attempt", task.attempt ? `${task.attempt}${task.failures || task.losses ? ` (${task.failures} failed, ${task.losses} lost)` : ""}` : "none yet"],
    ["Submitted", at(task.submitted_at)],
    ["Waited", task.state === "queued" ? html`<${Ago} at=${couldStartAt(task)} isLong=${true} />` : span(waitOf(task))],
    ["Ran", task.state === "running" ? html`<${Ago} at=${task.started_at} isLong=${true} />` : span(task.run_s)],
    ["Finished", at(task.finished_at)],
    ["Not before", at(task.due_at)],
    ["Deadline", at(task.deadline_at)],
    ["Priority", task.priority || null],
    ["Only on", task.target],
    ["Requires", pairs(task.requires).join(", ")],
    ["Submitter", task.origin],
    ["Broadcast", task.group && html`<a href=${link("tasks", "", { filter: `group=${quoted(task.group)}` })}>${task.group}</a>`],
    ["Labels", pairs(task.labels).length ? html`<${Labels} labels=${task.labels} />` : null],
    ["Options", options.length ? html`<code>${options.map(optionWords).join(", ")}</code>` : null],
  ]} />`;
}

/** An option with its unit: "timeout 30 s", "retry max_attempts=4 initial=3.0 s". */
function optionWords([name, value]) {
  if (value !== null && typeof value === "object") return `${name} ${Object.entries(value).map(([key, one]) => optionWords([key, one]).replace(" ", "=")).join(" ")}`;
  return name.endsWith("_s") ? `${name.slice(0, -2)} ${span(value)}` : `${name} ${value}`;
}

function Attempts({ task, of }) {
  if (!task.attempt) return html`<p class="notice quiet">It has not started yet.</p>`;
  return html`<${Loaded} of=${of} what="The history of attempts">${({ attempts }) => html`<${Timeline} task=${task} attempts=${attempts} />`}<//>`;
}

/** Of a task that does not wait the explanation is asked for by who wants it. */
function Explanation({ path }) {
  const [isOpen, setOpen] = useState(false);
  return html`<details onToggle=${(event) => setOpen(event.target.open)}><summary><h2>Why is it here?</h2></summary>${isOpen && html`<${Explain} path=${path} />`}</details>`;
}

function Explain({ path }) {
  const said = useFetched(`${path}/explain`, { everyS: 5 });
  return html`<${Loaded} of=${said} what="An explanation">${({ summary, nodes }) => html`
    <p>${summary}</p>
    ${nodes.length > 0 && html`<ul class="reasons">${alike(nodes).slice(0, REASONS_MAX).map(({ reason, detail, ids }) => html`<li key=${`${reason} ${detail}`}>
      <span class="label">${reason.replaceAll("_", " ")}</span> <span>${detail}</span>
      <span class="faint">${ids.length > 1 ? `${counted(ids.length, "node")}: ` : ""}</span>
      ${ids.slice(0, NAMES_MAX).map((id) => html`<a key=${id} href=${link("nodes", id)}>${id}</a> `)}${ids.length > NAMES_MAX && html`<span class="faint">and ${count(ids.length - NAMES_MAX)} more</span>`}</li>`)}</ul>`}`}<//>`;
}

/** Nodes of which the same is true are one line: there may be hundreds. */
function alike(nodes) {
  const found = new Map();
  for (const { node_id: id, reason, detail } of nodes) {
    const key = `${reason} ${detail}`;
    if (!found.has(key)) found.set(key, { reason, detail, ids: [] });
    found.get(key).ids.push(id);
  }
  return [...found.values()];
}

function Log({ path, lines }) {
  const [kept, setKept] = useState(null);
  const end = useRef();
  useEffect(() => {
    get(`${path}/logs`).then(setKept, () => setKept({ lines: [], dropped: 0 }));
  }, [path]);
  // What came over the stream while the kept lines were read is among both.
  const seen = new Set(kept?.lines.map(keyOf));
  const all = [...(kept?.lines ?? []), ...lines.filter((line) => !seen.has(keyOf(line)))].slice(-LINES_MAX);
  useEffect(() => {
    const box = end.current;
    if (box && box.scrollHeight - box.scrollTop - box.clientHeight < 120) box.scrollTop = box.scrollHeight;
  }, [all.length]);
  if (!all.length) return null;
  return html`<section><h2>Log ${kept?.dropped > 0 && html`<small class="faint">${kept.dropped} lines did not fit</small>`}</h2>
    <div class="log" ref=${end} tabindex="0" role="log" aria-label="Log">${all.map((line, n) => html`<p key=${n} class=${line.level.toLowerCase()}>
      <time class="faint" title=${exact(line.at)}>${moment(line.at)}</time> <b>${line.level}</b> <span>${line.message}</span></p>`)}</div>
  </section>`;
}

const keyOf = ({ at, attempt: n, level, message }) => `${at}|${n}|${level}|${message}`;
