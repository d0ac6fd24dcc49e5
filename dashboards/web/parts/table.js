// A table that becomes a pile of cards where it is narrow.

import { html } from "../vendor/preact-htm.js";
import { go } from "../lib/route.js";
import { NOTHING } from "../lib/words.js";

/**
 * Draw rows.
 *
 * `columns`: {label, cell(row), wide?: takes what is left, number?: stands right, sort?: the hub's name for its order,
 * rare?: left out where space is short, roomy?: holds a sentence,
 * named?: holds a name that is not to be torn}. `href(row)`: where Enter and a click lead; the first column's cell should hold
 * the same as a link. `order`: the column in force, `-name` for downwards.
 */
export function Table({ label, columns, rows, keyOf, href, order, onOrder }) {
  return html`<table class="rows" aria-label=${label}>
    <thead><tr>${columns.map((column) => html`<${Head} key=${column.label} column=${column} order=${order} onOrder=${onOrder} />`)}</tr></thead>
    <tbody>${rows.map((row) => html`<${Row} key=${keyOf(row)} columns=${columns} row=${row} href=${href?.(row)} />`)}</tbody>
  </table>`;
}

const kind = (column) => ["number", "wide", "rare", "roomy", "named"].filter((name) => column[name]).join(" ");

function Head({ column, order = "", onOrder }) {
  const { label, sort } = column;
  if (!sort || !onOrder) return html`<th scope="col" class=${kind(column)}>${label || html`<span class="unseen">Actions</span>`}</th>`;
  const isMine = order.replace(/^-/, "") === sort;
  const isDown = order.startsWith("-");
  // Numbers are looked at from the largest, names from the first.
  const next = isMine ? (isDown ? sort : `-${sort}`) : column.number ? `-${sort}` : sort;
  return html`<th scope="col" class=${kind(column)} aria-sort=${isMine ? (isDown ? "descending" : "ascending") : "none"}>
    <button class="sort" onClick=${() => onOrder(next)}>${label}<i aria-hidden="true">${isMine ? (isDown ? "↓" : "↑") : ""}</i></button>
  </th>`;
}

function Row({ columns, row, href }) {
  const open = (event) => {
    // A selection is no click, and what can be pressed itself does its own.
    if (event.target.closest("a, button, input") || getSelection().toString()) return;
    go(href);
  };
  const more = href ? { "data-row": "", tabIndex: -1, onClick: open } : {};
  return html`<tr ...${more}>
    ${columns.map((column) => html`<${Cell} key=${column.label} column=${column} row=${row} />`)}
  </tr>`;
}

function Cell({ column, row }) {
  const value = column.cell(row);
  return html`<td data-label=${column.label} class=${`${kind(column)} ${value === NOTHING ? "nothing" : ""}`}>${value}</td>`;
}
