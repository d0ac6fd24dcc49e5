// From page to page; the first one stays fresh.

import { html } from "../vendor/preact-htm.js";
import { route, setQuery } from "../lib/route.js";

export function Pager({ cursor, word = "Next page", children }) {
  const isFirst = !route.value.query.cursor;
  if (isFirst && !cursor) return html`<p class="pager faint">${children}</p>`;
  return html`<p class="pager faint">
    <span>${children}</span>
    ${!isFirst && html`<button onClick=${() => setQuery({ cursor: "" })}>First page</button>`}
    ${cursor && html`<button onClick=${() => setQuery({ cursor })}>${word}</button>`}
  </p>`;
}
