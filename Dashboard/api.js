// Calls of the API. Every answer is the envelope {status, code, message, data}; what is not 2xx is thrown.

import * as session from "./session.js";

export class APIError extends Error {
  constructor(status, message, code, retryAfter, requestID) {
    super(message);
    Object.assign(this, { status, code, retryAfter, requestID });
  }
}

/** Set by the shell: called with the role when its secret, which worked, is refused. */
export const hooks = { refused: () => {} };

async function request(method, path, headers, body, signal) {
  const options = { method, headers: { ...headers, "X-API-Style": "native" }, cache: "no-store", credentials: "omit", signal };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(session.base + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new APIError(0, "The gateway cannot be reached.", "unreachable");
  }
}

async function failure(response) {
  let message = `The gateway answered ${response.status}.`, code = "";
  try {
    const answer = await response.json();
    message = answer.message || message;
    code = answer.data?.error_code || answer.code || "";
  } catch { /* no envelope: the status says it */ }
  return new APIError(response.status, message, code, Number(response.headers.get("Retry-After")) || 0,
    response.headers.get("X-Request-ID"));
}

/** The envelope; of a list also `next`, the cursor of the page that follows. */
async function answer(response) {
  if (!response.ok) throw await failure(response);
  if (response.status === 204) return {};
  return { ...await response.json(), next: response.headers.get("X-Next-Cursor") || "" };
}

function caller(role, credentials) {
  const call = method => async (path, body, signal) => {
    const headers = credentials();
    const response = await request(method, path, headers, body, signal);
    const isCurrent = Object.entries(credentials()).every(([name, secret]) => headers[name] === secret);
    if (response.status === 401 && isCurrent) hooks.refused(role);
    return answer(response);
  };
  return {
    get: (path, signal) => call("GET")(path, undefined, signal), post: call("POST"), patch: call("PATCH"),
    remove: call("DELETE"),
  };
}

/** The operator's endpoints. */
export const admin = caller("operator", () => ({ "X-Admin-Secret": session.adminSecret() || "" }));
/** A customer's endpoints: own devices. */
export const customer = caller("customer", () => ({ "X-API-Key": session.apiKey() || "" }));

/** Tries a secret without keeping it. Throws when it is refused. */
export const tryOperator = async secret => answer(await request("GET", "/admin/stats", { "X-Admin-Secret": secret }));
export const tryCustomer = async key => answer(await request("GET", "/devices", { "X-API-Key": key }));

async function token(id) {
  if (!session.tokens.has(id)) {
    const issued = await customer.post(`/devices/${id}/token`);
    session.tokens.set(id, issued.data.token);
  }
  return session.tokens.get(id);
}

/** The endpoints of one device; its token is asked for once, and again when it was revoked meanwhile. */
export function device(id) {
  const open = async (method, path, body, signal, again = true) => {
    const response = await request(method, path, { Authorization: `Bearer ${await token(id)}` }, body, signal);
    if (response.status === 401 && again) {
      session.tokens.delete(id);
      return open(method, path, body, signal, false);
    }
    return response;
  };
  const call = method => async (path, body, signal) => answer(await open(method, path, body, signal));
  return {
    get: (path, signal) => call("GET")(path, undefined, signal), post: call("POST"), patch: call("PATCH"),
    remove: call("DELETE"),
    /** Server-sent events of `path`: yields {event, data} until the stream ends. */
    async *events(path, signal) {
      const response = await open("GET", path, undefined, signal);
      if (!response.ok) throw await failure(response);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        text += value;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const field = name => block.split("\n").find(line => line.startsWith(name + ": "))?.slice(name.length + 2);
          if (field("event")) yield { event: field("event"), data: JSON.parse(field("data") || "{}") };
        }
      }
    },
  };
}

let operations = null;

/** Whether this gateway has the operation, "POST /webhooks/{webhook_id}/replay": asked of its own description, once. */
export async function offers(operation) {
  operations ||= request("GET", "/docs/swagger.json", {}).then(answer).then(({ paths }) =>
    new Set(Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`))));
  try {
    return (await operations).has(operation);
  } catch {
    operations = null;
    return false;
  }
}

/** The text of /metrics, or null where it is not served here. */
export async function metricsText() {
  if (!(await offers("GET /metrics"))) return null;
  const response = await request("GET", "/metrics", { "X-Admin-Secret": session.adminSecret() || "" });
  return response.ok ? response.text() : null;
}

/** Calls the control API of the sandbox (`switchboard dev`); needs the operator's secret. */
export async function sandbox(method, path, body) {
  const relayed = await admin.post(
    "/admin/sandbox/call", { method, path, body: body === undefined ? "" : JSON.stringify(body) },
  );
  const { status, body: reply } = relayed.data;
  if (status >= 300) throw new APIError(status, reply?.error?.message || `The sandbox answered ${status}.`, reply?.error?.code);
  return reply;
}
