// What is not well, in words that name the cause, each with where to look closer; causes before what follows from them.
//
// Pure: the hub's counts and alerts go in. The verdict counts alerts, here they have their words. Where a hundred nodes
// are away, what else is wrong must still be seen: alerts that are alike are one line.

import { link } from "./route.js";
import { count, counted, quoted, span } from "./words.js";

// From so many alerts of one rule on they are one line.
const ALIKE_MIN = 4;
// More names than these are not read.
const NAMES_MAX = 6;
// A task that waits longer is worth a line: the hub's verdict names it at the same time.
const OLDEST_WAITS_S = 60;

// Kinds of rules, what may be the cause of others first. Those that are not named stand before what is about tomorrow.
const CAUSES_FIRST = ["hub_degraded", "disk_low", "hub_restarted", "nodes_silent", "node_unreachable", "node_flapping", "no_node_for_task", "failure_rate", "queue_age", "", "clock_skew", "version_skew", "certificate_expires", "token_expires"];
const rankOf = (kind) => CAUSES_FIRST.indexOf(CAUSES_FIRST.includes(kind) ? kind : "");

// What many alerts of a kind are.
const MANY = {
  node_flapping: "nodes lose their connection again and again",
  no_node_for_task: "kinds of tasks that no node can run",
  failure_rate: "names fail often",
  queue_age: "names wait for long",
  clock_skew: "nodes with a wrong clock",
  version_skew: "other versions than the hub's",
  certificate_expires: "certificates run out",
  token_expires: "tokens run out",
};

// Kinds whose subject is a node's id.
const NODE_KINDS = new Set(["node_unreachable", "node_flapping", "clock_skew", "lease_expired", "instance_conflict", "unknown_attempts", "foreign_result"]);
const ABOUT_NODES_AWAY = new Set(["nodes_silent", "node_unreachable"]);

const AWAY = link("nodes", "", { filter: "state=unreachable" });
const WAITING = link("tasks", "", { filter: `state=queued wait>${OLDEST_WAITS_S}s` });

/** Give the kind of an alert's rule; a built-in rule is named like its kind. */
export function kindOf(alert, rules) {
  return rules.find(({ name }) => name === alert.rule)?.kind ?? alert.rule;
}

/** Give the address of what an alert is about; empty if that is the hub itself. */
export function whereOf(alert, rules) {
  const { subject } = alert;
  const kind = kindOf(alert, rules);
  if (kind === "nodes_silent") return AWAY;
  if (NODE_KINDS.has(kind)) return subject ? link("nodes", subject) : "";
  if (kind === "no_node_for_task") return tasksOf(`state=queued ${classTerms(subject)}`);
  if (kind === "failure_rate") return tasksOf(`state=failed name=${quoted(subject)}`);
  if (kind === "queue_age") return subject ? tasksOf(`state=queued name=${quoted(subject)}`) : WAITING;
  return kind === "version_skew" ? link("nodes", "", { filter: `version=${quoted(subject)}` }) : "";
}

const tasksOf = (filter) => link("tasks", "", { filter });

/** Of tasks that the same nodes can run the hub writes "name key=value … on node". */
function classTerms(subject) {
  const [name, ...labels] = subject.split(" ");
  const terms = labels.map((label) => /^([\w.:@-]+)=(.*)$/.exec(label)).filter(Boolean);
  return [`name=${quoted(name)}`, ...terms.map(([, key, value]) => `requires.${key}=${quoted(value)}`)].join(" ");
}

/**
 * Give what is not well: {key, tone, text, href, since, note}; `since` is a time in seconds or null.
 *
 * `alerts`: those that fire and those that are pending, from `GET /v1/alerts`, with its `rules`, `channels` and `cursor` (null: they are
 * all); empty while they are not known.
 */
export function troubles({ stats, alerts = [], rules = [], channels = [], cursor = null, nowS }) {
  const findings = stats.verdict?.findings ?? [];
  const isQuiet = (alert) => alert.silenced_until > nowS;
  const loud = alerts.filter((alert) => alert.state === "firing" && !isQuiet(alert));
  const silenced = alerts.filter((alert) => alert.state === "firing" && isQuiet(alert));
  // The verdict counts a node that is away before its alert fires; these say which, and why.
  const pending = alerts.filter((alert) => alert.state === "pending" && kindOf(alert, rules) === "node_unreachable");
  const kind = (alert) => kindOf(alert, rules);
  // Where not all were read, numbers are the least that there are.
  const more = cursor ? " or more" : "";
  const isTold = new Set(findings.map(({ about }) => about));
  const said = [
    ...findings.filter(isOfItself).map(({ level, about, text }) => ({ key: text, isCritical: level === "critical", rank: -1, tone: toneOf(level === "critical"), text, href: about === "nodes" ? AWAY : "", since: null })),
    ...nodesAway(stats, [...loud, ...pending].filter((alert) => ABOUT_NODES_AWAY.has(kind(alert))), silenced.filter((alert) => kind(alert) === "node_unreachable"), !cursor),
    ...oldest(stats, loud.filter((alert) => kind(alert) === "queue_age" && !alert.subject), silenced.filter((alert) => kind(alert) === "queue_age" && !alert.subject), nowS),
    ...byRule(loud.filter((alert) => !ABOUT_NODES_AWAY.has(kind(alert)) && !(kind(alert) === "queue_age" && !alert.subject) && !(kind(alert) === "hub_degraded" && isTold.has("store"))), rules, more),
    ...deafChannels(channels),
  ].sort((one, other) => other.isCritical - one.isCritical || one.rank - other.rank || (other.since ?? 0) - (one.since ?? 0));
  const unknown = loud.length + silenced.length ? [] : findings.filter(({ about }) => about === "alerts").map(({ level, text }) => ({ key: text, tone: toneOf(level === "critical"), text, href: link("alerts"), since: null }));
  return [...said, ...unknown, ...byRuleSilenced(silenced, rules, more)];
}

