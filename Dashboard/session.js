// Who is signed in. Kept in this page's memory alone: closing or reloading the tab forgets it.

const meta = name => document.querySelector(`meta[name="switchboard-${name}"]`).content;

export const base = meta("base");
export const version = meta("version");
/** Whether this gateway runs beside a sandbox (`switchboard dev`). */
export const hasSandbox = meta("sandbox") === "true";

const state = { admin: null, key: null, role: null, customer: "", tokens: new Map(), keys: new Map(), series: new Map() };

export const role = () => state.role;
export const isOperator = () => state.role === "operator";
export const hasOperator = () => state.admin !== null;
export const hasCustomer = () => state.key !== null;
export const customerName = () => state.customer;
export const adminSecret = () => state.admin;
export const apiKey = () => state.key;

export function enterOperator(secret) {
  state.admin = secret;
  state.role = "operator";
}

export function enterCustomer(key, name = "") {
  if (key !== state.key) state.tokens.clear();
  state.key = key;
  state.customer = name;
  state.role = "customer";
}

/** Goes back to a role whose secret is known. */
export function switchTo(name) {
  if (name === "operator" && state.admin) state.role = name;
  if (name === "customer" && state.key) state.role = name;
}

/** Forgets the customer's key; an operator goes on. */
export function leaveCustomer() {
  for (const [id, { key }] of state.keys) if (key === state.key) state.keys.delete(id);
  state.tokens.clear();
  Object.assign(state, { key: null, customer: "", role: state.admin ? "operator" : null });
}

export function leave() {
  Object.assign(state, { admin: null, key: null, role: null, customer: "" });
  for (const map of [state.tokens, state.keys, state.series]) map.clear();
}

/** Tokens of the customer's devices by device id. */
export const tokens = state.tokens;
/** Keys that were shown in this session, by tenant id: they open the customer's view. */
export const keys = state.keys;
/** What the charts have gathered, by name. */
export const series = state.series;
