// One clock for all ages on the page: they move together, once a second, and only while somebody looks.

import { useEffect, useState } from "../vendor/preact-htm.js";
import { hubNow } from "./live.js";
import { Store } from "./store.js";

const tick = new Store(0);
setInterval(() => document.visibilityState === "visible" && tick.set(tick.value + 1), 1000);

/** Give the hub's time, and draw again each second. */
export function useNow() {
  const [, redraw] = useState(0);
  useEffect(() => tick.watch(redraw), []);
  return hubNow();
}