const toneOf = (isCritical) => (isCritical ? "bad" : "warn");

/** What the verdict alone knows: the store, the hub, and that all nodes are away. */
const isOfItself = ({ level, about }) => about === "store" || about === "hub" || (about === "nodes" && level === "critical");

const begunAt = (alerts) => (alerts.length ? Math.min(...alerts.map((alert) => alert.fired_at ?? alert.since_at)) : null);

/** All nodes that are away in one line, with their names and why, as far as that is known. */
function nodesAway(stats, alerts, silenced, isAll) {
  const named = alerts.filter(({ subject }) => subject);
  // Of so many alerts that not all were read, those that are left may be silenced like these.
  const others = isAll || named.length || !silenced.length ? (stats.nodes?.unreachable ?? 0) - silenced.length : 0;
  const n = Math.max(named.length, others);
  if (n <= 0 && !alerts.length) return [];
  const atOnce = alerts.find(({ subject }) => !subject)?.message;
  const why = new Set(named.map(({ subject, message }) => message.replace(`node ${subject} is unreachable: `, "")));
  const names = named.map(({ subject }) => subject).sort();
  const text = `${atOnce ?? `${counted(n, "node")} unreachable`}${names.length ? `: ${listed(names, n)}` : ""}`;
  const isCritical = alerts.some(({ severity }) => severity === "critical");
  return [{ key: "nodes", isCritical, rank: rankOf("node_unreachable"), tone: toneOf(isCritical), text, href: n === 1 && names.length === 1 ? link("nodes", names[0]) : AWAY, since: begunAt(alerts), note: why.size === 1 ? [...why][0] : "" }];
}

function listed(names, n) {
  const shown = names.slice(0, NAMES_MAX).join(", ");
  return n > NAMES_MAX || n > names.length ? `${shown} and ${count(n - Math.min(names.length, NAMES_MAX))} more` : shown;
}

/** The task that waits longest: the verdict and an alert may both tell of it. */
function oldest(stats, alerts, silenced, nowS) {
  const waitS = stats.oldest_queued_at ? nowS - stats.oldest_queued_at : 0;
  if (silenced.length || (!alerts.length && waitS <= OLDEST_WAITS_S)) return [];
  const isCritical = alerts.some(({ severity }) => severity === "critical");
  const text = stats.oldest_queued_at ? `the oldest task waits ${span(waitS)}` : alerts[0].message;
  return [{ key: "queue", isCritical, rank: rankOf("queue_age"), tone: toneOf(isCritical), text, href: WAITING, since: null }];
}

function byRule(alerts, rules, more) {
  const groups = grouped(alerts);
  return [...groups].flatMap(([rule, alike]) => {
    const kind = kindOf(alike[0], rules);
    const isCritical = alike.some(({ severity }) => severity === "critical");
    const line = { isCritical, rank: rankOf(kind), tone: toneOf(isCritical) };
    if (alike.length < ALIKE_MIN) return alike.map((alert) => ({ ...line, key: alert.id, text: alert.message, href: whereOf(alert, rules) || link("alerts"), since: alert.fired_at ?? alert.since_at }));
    const text = `${count(alike.length)}${more} ${MANY[kind] ?? `alerts of ${rule}`}: ${listed(alike.map(({ subject, message }) => subject || message), alike.length)}`;
    return [{ ...line, key: rule, text, href: link("alerts"), since: begunAt(alike) }];
  });
}

/** What is silenced is known: of each rule one line. */
function byRuleSilenced(alerts, rules, more) {
  return [...grouped(alerts)].map(([rule, alike]) => {
    const [first] = alike;
    const silencedUntil = Math.min(...alike.map((alert) => alert.silenced_until));
    const told = alike.length > 1 ? { key: `silenced ${rule}`, text: `${count(alike.length)}${more} alerts of ${rule}`, href: link("alerts") } : { key: first.id, text: first.message, href: whereOf(first, rules) || link("alerts") };
    return { ...told, tone: "calm", since: begunAt(alike), silencedUntil };
  });
}

function grouped(alerts) {
  const groups = new Map();
  for (const alert of alerts) groups.set(alert.rule, [...(groups.get(alert.rule) ?? []), alert]);
  return groups;
}

/** Channels that take nothing: who sleeps because nothing came must not think that nothing is wrong. */
function deafChannels(channels) {
  return channels.filter(({ failures }) => failures > 0).map(({ name, waiting }) => ({
    key: `channel ${name}`, isCritical: false, rank: -1, tone: "warn", text: `the channel ${name} takes no alerts`, href: link("alerts"), since: null, note: `${counted(waiting, "message")} ${waiting === 1 ? "waits" : "wait"}`,
  }));
}
