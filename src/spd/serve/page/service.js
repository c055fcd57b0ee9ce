// The service's HTTP interface: calls, error messages, and the token.

const TOKEN_KEY = "spd-token";

const WORDS = {
  401: "The service needs a token. Reload this page to enter one.",
  413: "The request is too large for the service.",
  429: "The service is handling too many requests at the moment.",
  503: "The service is busy or shutting down.",
};

/** An error answer of the service, or of the connection to it. */
export class ServiceError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status; // 0: there was no answer
  }

  /** Whether the same request may succeed a little later. */
  get mayPass() {
    return [0, 429, 503].includes(this.status);
  }
}

export class Service {
  #askToken;
  #asking = null;
  #declined = false;

  /** `askToken(refused)` asks the user for a token; null if they cancel. */
  constructor(askToken) {
    this.#askToken = askToken;
  }

  async json(method, path, { query, body } = {}) {
    const response = await this.#call(method, path, query, body);
    return response.status === 204 ? null : whole(response.json());
  }

  async bytes(path) {
    return whole((await this.#call("GET", path)).arrayBuffer());
  }

  async #call(method, path, query = {}, body = undefined) {
    const search = new URLSearchParams(query).toString();
    const address = `v1/${path}${search && `?${search}`}`;
    for (;;) {
      const token = sessionStorage.getItem(TOKEN_KEY);
      const response = await send(method, address, body, token);
      if (response.ok) return response;
      if (response.status !== 401 || this.#declined) throw await refusal(response);
      await this.#renewToken(token);
    }
  }

  /** Ask the user once, however many requests wait for the token. */
  async #renewToken(refused) {
    if (sessionStorage.getItem(TOKEN_KEY) !== refused) return;
    this.#asking ??= this.#askToken(refused !== null).finally(() => (this.#asking = null));
    const token = await this.#asking;
    this.#declined = token === null;
    if (!this.#declined) sessionStorage.setItem(TOKEN_KEY, token);
  }
}

async function send(method, address, body, token) {
  const headers = {};
  if (token !== null) headers.Authorization = `Bearer ${token}`;
  if (body instanceof Blob) headers["Content-Type"] = photoType(body);
  else if (body !== undefined) headers["Content-Type"] = "application/json";
  const sent = body === undefined || body instanceof Blob ? body : JSON.stringify(body);
  try {
    return await fetch(address, { method, headers, body: sent, cache: "no-store" });
  } catch {
    throw new ServiceError(0, "The service is not responding. Is spd serve still running?");
  }
}

/** Content type of a file; a file without an image type may still be a photo, by its bytes. */
function photoType({ type }) {
  return type.startsWith("image/") ? type : "application/octet-stream";
}

/** The complete answer. */
async function whole(reading) {
  try {
    return await reading;
  } catch {
    throw new ServiceError(0, "The service’s response is incomplete or damaged. Try again.");
  }
}

async function refusal(response) {
  let message = WORDS[response.status] ?? `The service returned status ${response.status}.`;
  try {
    if (response.status !== 401) message = (await response.json()).error.message ?? message;
  } catch {
    // The answer is not the service's own but a proxy's: only the status is known.
  }
  const wait = Number(response.headers.get("Retry-After"));
  if (wait > 0) message += ` Try again in ${wait} s.`;
  return new ServiceError(response.status, message);
}
