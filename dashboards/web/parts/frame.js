// What stands around every view: where one can go, how the hub is, and whether it is there at all.

import { html, useEffect } from "../vendor/preact-htm.js";
import { logOut, may, me } from "../lib/api.js";
import { useNow } from "../lib/clock.js";
import { isHelpOpen, VIEWS } from "../lib/keys.js";
import { live } from "../lib/live.js";
import { link, route } from "../lib/route.js";
import { verdict } from "../lib/states.js";
import { useStore } from "../lib/store.js";
import { theme, toggleTheme } from "../lib/theme.js";
import { count, moment, span } from "../lib/words.js";
import { Mark } from "../views/login.js";
import { attempt, Dialog } from "./dialog.js";

export function Frame({ children }) {
  const { view } = useStore(route);
  const phase = useStore(live, (value) => value.phase);
  useStore(me);
  useEffect(() => {
    // On a narrow screen the views' names scroll.
    document.querySelector("nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [view]);
  const views = shownViews();
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), document.getElementById("main").focus())}>To the content</a>
    <header class="top">
      <a class="brand" href=${link("overview")} aria-label="Moorline, overview"><${Mark} /><span>Moorline</span></a>
      <nav aria-label="Views">${views.map((name, n) => html`<a key=${name} href=${link(name)} aria-current=${name === view ? "page" : undefined} title="Key ${n + 1}">${titled(name)}<${Count} view=${name} /></a>`)}</nav>
      <span class="side"><${Pill} /><${Buttons} /></span>
    </header>
    ${phase === "away" && html`<${Away} />`}
    <main id="main" tabindex="-1" class=${phase === "away" ? "is-away" : ""}>${children}</main>
    <${Foot} />
    <${Help} />
  `;
}

const titled = (name) => `${name[0].toUpperCase()}${name.slice(1)}`;

const shownViews = () => [...VIEWS, ...(may("admin") ? ["audit"] : [])];

/** What wants to be looked at, beside a view's name. */
function Count({ view }) {
  const stats = useStore(live, (value) => value.stats);
  const n = view === "alerts" ? stats?.alerts?.firing : view === "nodes" ? stats?.nodes.unreachable : 0;
  return n ? html` <b class="bubble">${count(n)}</b>` : null;
}

function Pill() {
  const { phase, stats } = useStore(live);
  const level = stats?.verdict?.level ?? "ok";
  const { glyph, tone, word } = phase === "away" ? { glyph: "▲", tone: "bad", word: "Hub away" } : verdict(level);
  const { view } = useStore(route);
  useEffect(() => {
    // Several tabs of one hub are told apart by their views.
    const how = phase === "connecting" ? "…" : phase === "live" && level === "ok" ? "" : `${glyph} ${word}`;
    document.title = [how, shownViews().includes(view) && titled(view), "Moorline"].filter(Boolean).join(" · ");
  }, [phase, level, view]);
  if (!stats && phase === "connecting") return null;
  return html`<span role="status"><a class="pill ${tone}" href=${link("overview")} aria-label="Verdict: ${word}" title=${stats?.verdict?.reasons.join("; ") ?? ""}><i aria-hidden="true">${glyph}</i>${word}</a></span>`;
}

function Buttons() {
  const who = useStore(me);
  const shown = useStore(theme);
  const isLoggedIn = Boolean(who?.csrf);
  return html`
    <button class="plain" onClick=${toggleTheme} aria-label=${shown === "dark" ? "Light colours" : "Dark colours"} title="Dark or light">${shown === "dark" ? "☀" : "☾"}</button>
    <button class="plain" onClick=${() => isHelpOpen.set(true)} aria-label="Help" title="Keys: ?">?</button>
    ${who?.role === "read" && html`<span class="label" title="This token only reads: retry, cancel and drain need another role">read only</span>`}
    ${isLoggedIn && html`<button class="plain who" onClick=${() => attempt(logOut)} title="Logged in as ${who.name || "somebody"}, role ${who.role}">Log out</button>`}
  `;
}

function Away() {
  useNow();
  const { since, why, stats } = useStore(live);
  const seconds = (Date.now() - since) / 1000;
  return html`<div class="away" role="alert">
    <strong>The hub is away</strong> since ${moment(since / 1000)} (${span(seconds)}): ${why}.
    ${stats ? " This is the last picture; nodes go on with what they run." : ""} The page comes back by itself.
  </div>`;
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "this browser";

function Foot() {
  const hub = useStore(live, (value) => value.stats?.hub);
  const who = useStore(me);
  if (!hub) return null;
  return html`<footer class="foot faint"><span>hub <code>${hub.id}</code></span><span>version ${hub.version}</span><span>up ${span(Math.floor(hub.uptime_s / 60) * 60 || hub.uptime_s)}</span><span>times in ${zone}</span>${who?.role && who.role !== "admin" && html`<span>role ${who.role}</span>`}</footer>`;
}

const KEYS = [
  ["/", "filter"],
  ["j k ↓ ↑", "from row to row"],
  ["Enter", "open the row"],
  ["Esc", "back"],
  ["Space", "freeze the events"],
  ["?", "this help"],
];

function Help() {
  const isOpen = useStore(isHelpOpen);
  if (!isOpen) return null;
  const keys = [[`1 – ${shownViews().length}`, "the views, from left to right"], ...KEYS];
  return html`<${Dialog} title="Help" onClose=${() => isHelpOpen.set(false)}>
    <h2>Keys</h2>
    <dl class="keys">${keys.map(([key, does]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${does}</dd></div>`)}</dl>
    <h2>Filters</h2>
    <p>Terms separated by spaces, all of which must hold: <code>state=failed,lost</code> <code>name~hash</code> <code>node=n1</code> <code>age>5m</code> <code>label.site=berlin</code> <code>error~Timeout</code> <code>attempt>1</code>. A bare word looks for ids and names.</p>
    <p class="buttons"><button class="main" autofocus onClick=${() => isHelpOpen.set(false)}>Close</button></p>
  <//>`;
}
