// The fleet at a glance: a cell for each node, filled as far as its slots are in use.

import { html } from "../vendor/preact-htm.js";
import { link } from "../lib/route.js";
import { nodeState } from "../lib/states.js";
import { counted } from "../lib/words.js";

// Up to so many nodes their names fit into the cells.
const NAMED_MAX = 36;

// Of so many the first are drawn; the nodes view pages through the rest.
const CELLS_MAX = 2_000;

/** `nodes`: [id, state, slots, slots in use, cordoned] for each. */
export function NodeMap({ nodes }) {
  const size = nodes.length <= NAMED_MAX ? "large" : nodes.length <= 120 ? "medium" : "small";
  return html`<div class="map ${size}" role="group" aria-label="Nodes">
      ${nodes.slice(0, CELLS_MAX).map((node) => html`<${Cell} key=${node[0]} node=${node} isNamed=${size === "large"} />`)}
    </div>
    ${nodes.length > CELLS_MAX && html`<p class="faint">and ${counted(nodes.length - CELLS_MAX, "more node")}: see the nodes view</p>`}`;
}

function Cell({ node: [id, state, slots, used, isCordoned], isNamed }) {
  const { glyph, word, tone } = nodeState(state === "online" && isCordoned ? "cordoned" : state);
  const said = `${id}: ${word}${isCordoned && state !== "online" ? ", cordoned" : ""}, ${used} of ${slots} slots in use`;
  const share = slots && state !== "gone" ? Math.min(1, used / slots) : 0;
  return html`<a class="cell ${state} ${tone} ${isCordoned ? "is-cordoned" : ""}" href=${link("nodes", id)} title=${said} aria-label=${said}>
    <i class="fill" style=${{ height: `${share * 100}%` }}></i>
    ${state !== "online" || isCordoned ? html`<b aria-hidden="true">${glyph}</b>` : null}
    ${isNamed && html`<span aria-hidden="true">${id}</span>`}
  </a>`;
}
