// The one stream that the page lives on: the hub's pulse each second, and what happens to nodes and alerts.
//
// It says when the hub is away and comes back by itself. Hidden pages let go of it: a browser opens six connections to
// one hub for all of its tabs, and nobody looks.

import { address, askMe, get, me, withQuery } from "./api.js";
import { Store } from "./store.js";

// A pulse comes each second; after this long without one the connection is dead, whatever the browser thinks.
const SILENT_MS = 6_000;
// Waits between two dials: quick for a restart, calm for a long outage, and no two pages in step.
const DIAL_MS_MIN = 500;
const DIAL_MS_MAX = 5_000;
// How long a hidden page keeps its stream.
const HIDDEN_MS = 20_000;

/**
 * phase: connecting (never seen the hub), live, away, refused (it is there and wants nothing to do with this page).
 * since: when the phase began, in ms of this browser. error: why it refused.
 */
export const live = new Store({ phase: "connecting", since: Date.now(), stats: null, why: "", error: null });

const listeners = new Set();
let source = null;
let dialTimer = 0;
let silentTimer = 0;
let hiddenTimer = 0;
let failures = 0;
let skewS = 0;

/** Be told of each event of nodes and alerts; gives what ends it. */
export function onEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Give the hub's time in seconds. */
export function hubNow() {
  return Date.now() / 1000 + skewS;
}

/** Begin to follow the hub. Called once. */
export function follow() {
  document.addEventListener("visibilitychange", watchVisibility);
  addEventListener("online", dialNow);
  let wasOut = false;
  me.watch(({ needs_login: isOut }) => {
    if (isOut) release();
    else if (wasOut) dialNow();
    wasOut = isOut;
  });
  dial();
}

function watchVisibility() {
  clearTimeout(hiddenTimer);
  if (document.visibilityState === "hidden") hiddenTimer = setTimeout(release, HIDDEN_MS);
  else if (!source) dialNow();
}

function release() {
  clearTimeout(dialTimer);
  clearTimeout(silentTimer);
  source?.close();
  source = null;
}

function dialNow() {
  if (source?.readyState === EventSource.OPEN) return;
  release();
  dial();
}

async function dial() {
  clearTimeout(dialTimer);
  let who;
  try {
    // An event source does not say why it fails; this does.
    who = await askMe();
  } catch (error) {
    if (error.status === 403) live.patch({ phase: "refused", error });
    else lost(error.message);
    return;
  }
  if (who.needs_login || source || document.visibilityState === "hidden") return;
  open();
  // The first pulse may be a second away.
  if (!live.value.stats) get("/v1/stats").then((stats) => live.value.stats || live.patch({ stats }), () => {});
}

function open() {
  source = new EventSource(address("/v1/events?kind=hub,node,alert"));
  source.addEventListener("message", (message) => take(JSON.parse(message.data)));
  source.addEventListener("end", (message) => end(JSON.parse(message.data)));
  // Another hub, or one that has forgotten: everything is to be read again.
  source.addEventListener("reset", () => listeners.forEach((listener) => listener({ kind: "reset" })));
  source.addEventListener("error", () => lost("the connection broke"));
  listenFor();
}

function listenFor() {
  clearTimeout(silentTimer);
  silentTimer = setTimeout(() => lost("the hub says nothing any more"), SILENT_MS);
}

function take(event) {
  listenFor();
  if (event.kind !== "hub.pulse") {
    for (const listener of listeners) listener(event);
    return;
  }
  failures = 0;
  skewS = event.at - Date.now() / 1000;
  const { phase, since } = live.value;
  const isBack = phase !== "live";
  live.set({ phase: "live", since: isBack ? Date.now() : since, stats: event.stats, why: "", error: null });
  if (isBack) for (const listener of listeners) listener({ kind: "back" });
}

function end({ code, message }) {
  lost(code === "stopping" ? "the hub is stopping" : message);
}

function lost(why) {
  release();
  const { phase } = live.value;
  if (phase !== "away") live.patch({ phase: "away", since: Date.now(), why });
  const wait = Math.min(DIAL_MS_MAX, DIAL_MS_MIN * 2 ** Math.min(failures, 6));
  failures += 1;
  if (document.visibilityState !== "hidden") dialTimer = setTimeout(dial, wait * (0.75 + Math.random() / 2));
}

/**
 * Follow a second, narrower stream, opened again behind what was seen last; gives what ends it.
 *
 * `told` gets each event, `onReset` is called where some are not kept any more.
 */
export function followEvents(query, { told, onReset = () => {} }) {
  let stream = null;
  let timer = 0;
  let tries = 0;
  let lastId = query.last_event_id;
  const begin = () => {
    timer = 0;
    stream = new EventSource(address(withQuery("/v1/events", { ...query, last_event_id: lastId })));
    stream.addEventListener("hello", (message) => {
      lastId = message.lastEventId;
      tries = 0;
    });
    stream.addEventListener("message", (message) => {
      if (message.lastEventId) lastId = message.lastEventId;
      told(JSON.parse(message.data));
    });
    stream.addEventListener("reset", (message) => {
      lastId = message.lastEventId;
      onReset();
    });
    stream.addEventListener("error", stop);
  };
  const stop = () => {
    stream?.close();
    stream = null;
  };
  const beginLater = () => {
    timer = setTimeout(begin, Math.min(10_000, 250 * 2 ** tries));
    tries += 1;
  };
  // Each pulse is a look at whether it is still open: there is no sense in dialling a hub that is away.
  const unwatch = live.watch(({ phase }) => phase === "live" && !stream && !timer && beginLater());
  begin();
  return () => {
    unwatch();
    clearTimeout(timer);
    stop();
  };
}
