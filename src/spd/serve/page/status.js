// Messages: a status line, and text for screen readers.

const get = (id) => document.getElementById(id);

/** Show a message in the status line; `retry` is called by a button shown with it. */
export function tell(words, { failed = false, busy = false, retry = null } = {}) {
  get("status-words").textContent = words;
  get("status").classList.toggle("failed", failed);
  get("status").classList.toggle("busy", busy);
  get("retry").hidden = !retry;
  get("retry").onclick = retry;
}

/** Take an error back, once something went well after it. */
export function settle() {
  if (get("status").classList.contains("failed")) tell("");
}

/** Announce a message to screen readers. */
export function say(words) {
  get("live").textContent = words;
}
