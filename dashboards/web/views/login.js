// Who are you? A token becomes a cookie that no script can read.

import { html, useState } from "../vendor/preact-htm.js";
import { logIn, me } from "../lib/api.js";

export function Login() {
  const [problem, setProblem] = useState(null);
  const [isBusy, setBusy] = useState(false);
  const enter = async (event) => {
    event.preventDefault();
    const field = event.target.elements.token;
    setBusy(true);
    setProblem(null);
    try {
      await logIn(field.value.trim());
    } catch (error) {
      setProblem(error);
      setBusy(false);
      field.select();
    }
  };
  return html`<main class="login">
    <form onSubmit=${enter}>
      <h1><${Mark} /> Moorline</h1>
      ${me.value?.hasEnded && !problem && html`<p class="notice warn" role="status"><strong>Your login has ended.</strong> Its token ran out or was revoked, or its week was over. Log in to go on where you were.</p>`}
      <label>Token<input name="token" type="password" required autofocus autocomplete="current-password" spellcheck="false" placeholder="moor_…" /></label>
      ${problem && html`<div class="notice warn" role="alert"><p><strong>${problem.message}</strong></p>${problem.remedy && html`<p>${problem.remedy}</p>`}</div>`}
      <button class="main" disabled=${isBusy}>Log in</button>
      <p class="faint">Make one on the hub's machine: <code>moorline token create --role read</code>. With the role <code>submit</code> this page also retries and cancels, with <code>admin</code> it does everything.</p>
    </form>
  </main>`;
}

export function Mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="8" /><path d="M16 6v20M9 11h14M6 19c1 5 5 7 10 7s9-2 10-7" /></svg>`;
}
