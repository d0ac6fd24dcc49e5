// A task's life on one line: what it waited, and each attempt with its node, length and end.

import { html } from "../vendor/preact-htm.js";
import { useNow } from "../lib/clock.js";
import { link } from "../lib/route.js";
import { taskState } from "../lib/states.js";
import { moment, span } from "../lib/words.js";

/** `attempts`: {attempt, node, started_at, ended_at, outcome, run_s, error}, oldest first. */
export function Timeline({ task, attempts }) {
  const now = useNow();
  const from = task.submitted_at;
  const until = Math.max(task.finished_at ?? now, ...attempts.map((one) => one.ended_at ?? now), from + 0.001);
  const place = (at) => `${Math.min(100, Math.max(0, ((at - from) / (until - from)) * 100))}%`;
  return html`<ol class="timeline">
    ${attempts.map((one) => {
      const endsAt = one.ended_at ?? (one.run_s !== null && one.run_s !== undefined ? one.started_at + one.run_s : until);
      const { tone, glyph, word } = taskState(one.outcome ?? "running");
      const width = `max(3px, calc(${place(endsAt)} - ${place(one.started_at)}))`;
      return html`<li key=${one.attempt}>
        <span class="who">#${one.attempt} ${one.node && html`<a href=${link("nodes", one.node)}>${one.node}</a>`}</span>
        <span class="track"><i class=${tone} style=${{ left: place(one.started_at), width }}></i></span>
        <span class="what ${tone}" title=${`from ${moment(one.started_at)}`}>${glyph} ${word} <span class="faint">${span(one.run_s ?? endsAt - one.started_at)}</span></span>
        ${one.error && html`<span class="fault"><b>${one.error.type || one.error.kind}</b> ${one.error.message}</span>`}
      </li>`;
    })}
    <li class="scale faint"><span class="who"></span><span class="track"><span>${moment(from)}</span><span>${moment(until)}</span></span><span class="what"></span></li>
  </ol>`;
}
