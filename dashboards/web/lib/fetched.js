// Pages of data that keep themselves fresh: read again only while somebody looks, the hub is there, and its pulse says
// that something changed; never more often than asked for, and more rarely where the hub answers slowly.

import { useCallback, useEffect, useRef, useState } from "../vendor/preact-htm.js";
import { get } from "./api.js";
import { live, onEvent } from "./live.js";

// Where an answer takes long, the page stays away this many times as long; but not so long that it shows what is no
// longer so: the first answer on a busy machine takes seconds.
const REST_FACTOR = 20;
const REST_MS_MAX = 10_000;

// What was read last, by path: who goes back sees it at once, while it is read anew.
const KEPT_MAX = 20;
const kept = new Map();

function keep(path, data) {
  kept.delete(path);
  kept.set(path, data);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value);
}

const anyChange = (stats) => stats?.last_event_id;

/**
 * Read a path of the hub and keep it fresh.
 *
 * `everyS` 0: read once. `changed` gives of the pulse what must differ before it is read again; null: always.
 * `ask(path, signal)`: how it is read, where one request is not enough. Gives {data, error, isLoading, reload}; the last data stays while new ones are read.
 */
export function useFetched(path, { everyS = 3, changed = anyChange, ask = get } = {}) {
  const [state, setState] = useState(() => begun(path));
  const latest = useRef(null);
  const reload = useCallback(() => latest.current?.(), []);
  useEffect(() => {
    if (!path) return undefined;
    let aborter = null;
    let timer = 0;
    let seen;
    let restUntil = 0;
    let isReading = false;
    const read = async () => {
      clearTimeout(timer);
      timer = 0;
      aborter?.abort();
      const mine = (aborter = new AbortController());
      isReading = true;
      seen = changed?.(live.value.stats);
      const began = performance.now();
      try {
        const data = await ask(path, mine.signal);
        keep(path, data);
        setState({ path, data, error: null, isLoading: false });
      } catch (error) {
        if (mine.signal.aborted) return;
        // While the hub is away the banner says so: the last picture stays.
        setState((old) => ({
          path,
          data: old.path === path ? old.data : null,
          error: error.code === "away" ? null : error,
          isLoading: error.code === "away",
        }));
      }
      const took = performance.now() - began;
      isReading = false;
      restUntil = performance.now() + Math.max(everyS * 1000, Math.min(took * REST_FACTOR, REST_MS_MAX));
      look();
    };
    const look = () => {
      clearTimeout(timer);
      timer = 0;
      if (!everyS) return;
      const wait = restUntil - performance.now();
      if (wait > 0) timer = setTimeout(look, wait);
      else if (isWorthIt()) read();
      // Otherwise the next pulse is the next occasion.
    };
    const isWorthIt = () =>
      !isReading &&
      document.visibilityState === "visible" &&
      live.value.phase === "live" &&
      (!changed || changed(live.value.stats) !== seen);
    const unlisten = onEvent(({ kind }) => (kind === "back" || kind === "reset") && read());
    const unwatch = live.watch(() => timer || look());
    latest.current = read;
    setState((old) => (old.path === path ? old : begun(path)));
    read();
    return () => {
      unlisten();
      unwatch();
      clearTimeout(timer);
      aborter?.abort();
      latest.current = null;
    };
  }, [path, everyS]);
  return { ...(state.path === path ? state : begun(path)), reload };
}

const begun = (path) => ({ path, data: kept.get(path) ?? null, error: null, isLoading: true });
