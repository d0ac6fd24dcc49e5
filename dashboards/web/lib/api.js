// Requests to the hub. What it refuses becomes an error with its own words and what would be right.

import { Store } from "./store.js";

// The hub answers within a second, or it is in trouble; it gives up its own reads before this.
const ANSWER_WITHIN_MS = 20_000;

/** Who is at this browser: null until the hub has said it. */
export const me = new Store(null);

const RANKS = { read: 0, submit: 1, admin: 2 };

/** Tell whether this role may do what needs `role`. It only decides what is shown: the hub checks each request. */
export function may(role) {
  return (RANKS[me.value?.role] ?? -1) >= RANKS[role];
}

export class ApiError extends Error {
  constructor(status, code, message, remedy) {
    super(message);
    this.status = status;
    this.code = code;
    this.remedy = remedy ?? "";
  }

  /** This hub does not have the route: it is older than the page, or the part is turned off. */
  get isNotAvailable() {
    return this.status === 405 || (this.status === 404 && this.message.startsWith("there is no route"));
  }
}

/** Give the address of a path of the hub, also where the hub stands below a folder of a proxy. */
export function address(path) {
  return new URL(path.replace(/^\//, ""), document.baseURI.replace(/#.*/, "")).href;
}

/** Put parameters behind a path; those without a value are left out. */
export function withQuery(path, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

export function get(path, signal) {
  return ask("GET", path, undefined, signal);
}

export function post(path, body) {
  return ask("POST", path, body);
}

async function ask(method, path, body, signal) {
  const headers = {};
  if (method !== "GET" && me.value?.csrf) headers["X-Moorline-CSRF"] = me.value.csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const limit = AbortSignal.timeout(ANSWER_WITHIN_MS);
  let answer;
  try {
    answer = await fetch(address(path), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    if (answer.status === 204) return null;
    const said = await answer.json();
    if (answer.ok) return said;
    const { code, message, remedy } = said.error;
    throw new ApiError(answer.status, code, message, remedy);
  } catch (error) {
    if (error instanceof ApiError) {
      if (error.status === 401 && path !== "/login") refreshMe();
      throw error;
    }
    if (signal?.aborted) throw error;
    // What only reads is asked again. What was to change something may have been done before the answer was lost.
    const remedy = method === "GET" ? "it is asked again when it is back" : "nothing is sent again: look whether it was done before you repeat it";
    throw new ApiError(answer?.status ?? 0, "away", "the hub does not answer", remedy);
  }
}

/** Ask the hub who this is. Raises ApiError if it is away. */
export async function askMe() {
  const wasIn = Boolean(me.value?.csrf);
  const who = await ask("GET", "/v1/me");
  // Whoever is thrown out is to know that it was not the page's whim.
  me.set({ ...who, hasEnded: who.needs_login && (wasIn || Boolean(me.value?.hasEnded)) });
  return me.value;
}

function refreshMe() {
  askMe().catch(() => {});
}

export async function logIn(token) {
  await post("/login", { token });
  await askMe();
}

export async function logOut() {
  await post("/logout");
  me.set({ ...me.value, csrf: null });
  await askMe();
}
