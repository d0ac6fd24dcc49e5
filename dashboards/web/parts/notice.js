// What stands where there is nothing else to show: loading, nothing found, not available, refused.

import { html } from "../vendor/preact-htm.js";
import { live } from "../lib/live.js";
import { useStore } from "../lib/store.js";

/** Show `children` once there are data; before that, say why there are none. */
export function Loaded({ of, what = "This", children }) {
  const { data, error, isLoading } = of;
  const isAway = useStore(live, ({ phase }) => phase === "away");
  if (error && !data) return html`<${Problem} error=${error} what=${what} />`;
  if (!data && isLoading && isAway) return html`<p class="notice quiet">Not read yet: the hub is away. It is read when the hub is back.</p>`;
  if (!data) return isLoading ? html`<p class="notice quiet" aria-busy="true">Loading…</p>` : null;
  return html`${error && html`<${Problem} error=${error} what=${what} />`}${children(data)}`;
}

export function Problem({ error, what }) {
  if (error.isNotAvailable) return html`<p class="notice quiet">${what} is not available on this hub.</p>`;
  return html`<div class="notice warn" role="alert">
    <p><strong>${error.message}</strong></p>
    ${error.remedy && html`<p>${error.remedy}</p>`}
  </div>`;
}

export function Empty({ children }) {
  return html`<p class="notice quiet">${children}</p>`;
}
