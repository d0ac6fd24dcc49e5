// A node's last day as a strip: when it was there, when not, and why.

import { html } from "../vendor/preact-htm.js";
import { nodeState } from "../lib/states.js";
import { moment, span } from "../lib/words.js";

/** `spans`: {began_at, ended_at|null, state, reason}, oldest first. */
export function Strip({ spans, since, until }) {
  const length = Math.max(1, until - since);
  const place = (at) => Math.min(100, Math.max(0, ((at - since) / length) * 100));
  const known = spans.filter((one) => (one.ended_at ?? until) > since);
  const upS = known.filter((one) => one.state === "online").reduce((sum, one) => sum + lengthOf(one, since, until), 0);
  const knownS = known.reduce((sum, one) => sum + lengthOf(one, since, until), 0);
  // A day is to read "24h", neither "23h 59m", as far as it is by the hub's clock, nor "1d 00h".
  const long = length < 3600 ? span(length) : `${Math.round(length / 3600)}h`;
  const said = knownS ? `online ${((upS / knownS) * 100).toFixed(upS === knownS ? 0 : 2)} % of the time that is known` : "not seen";
  return html`<div class="strip-box">
    <div class="strip" role="img" aria-label="Sessions of the last ${long}: ${said}">
      ${known.map((one) => html`<i key=${one.began_at} class=${`${one.state} ${nodeState(one.state).tone}`} title=${words(one, until)}
        style=${{ left: `${place(one.began_at)}%`, width: `${Math.max(0.15, place(one.ended_at ?? until) - place(one.began_at))}%` }}></i>`)}
    </div>
    <p class="scale faint"><span>${long} ago</span><span>${said}</span><span>now</span></p>
  </div>`;
}

const lengthOf = (one, since, until) => Math.max(0, (one.ended_at ?? until) - Math.max(one.began_at, since));

function words({ began_at, ended_at, state, reason }, until) {
  const long = span((ended_at ?? until) - began_at);
  return `${state} for ${long}, from ${moment(began_at)}${reason ? `: ${reason}` : ""}`;
}
