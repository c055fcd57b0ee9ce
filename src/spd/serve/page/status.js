// What the page tells: a line that stays to be read, and words for those who listen.

const get = (id) => document.getElementById(id);

/** Say what goes on or went wrong; `retry` is called by a button that is shown with it. */
export function tell(words, { failed = false, busy = false, retry = null } = {}) {
  get("status-words").textContent = words;
  get("status").classList.toggle("failed", failed);
  get("status").classList.toggle("busy", busy);
  get("retry").hidden = !retry;
  get("retry").onclick = retry;
}

/** Speak to those who listen instead of look. */
export function say(words) {
  get("live").textContent = words;
}
