// Small things that stand in many places: a state, an age, a bar of slots, labels.

import { html } from "../vendor/preact-htm.js";
import { useNow } from "../lib/clock.js";
import { goBack, link, route } from "../lib/route.js";
import { about, exact, moment, pairs, span } from "../lib/words.js";

/** A state as glyph, word and tone. */
export function Badge({ state, note }) {
  return html`<span class="badge ${state.tone}"><i aria-hidden="true">${state.glyph}</i>${state.word}${note && html` <small>${note}</small>`}</span>`;
}

/** How long ago a moment was; it goes on counting. */
export function Ago({ at, isLong = false }) {
  const now = useNow();
  if (at === null || at === undefined) return html`<span class="faint">–</span>`;
  const seconds = now - at;
  return html`<time title=${exact(at)}>${isLong ? span(seconds) : about(seconds)}</time>`;
}

/** A moment on this browser's clock, and how far it is from now. */
export function When({ at }) {
  const now = useNow();
  if (at === null || at === undefined) return html`<span class="faint">–</span>`;
  return html`<time class="when" title=${exact(at)}>${moment(at)} <small class="faint">${at > now ? `in ${about(at - now)}` : `${about(now - at)} ago`}</small></time>`;
}

/** What runs on a node, of what could. */
export function Slots({ used, total }) {
  const share = total ? Math.min(1, used / total) : 0;
  return html`<span class="slots" title="${used} of ${total} slots in use">
    <span class="bar" aria-hidden="true"><i style=${{ width: `${share * 100}%` }}></i></span>
    <span>${used}<span class="faint">/${total}</span></span>
  </span>`;
}

export function Labels({ labels }) {
  return html`<span class="labels">${pairs(labels).map((pair) => html`<span class="label" key=${pair}>${pair}</span>`)}</span>`;
}

/** How far a task is, as its handler says. */
export function Progress({ progress }) {
  if (!progress) return null;
  const { done, total, message } = progress;
  const share = total ? Math.min(1, done / total) : null;
  return html`<span class="progress">
    <progress max="1" value=${share ?? undefined} aria-label="progress"></progress>
    <span>${share === null ? done : `${Math.floor(share * 100)} %`}${message && ` · ${message}`}</span>
  </span>`;
}

/** From a detail to its list. Esc presses it. */
export function Back({ label }) {
  const leave = (event) => (event.preventDefault(), goBack());
  return html`<a data-back class="back" href=${link(route.value.view)} aria-label=${label} onClick=${leave}>←</a>`;
}
