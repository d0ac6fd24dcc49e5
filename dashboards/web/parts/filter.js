// The line that filters: one grammar in the terminal, on the command line, here and in the API. The hub reads it.

import { html, useEffect, useState } from "../vendor/preact-htm.js";
import { setQuery } from "../lib/route.js";

export function Filter({ value = "", example, label }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const apply = (event) => {
    event.preventDefault();
    setQuery({ filter: text.trim(), cursor: "" });
  };
  return html`<form class="filter" role="search" onSubmit=${apply}>
    <input data-filter type="search" name="filter" value=${text} placeholder=${example} aria-label=${label}
      autocomplete="off" autocapitalize="off" spellcheck="false" onInput=${(event) => setText(event.target.value)} />
    ${value && html`<button type="button" onClick=${() => setQuery({ filter: "", cursor: "" })}>Clear</button>`}
  </form>`;
}

/** Give a filter with the term of one field replaced, or without it. */
export function withTerm(filter, field, term) {
  const others = (filter ?? "").split(/\s+/).filter((word) => word && !word.startsWith(`${field}=`));
  return [...(term ? [term] : []), ...others].join(" ");
}
