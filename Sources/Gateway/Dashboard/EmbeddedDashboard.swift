// Made by scripts/embed-dashboard from the files in Dashboard; a test compares the two.
// swift-format-ignore-file

/// The files of the dashboard by name.
enum EmbeddedDashboard {
    static let files: [(name: String, text: String)] = [
        ("api.js", api_js),
        ("app.js", app_js),
        ("base.css", base_css),
        ("chart.js", chart_js),
        ("device-state.js", device_state_js),
        ("dom.js", dom_js),
        ("icon.svg", icon_svg),
        ("index.html", index_html),
        ("metrics.js", metrics_js),
        ("panel-link.js", panel_link_js),
        ("panel-passkey.js", panel_passkey_js),
        ("panel-send.js", panel_send_js),
        ("panel-timeline.js", panel_timeline_js),
        ("panel-webhooks.js", panel_webhooks_js),
        ("parts.css", parts_css),
        ("parts.js", parts_js),
        ("session.js", session_js),
        ("view-audit.js", view_audit_js),
        ("view-device.js", view_device_js),
        ("view-devices.js", view_devices_js),
        ("view-overview.js", view_overview_js),
        ("view-phones.js", view_phones_js),
        ("view-signin.js", view_signin_js),
        ("view-tenant.js", view_tenant_js),
        ("view-tenants.js", view_tenants_js),
        ("views.css", views_css),
    ]

    private static let api_js = ###"""
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

"""###

    private static let app_js = ###"""
// The frame of the page: sign-in or navigation, and which view stands in it. Addresses are #/name/argument.

import { hooks } from "./api.js";
import { h, svg } from "./dom.js";
import { toast } from "./parts.js";
import * as session from "./session.js";
import { auditView } from "./view-audit.js";
import { deviceView } from "./view-device.js";
import { devicesView } from "./view-devices.js";
import { overviewView } from "./view-overview.js";
import { phonesView } from "./view-phones.js";
import { signInView } from "./view-signin.js";
import { tenantView } from "./view-tenant.js";
import { tenantsView } from "./view-tenants.js";

const shell = document.getElementById("shell");
const root = document.documentElement;

const icons = {
  overview: "M3 13h4l3-8 4 14 3-6h4", tenants: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21a7 7 0 0 1 14 0M16 3.5a4 4 0 0 1 0 7M18 15a7 7 0 0 1 4 6",
  devices: "M7 2h10v20H7zM11 18h2", audit: "M5 3h14v18H5zM9 8h6M9 12h6M9 16h4", phones: "M4 5h16v11H9l-5 4z",
};

const views = {
  overview: { title: "Overview", roles: ["operator"], build: overviewView },
  tenants: { title: "Tenants", roles: ["operator"], build: argument => (argument ? tenantView(argument) : tenantsView()) },
  devices: {
    title: "Devices", roles: ["operator", "customer"], build: argument => (argument ? deviceView(argument) : devicesView()),
  },
  audit: { title: "Audit log", roles: ["operator"], build: auditView },
  phones: {
    title: "Phones", roles: ["operator", "customer"], build: phonesView,
    isShown: () => session.hasSandbox && session.hasOperator(),
  },
};

const isOpen = view => view && view.roles.includes(session.role()) && (view.isShown?.() ?? true);
const home = () => (session.isOperator() ? "overview" : "devices");

function theme(name) {
  root.dataset.theme = name;
}

function navigation(current) {
  const entries = Object.entries(views).filter(([, view]) => isOpen(view));
  return h("nav", { "aria-label": "Main" }, h("ul", {}, entries.map(([name, view]) => h("li", {},
    h("a", { href: `#/${name}`, "aria-current": name === current ? "page" : null },
      svg("svg", {
        viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": 1.8, "stroke-linecap": "round",
        "stroke-linejoin": "round", "aria-hidden": "true",
      },
        svg("path", { d: icons[name] })), view.title)))));
}

function who() {
  const isOperator = session.isOperator();
  const other = isOperator ? (session.hasCustomer() ? "customer" : null) : (session.hasOperator() ? "operator" : null);
  const turn = () => theme(root.dataset.theme === "dark" ? "light" : "dark");
  return h("div", { class: "who" },
    h("p", {}, h("span", { class: "role" }, isOperator ? "Operator" : "Customer"), h("br"),
      h(
        "span", { class: "quiet wrap" },
        isOperator ? "signed in with the admin secret" : session.customerName() || "signed in with an API key",
      )),
    h("div", { class: "row" },
      other ? h("button", { class: "tiny", type: "button", onclick: () => { session.switchTo(other); go(); } },
        other === "operator" ? "Back to operator" : "Customer view") : null,
      h("button", { class: "tiny", type: "button", onclick: turn }, "Light / dark"),
      h("button", { class: "tiny", type: "button", onclick: signOut }, "Sign out")),
    h("p", { class: "quiet small" }, `Switchboard ${session.version}`));
}

function signOut() {
  session.leave();
  history.replaceState(null, "", "#/");
  render();
}

/** Opens a view; without a name the first one of the role. */
function go(name = home()) {
  if (location.hash === `#/${name}`) render();
  else location.hash = `#/${name}`;
}

function render() {
  if (!session.role()) {
    document.title = "Sign in · Switchboard";
    shell.replaceChildren(signInView(() => go()));
    shell.querySelector("input")?.focus();
    return;
  }
  const [, name, argument] = location.hash.split("/").map(decodeURIComponent);
  const view = isOpen(views[name]) ? views[name] : views[home()];
  const current = Object.keys(views).find(key => views[key] === view);
  document.title = `${view.title} · Switchboard`;
  const main = h("main", { id: "main", tabindex: -1, class: "fade" }, view.build(view === views[name] ? argument : undefined));
  shell.replaceChildren(h("div", { class: "frame" },
    h("div", { class: "side" },
      h(
        "div", { class: "brand" }, h("img", { src: `${session.base}/dashboard/icon.svg`, alt: "", width: 26, height: 26 }),
        "Switchboard",
      ),
      navigation(current), who()),
    main));
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

hooks.refused = role => {
  if (!session.role()) return;
  if (role === "customer" && session.hasOperator()) {
    const isShown = !session.isOperator();
    session.leaveCustomer();
    toast("The API key is not accepted any more.", true);
    if (isShown) go();
    return;
  }
  signOut();
  toast("The secret is not accepted any more: sign in again.", true);
};

document.querySelector(".skip").addEventListener("click", event => {
  event.preventDefault();
  document.getElementById("main")?.focus();
});
theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", event => theme(event.matches ? "dark" : "light"));
addEventListener("hashchange", render);
render();

"""###

    private static let base_css = ###"""
/* Colours, type and the frame of the page. Both schemes meet WCAG AA; the browser test computes it. */
:root {
  --back: #f5f6f8; --panel: #ffffff; --raised: #ffffff; --line: #dfe3e8; --line-strong: #77818e;
  --text: #18202b; --quiet: #56616f; --accent: #0a695b; --accent-hover: #08564b; --on-accent: #ffffff;
  --accent-soft: #e2f2ef; --good: #146c43; --good-soft: #e1f3e9; --warn: #855300; --warn-soft: #fdf1d8;
  --bad: #b3261e; --bad-soft: #fce8e6; --idle: #56616f; --idle-soft: #eceff3; --info: #1c5fa8; --info-soft: #e4eefa;
  --series-1: #0a7c6b; --series-2: #b4620c; --series-3: #4a5fc1; --shadow: 0 1px 2px rgb(20 30 45 / 6%);
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  --radius: 8px; --small: .8125rem;
  color-scheme: light;
}
:root[data-theme="dark"] {
  --back: #0e1318; --panel: #151b22; --raised: #1b232c; --line: #29333e; --line-strong: #6b7785;
  --text: #e4e9ef; --quiet: #9ba7b5; --accent: #56c9b4; --accent-hover: #74d8c6; --on-accent: #06231e;
  --accent-soft: #123430; --good: #6dcf9b; --good-soft: #12301f; --warn: #e5b35a; --warn-soft: #362a10;
  --bad: #f2938c; --bad-soft: #3b1a18; --idle: #9ba7b5; --idle-soft: #222b35; --info: #86b8f0; --info-soft: #152c46;
  --series-1: #56c9b4; --series-2: #e59a4f; --series-3: #9aa9f5; --shadow: none;
  color-scheme: dark;
}
*, *::before, *::after { box-sizing: border-box; }
html { font-size: 15px; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.45 var(--sans); -webkit-font-smoothing: antialiased; }
h1, h2, h3, p, ul, ol, dl, dd, figure { margin: 0; padding: 0; }
h1 { font-size: 1.375rem; font-weight: 640; letter-spacing: -.012em; line-height: 1.2; }
h2 { font-size: 1rem; font-weight: 620; letter-spacing: -.003em; }
h3 { font-size: .875rem; font-weight: 620; }
a { color: var(--accent); text-decoration-thickness: 1px; text-underline-offset: 2px; }
a:hover { color: var(--accent-hover); }
code, .mono { font-family: var(--mono); font-size: .875em; }
.quiet { color: var(--quiet); }
.small { font-size: var(--small); }
.num { font-variant-numeric: tabular-nums; }
.nowrap { white-space: nowrap; }
.wrap { overflow-wrap: anywhere; }
[hidden] { display: none !important; }
.hide { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
h1:focus, main:focus { outline: none; }
.skip { position: absolute; left: 1rem; top: -4rem; z-index: 10; background: var(--accent); color: var(--on-accent); padding: .5rem .9rem; border-radius: 0 0 6px 6px; }
.skip:focus { top: 0; color: var(--on-accent); }
.noscript { padding: 2rem; }

/* The frame: navigation at the left, content at the right; on narrow screens one above the other. */
.frame { display: grid; grid-template-columns: 13.5rem minmax(0, 1fr); min-height: 100vh; }
.side { background: var(--panel); border-right: 1px solid var(--line); display: flex; flex-direction: column; padding: 1rem .75rem; gap: 1.25rem; position: sticky; top: 0; height: 100vh; overflow-y: auto; }
.brand { display: flex; align-items: center; gap: .6rem; padding: 0 .4rem; font-weight: 660; letter-spacing: -.01em; font-size: 1.0625rem; }
.brand img { width: 26px; height: 26px; }
.side nav ul { list-style: none; display: grid; gap: 2px; }
.side nav a { display: flex; align-items: center; gap: .6rem; padding: .42rem .55rem; border-radius: 6px; color: var(--quiet); text-decoration: none; font-weight: 520; }
.side nav a:hover { background: var(--idle-soft); color: var(--text); }
.side nav a[aria-current] { background: var(--accent-soft); color: var(--accent); }
.side nav svg { width: 17px; height: 17px; flex: none; }
.side .who { margin-top: auto; border-top: 1px solid var(--line); padding: .9rem .4rem 0; display: grid; gap: .6rem; font-size: var(--small); }
.who .role { font-weight: 600; }
.who .row { gap: .4rem; }
main { padding: 1.5rem 1.75rem 3rem; min-width: 0; max-width: 84rem; width: 100%; }
.head { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .6rem 1rem; margin-bottom: 1.25rem; min-height: 2.1rem; }
.head .lead { display: grid; gap: .2rem; }
.crumb { font-size: var(--small); }
.stack { display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; align-content: start; min-width: 0; }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; }
.row.spread { justify-content: space-between; }
.columns { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1.45fr) minmax(0, 1fr); align-items: start; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(15.5rem, 1fr)); }
@media (max-width: 68rem) { .columns { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 46rem) {
  .frame { grid-template-columns: minmax(0, 1fr); grid-template-rows: auto 1fr; }
  .side { position: static; height: auto; border-right: 0; border-bottom: 1px solid var(--line); gap: .75rem; padding: .75rem; }
  .side nav ul { display: flex; flex-wrap: wrap; }
  .side nav a { padding: .3rem .45rem; gap: .4rem; font-size: .875rem; }
  .side .who { margin-top: 0; border-top: 0; padding-top: 0; display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; }
  .who br, .who > .small { display: none; }
  .who .role { margin-right: .35rem; }
  main { padding: 1rem; }
}
@media (prefers-reduced-motion: no-preference) { .fade { animation: fade .16s ease-out; } }
@keyframes fade { from { opacity: 0; transform: translateY(3px); } }

"""###

    private static let chart_js = ###"""
// Line charts of what was seen since sign-in, drawn as SVG, with the same numbers in words for those who cannot see them.

import { h, svg } from "./dom.js";
import { series } from "./session.js";

const WIDTH = 320, HEIGHT = 92, LEFT = 2, BOTTOM = 14, CAPACITY = 240;

/** Adds a point to the named series; times are milliseconds. */
export function record(name, value, at = Date.now()) {
  const points = series.get(name) || [];
  if (Number.isFinite(value)) points.push({ at, value });
  series.set(name, points.slice(-CAPACITY));
}

/** Adds what a counter grew by, per second; a counter that fell has begun anew. */
export function recordRate(name, total, at = Date.now()) {
  const last = series.get(`${name}#total`);
  series.set(`${name}#total`, { at, total });
  if (last && at > last.at) record(
    name, Math.max(0, total - (total < last.total ? 0 : last.total)) / ((at - last.at) / 1000), at,
  );
}

const points = name => series.get(name) || [];
export const latest = name => points(name).at(-1)?.value;

function ceiling(value) {
  if (value <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].map(factor => factor * step).find(candidate => candidate >= value);
}

const minutes = milliseconds => (milliseconds < 90000 ? `${Math.round(milliseconds / 1000)} s ago` : `${Math.round(milliseconds / 60000)} min ago`);

/** A chart of several series: lines are {name, label}; `unit` turns a number into words. */
export function chart(title, lines, unit, note = "") {
  const all = lines.flatMap(line => points(line.name));
  const now = lines.map(line => latest(line.name)).find(Number.isFinite);
  const words = lines.map(line => `${line.label} ${Number.isFinite(latest(line.name)) ? unit(latest(line.name)) : "–"}`);
  const picture = svg(
    "svg",
    {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${words.join(", ")}`,
    },
  );
  const caption = h(
    "figcaption", {}, title, h("span", { class: "now" }, lines.length === 1 && Number.isFinite(now) ? unit(now) : ""),
  );
  const legend = h("ul", { class: "legend" });
  const bottom = HEIGHT - BOTTOM;
  picture.append(
    svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: bottom, y2: bottom }),
    svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: 6, y2: 6 }),
  );
  if (all.length) {
    const top = ceiling(Math.max(...all.map(point => point.value)));
    const start = Math.min(...all.map(point => point.at)), end = Math.max(...all.map(point => point.at), start + 1);
    const x = at => LEFT + ((at - start) / (end - start)) * (WIDTH - 2 * LEFT);
    const y = value => bottom - (value / top) * (bottom - 6);
    lines.forEach((line, index) => {
      const list = points(line.name);
      if (list.length < 2) return;
      const path = list.map((point, place) => `${place ? "L" : "M"}${x(point.at).toFixed(1)} ${y(point.value).toFixed(1)}`).join("");
      if (lines.length === 1) picture.append(svg(
        "path",
        {
          class: `area f${index + 1}`,
          d: `${path}L${x(list.at(-1).at).toFixed(1)} ${bottom}L${x(list[0].at).toFixed(1)} ${bottom}Z`,
        },
      ));
      picture.append(svg("path", { class: `line s${index + 1}`, d: path }));
    });
    legend.append(h("li", {}, `top ${unit(top)}`), h("li", {}, `from ${minutes(Date.now() - start)}`));
  } else {
    legend.append(h("li", {}, note || "no values yet"));
  }
  if (lines.length > 1) legend.prepend(...lines.map((line, index) => h(
    "li", {}, h("span", { class: `k${index + 1}` }), words[index],
  )));
  return h("figure", { class: "panel chart" }, caption, picture, legend);
}

"""###

    private static let device_state_js = ###"""
// What a device's state is called and why, from the stored status and the live flags of the API.

import { h } from "./dom.js";
import { badge } from "./parts.js";

const stored = {
  pending: ["not linked", "", "hollow"], active: ["reconnecting", "warn", "live"], disconnected: ["offline", "warn", ""],
  logged_out: ["logged out", "bad", ""],
};

const reasons = {
  stream_replaced: "opened elsewhere: reconnect by hand", temporary_ban: "temporarily banned by WhatsApp",
  client_outdated: "WhatsApp wants a newer client version", logged_out_by_phone: "unlinked on the phone",
  logged_out_by_api: "logged out here", account_locked: "the account is locked", account_banned: "banned by WhatsApp",
  connect_failure: "WhatsApp refuses the login", network: "no connection",
};

/** A badge with the reason below it; takes an entry of /admin/devices/status or the answer of /devices/me/status. */
export function deviceState(device) {
  const status = device.db_status || device.status;
  const isHealthy = device.is_logged_in;
  const reason = isHealthy || status === "pending" ? "" : reasons[device.state_reason] || device.error;
  const [text, tone, extra] = isHealthy ? ["online", "good", ""]
    : device.held_reason ? ["held", "bad", ""]
      : device.is_connected && status === "pending" ? ["linking", "info", "live"]
        : device.is_connected ? ["logging in", "info", "live"] : stored[status] || [status, "", ""];
  return reason ? h("div", {}, badge(text, tone, extra), h("span", { class: "sub" }, reason)) : badge(text, tone, extra);
}

"""###

    private static let dom_js = ###"""
// Building elements, and the words in which numbers, times and sizes are shown. Text only ever becomes text nodes.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false)
    .map(child => (child instanceof Node ? child : document.createTextNode(String(child)))));
  return node;
}

/** An element: h("p", {class: "quiet"}, "text", other). Attributes that begin with "on" are listeners. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Puts new children into a node, unless they say what is there already: focus and scroll stay where they are. */
export function show(node, ...children) {
  const next = children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false);
  const scratch = document.createElement(node.tagName);
  scratch.append(...next.map(child => (child instanceof Node ? child.cloneNode(true) : String(child))));
  if (scratch.innerHTML === node.innerHTML && node.childNodes.length) return;
  const controls = () => [...node.querySelectorAll("a, button, input, select, textarea")];
  const place = controls().indexOf(document.activeElement);
  node.replaceChildren(...next.map(child => (child instanceof Node ? child : document.createTextNode(String(child)))));
  if (place >= 0) controls()[place]?.focus({ preventScroll: true });
}

let serial = 0;
/** An id that no other element has. */
export const uniqueID = prefix => `${prefix}-${++serial}`;

export const count = number => new Intl.NumberFormat("en").format(number ?? 0);

export function bytes(number) {
  if (!Number.isFinite(number)) return "–";
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (number < 1024) return `${number < 10 && unit !== "B" ? number.toFixed(1) : Math.round(number)} ${unit}`;
    number /= 1024;
  }
  return `${number.toFixed(1)} TB`;
}

/** Bytes of a text like "41.3 MB". */
export function parseBytes(text) {
  const match = /^([\d.]+)\s*(B|KB|MB|GB|TB)$/.exec(text || "");
  return match ? Number(match[1]) * 1024 ** ["B", "KB", "MB", "GB", "TB"].indexOf(match[2]) : NaN;
}

export function milliseconds(number) {
  if (!Number.isFinite(number)) return "–";
  if (number >= 10000) return `${Math.round(number / 1000)} s`;
  if (number >= 1000) return `${(number / 1000).toFixed(1)} s`;
  return `${number < 10 ? number.toFixed(1) : Math.round(number)} ms`;
}

/** How long something took or lasts: 42 s, 3 min, 5 h, 2 d. */
export function span(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  const value = Math.max(0, seconds);
  if (value < 60) return `${Math.round(value)} s`;
  if (value < 3600) return `${Math.floor(value / 60)} min`;
  if (value < 86400) return `${Math.floor(value / 3600)} h ${Math.floor((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} d ${Math.floor((value % 86400) / 3600)} h`;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const date = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric" });

export const timeOfDay = text => clock.format(new Date(text));
export const dayOf = text => date.format(new Date(text));

/** "3 min ago", with the exact moment on hover. */
export function ago(text) {
  if (!text) return h("span", { class: "quiet" }, "never");
  const seconds = (Date.now() - new Date(text)) / 1000;
  const words = seconds < 60 ? "just now" : seconds < 86400 ? `${span(seconds)} ago` : dayOf(text);
  return h("time", { datetime: text, title: new Date(text).toLocaleString(), class: "nowrap" }, words);
}

/** The number of a JID, or the JID itself. */
export const shortJID = jid => (jid || "").replace(/(:\d+)?@s\.whatsapp\.net$/, "");

"""###

    private static let icon_svg = ###"""
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0b6e5f"/><g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"><path d="M9 10h5c5 0 4 12 9 12"/><path d="M9 22h5c5 0 4-12 9-12" stroke-opacity=".55"/></g><g fill="#fff"><circle cx="8" cy="10" r="2.6"/><circle cx="8" cy="22" r="2.6"/><circle cx="24" cy="10" r="2.6"/><circle cx="24" cy="22" r="2.6"/></g></svg>

"""###

    private static let index_html = ###"""
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="switchboard-base" content="{{base}}">
<meta name="switchboard-sandbox" content="{{sandbox}}">
<meta name="switchboard-version" content="{{version}}">
<title>Switchboard</title>
<link rel="icon" href="{{base}}/dashboard/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{{base}}/dashboard/base.css">
<link rel="stylesheet" href="{{base}}/dashboard/parts.css">
<link rel="stylesheet" href="{{base}}/dashboard/views.css">
<script type="module" src="{{base}}/dashboard/app.js"></script>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
<div id="shell"></div>
<div id="toasts" role="status" aria-live="polite"></div>
<noscript><p class="noscript">The dashboard needs JavaScript. The API does not: see the documentation.</p></noscript>
</body>
</html>

"""###

    private static let metrics_js = ###"""
// Prometheus text: samples by name, sums of counters, quantiles of histograms.

/** Samples of an exposition: a map from name to [{labels, value}]. */
export function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line);
    if (!match) continue;
    const labels = {};
    for (const [, name, value] of (match[2] || "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    if (!samples.has(match[1])) samples.set(match[1], []);
    samples.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  return samples;
}

/** The sum of the samples of `name` whose labels are as `wanted`; NaN when there are none. */
export function sum(samples, name, wanted = {}) {
  const found = (samples.get(name) || []).filter(({ labels }) => Object.entries(wanted).every(([key, value]) => labels[key] === value));
  return found.length ? found.reduce((total, sample) => total + sample.value, 0) : NaN;
}

/** The label of the first sample of `name`. */
export const label = (samples, name, wanted) => samples.get(name)?.[0]?.labels[wanted];

/** Cumulative buckets of a histogram, all label sets together: [{bound, count}]. */
export function buckets(samples, name) {
  const byBound = new Map();
  for (const { labels, value } of samples.get(`${name}_bucket`) || []) {
    const bound = labels.le === "+Inf" ? Infinity : Number(labels.le);
    byBound.set(bound, (byBound.get(bound) || 0) + value);
  }
  return [...byBound].map(([bound, count]) => ({ bound, count })).sort((one, other) => one.bound - other.bound);
}

/** The quantile of what was added between two readings of a histogram, interpolated; NaN when nothing was. */
export function quantile(share, now, before) {
  const added = now.map(({ bound, count }, index) => ({
    bound, count: count - (before?.[index]?.bound === bound ? before[index].count : 0),
  }));
  const total = added.at(-1)?.count || 0;
  if (total <= 0) return NaN;
  const rank = share * total;
  const index = added.findIndex(({ count }) => count >= rank);
  const low = index > 0 ? added[index - 1] : { bound: 0, count: 0 };
  const high = added[index];
  if (!Number.isFinite(high.bound)) return low.bound;
  return low.bound + (high.bound - low.bound) * ((rank - low.count) / Math.max(1, high.count - low.count));
}

"""###

    private static let panel_link_js = ###"""
// Linking a device: a QR code that renews itself, a code to type on the phone, and WhatsApp's passkey step.

import { APIError, sandbox } from "./api.js";
import { h } from "./dom.js";
import { passkeyPart } from "./panel-passkey.js";
import { attempt, button, every, explain, field, form, input, panel, toast } from "./parts.js";
import * as session from "./session.js";

/** In sandbox mode: scans what is on the screen with one of the sandbox's phones. */
function phoneScanner(code) {
  const choice = h("select", { "aria-label": "Phone of the sandbox" });
  const scan = button("Scan with this phone", async () => {
    if (!code()) throw new APIError(0, "There is no code yet.", "");
    await sandbox("POST", `/accounts/${choice.value}/scan`, { qr: code() });
  }, { class: "primary" });
  const body = h("div", { class: "row" }, choice, scan);
  const none = h("p", { class: "small" }, "The sandbox has no phone yet: ", h("a", { href: "#/phones" }, "make one"), ".");
  const node = h("div", { class: "notice" }, h("strong", {}, "Sandbox"), body, none);
  none.hidden = true;
  attempt(null, async () => {
    const accounts = await sandbox("GET", "/accounts");
    choice.replaceChildren(...accounts.map(account => h(
      "option", { value: account.phone }, `${account.push_name || "Unnamed"} · ${account.phone}`,
    )));
    body.hidden = accounts.length === 0;
    none.hidden = accounts.length > 0;
  });
  choice.style.width = "auto";
  return node;
}

function qrPart(caller, linked, passkey) {
  const frame = h("div", { class: "qr" }, "Getting a code …");
  const bar = h("i", {}), left = h("p", { class: "small quiet num", "aria-live": "off" });
  const told = h("p", { class: "failure", role: "alert" });
  const again = button("New code", () => { run(true); });
  let code = null, expires = 0, total = 1, abort = null, isRunning = false;

  const tick = setInterval(() => {
    if (frame.isConnected === false && code !== null) return stop();
    const seconds = Math.max(0, Math.ceil((expires - Date.now()) / 1000));
    bar.style.width = `${Math.min(100, (seconds / total) * 100)}%`;
    left.textContent = code && seconds ? `next code in ${seconds} s` : "";
    return undefined;
  }, 1000);

  function stop() {
    clearInterval(tick);
    abort?.abort();
  }

  function over(text) {
    code = null;
    frame.replaceChildren(text);
    again.textContent = passkey.isOpen() ? "Start over" : "New code";
    again.hidden = false;
  }

  function shown(data) {
    code = data.code;
    expires = new Date(data.expires_at).getTime();
    total = Math.max(1, (expires - Date.now()) / 1000);
    frame.replaceChildren(h(
      "img", { src: data.qr_code || data.QRCode, alt: "QR code to scan with WhatsApp", width: 248, height: 248 },
    ));
    again.hidden = true;
  }

  const handlers = {
    qr: shown,
    paired() { over(h("span", { class: "done" }, "✓ Linked")); again.hidden = true; linked(); },
    failed(data) { passkey.set({ status: "none" }); over("No code"); told.textContent = data.error; },
    scanned_without_multidevice() { told.textContent = "That phone has no multi-device support: update WhatsApp on it."; },
    passkey: passkey.set,
  };

  async function run(restart) {
    abort?.abort();
    abort = new AbortController();
    const { signal } = abort;
    told.textContent = "";
    frame.replaceChildren("Getting a code …");
    isRunning = true;
    try {
      if (restart) await caller.post("/devices/me/login", { output: "json", restart: true }, signal);
      for await (const { event, data } of caller.events("/devices/me/login/stream", signal)) handlers[event]?.(data);
      if (!signal.aborted && code) over(passkey.isOpen() ? "Waiting for the passkey" : "The codes ran out");
      if (!signal.aborted && passkey.isOpen()) passkey.follow();
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.code === "already_paired") return linked();
      const isPasskey = error.code === "passkey_required";
      if (isPasskey) await passkey.follow();
      over(isPasskey ? "Waiting for the passkey" : "No code");
      told.textContent = isPasskey ? "" : explain(error);
    } finally {
      if (!signal.aborted) isRunning = false;
    }
  }
  run(false);

  const node = h("div", { class: "linker" },
    h(
      "div", { class: "stack" }, frame, h("div", { class: "countdown", "aria-hidden": "true" }, bar),
      h("div", { class: "row spread" }, left, again),
    ),
    h("div", { class: "stack" },
      h("ol", { class: "steps" },
        h("li", {}, "Open WhatsApp on the phone of this number."), h(
          "li", {}, "Settings, then Linked devices, then Link a device.",
        ),
        h("li", {}, "Point the camera at the code. It renews itself.")),
      h("p", { class: "small quiet" }, "If the phone then asks for a passkey, the step appears here."),
      session.hasSandbox && session.hasOperator() ? phoneScanner(() => code) : null, told));
  return { node, stop, resume() { if (!isRunning) run(false); } };
}

function codePart(caller, passkey) {
  const answer = h("div", { class: "stack", hidden: true });
  const phone = input("phone", { required: true, inputmode: "tel", placeholder: "+1 202 555 0100" });
  let expires = 0;
  const ask = form({ class: "inline" }, [
    field("Phone number", phone, "international"), h("button", { type: "submit", class: "primary" }, "Get code"),
  ], async values => {
    const { data } = await caller.post("/devices/me/login-code", { phone: values.phone.replace(/[^\d]/g, "") });
    if (!data) return toast("The device is linked already.");
    answer.hidden = false;
    answer.replaceChildren(
      h("p", { class: "paircode", "aria-label": `Pairing code ${[...data.pair_code].join(" ")}` }, data.pair_code),
      h("p", { class: "small quiet" }, `Valid for ${data.timeout} s.`),
    );
    expires = Date.now() + data.timeout * 1000;
    return passkey.follow();
  });
  const steps = h("ol", { class: "steps" },
    h("li", {}, "On the phone: Settings, Linked devices, Link a device."),
    h("li", {}, "Choose “Link with phone number instead”."),
    h("li", {}, "Type the code."));
  return {
    node: h("div", { class: "stack" }, ask, answer, steps), stop() {}, resume() { answer.hidden = true; },
    isWaiting: () => Date.now() < expires,
  };
}

/** The panel; `linked` is called once the device is paired. */
export function linkPanel(caller, linked) {
  const body = h("div", { class: "body" });
  let part = null, follow = () => {};
  // One for both ways: the step outlives a change of the tab, and a reload of the page.
  const passkey = passkeyPart(caller, () => { linked(); part?.resume(); });
  passkey.follow = () => follow();
  const kinds = [["QR code", () => qrPart(caller, linked, passkey)], ["Pairing code", () => codePart(caller, passkey)]];
  const tabs = kinds.map(([name], index) => h("button", { type: "button", onclick: () => choose(index) }, name));
  function choose(index) {
    part?.stop();
    part = kinds[index][1]();
    tabs.forEach((tab, place) => tab.setAttribute("aria-pressed", String(place === index)));
    body.replaceChildren(passkey.node, part.node);
  }
  choose(0);
  // A customer's requests count against the hour: often only while somebody waits for the answer.
  follow = every(() => (passkey.isOpen() || part.isWaiting?.() ? 3 : 30), passkey.node, passkey.ask);
  return panel("Link a device", [h("div", { class: "segments", role: "group", "aria-label": "How to link" }, tabs)], body);
}

"""###

    private static let panel_passkey_js = ###"""
// The passkey step that WhatsApp asks of some accounts while they link. The assertion can only be made on WhatsApp's own
// web page with the account's authenticator: the gateway carries it, and this panel says how.

import { h } from "./dom.js";
import { button, field, form, secret, toast } from "./parts.js";
import * as session from "./session.js";

/** What to run in the console of WhatsApp's page: it answers with the JSON to paste back. */
const snippet = challenge => `const b = s => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
const e = a => btoa(String.fromCharCode(...new Uint8Array(a))).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
const o = ${JSON.stringify(challenge)};
o.challenge = b(o.challenge); (o.allowCredentials || []).forEach(c => c.id = b(c.id));
const k = await navigator.credentials.get({ publicKey: o });
copy(JSON.stringify({ id: k.id, rawId: e(k.rawId), type: k.type, response: { clientDataJSON: e(k.response.clientDataJSON),
  authenticatorData: e(k.response.authenticatorData), signature: e(k.response.signature),
  userHandle: k.response.userHandle ? e(k.response.userHandle) : undefined } }));`;

const base64url = text => btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** What the sandbox takes for an assertion: it checks the credential and the challenge, not the signature. */
const sandboxAssertion = challenge => {
  const id = challenge.allowCredentials?.[0]?.id || base64url("sandbox");
  const client = { type: "webauthn.get", challenge: challenge.challenge, origin: "https://web.whatsapp.com" };
  return { id, rawId: id, type: "public-key", response: {
    clientDataJSON: base64url(JSON.stringify(client)), authenticatorData: base64url("\0".repeat(37)), signature: base64url("sandbox"),
  } };
};

/** Follows the passkey exchange of a device: `set` takes what `GET /devices/me/passkey` and the login's stream say, and `over`
    is called when an exchange that was open is no more. The gateway keeps the exchange: whoever comes back finds it here. */
export function passkeyPart(caller, over) {
  const node = h("div", { class: "passkey", hidden: true });
  let shown = "", isOpen = false;
  function set(state) {
    const wasOpen = isOpen;
    isOpen = state.status !== "none";
    if (wasOpen && !isOpen) over();
    // Built anew only when something changed: somebody may be typing.
    const now = JSON.stringify([state.status, state.response_sent, state.confirmed, state.error, state.challenge]);
    if (now === shown) return;
    shown = now;
    node.hidden = state.status === "none";
    node.replaceChildren(part(caller, state, ask));
  }
  const ask = async () => set((await caller.get("/devices/me/passkey")).data);
  return { node, set, ask, isOpen: () => isOpen };
}

function part(caller, state, ask) {
  if (state.status === "awaiting_response") return state.response_sent ? waiting("The assertion is at WhatsApp.") : respond(caller, state, ask);
  if (state.status !== "awaiting_confirmation") return "";
  return state.confirmed || state.skip_handoff_ux ? waiting("Waiting for the phone.") : compare(caller, state, ask);
}

const waiting = text => h("div", { class: "notice" }, h("strong", {}, "Passkey"), h("p", {}, text));

function respond(caller, state, ask) {
  const assertion = h("textarea", { name: "assertion", required: true, rows: 4, spellcheck: "false" });
  const send = async body => {
    await caller.post("/devices/me/passkey/response", body);
    toast("The assertion was sent.");
    await ask();
  };
  return h("div", { class: "notice warn" }, h("strong", {}, "WhatsApp asks for a passkey"),
    state.error ? h("p", { class: "failure" }, state.error) : null,
    h(
      "p", {},
      "The gateway can only carry the answer. In a browser that has the account's passkey, open web.whatsapp.com, run this in its console, and paste here what it copies.",
    ),
    secret("Snippet for the console", snippet(state.challenge)),
    form({ class: "lines" }, [
      field("Assertion", assertion, "JSON"),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Send assertion")),
    ], async values => {
      let body;
      try { body = JSON.parse(values.assertion); } catch { throw new Error("That is not JSON."); }
      await send(body);
    }),
    session.hasSandbox && session.hasOperator()
      ? h(
        "div", { class: "row" }, button("Answer with the sandbox's passkey", () => send(sandboxAssertion(state.challenge))),
      ) : null);
}

function compare(caller, state, ask) {
  return h("div", { class: "notice warn" }, h("strong", {}, "Compare this code with the phone"),
    h("p", { class: "paircode" }, state.code),
    form({}, [h("button", { type: "submit", class: "primary" }, "They are the same")], async () => {
      await caller.post("/devices/me/passkey/confirm", {});
      await ask();
    }));
}

"""###

    private static let panel_send_js = ###"""
// A test message, and what the chat with that number holds.

import { h, shortJID, show, timeOfDay } from "./dom.js";
import { button, field, form, input, panel, toast } from "./parts.js";

export function sendPanel(caller, sent) {
  const to = input("to", { required: true, inputmode: "tel", placeholder: "12025550101 or …@g.us" });
  const text = h("textarea", { name: "text", required: true, rows: 2, maxlength: 65536 });
  const log = h("ul", { class: "bubbles", "aria-label": "Messages of the chat", tabindex: 0, hidden: true });
  log.style.maxHeight = "17rem";

  async function load() {
    const chat = to.value.trim();
    if (!chat) return;
    const { data } = await caller.get(`/chats/${encodeURIComponent(chat)}/messages?limit=30`);
    log.hidden = false;
    const messages = [...(data.messages || [])].reverse();
    show(log, messages.length ? messages.map(message => h("li", { class: message.is_from_me ? "out" : null }, message.text || `[${message.type}]`,
      h(
        "small", {},
        [
          message.is_from_me ? message.status : shortJID(message.from),
          timeOfDay(message.timestamp > 1e5 ? message.timestamp * 1000 : message.timestamp),
        ].filter(Boolean).join(" · "),
      )))
      : [h("li", {}, "No messages are stored for this chat.")]);
    log.scrollTop = log.scrollHeight;
  }

  const compose = form({ class: "lines" }, [
    field("To", to, "international number or group"), field("Message", text),
    h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Send"), button("Show chat", load)),
  ], async values => {
    const answer = await caller.post(`/chats/${encodeURIComponent(values.to.trim())}/messages`, { text: values.text });
    text.value = "";
    toast(`Sent: ${answer.data.message_id}`);
    await load();
    sent();
  });
  return panel("Test message", null, h("div", { class: "body" }, compose, log));
}

"""###

    private static let panel_timeline_js = ###"""
// What happened to a device's connection, newest first.

import { dayOf, h, show, timeOfDay } from "./dom.js";
import { empty, panel } from "./parts.js";

const words = {
  "connection.connected": ["connected", "good"], "connection.disconnected": ["disconnected", "warn"],
  "connection.reconnecting": ["trying again", ""], "connection.logged_out": ["logged out", "bad"],
  "connection.keepalive_timeout": ["no answer to keepalives", "warn"], "connection.keepalive_restored": ["keepalives answered again", "good"],
  "connection.temporary_ban": ["temporarily banned", "bad"], "connection.client_outdated": ["client version refused", "bad"],
  "connection.connect_failure": ["connecting failed", "bad"], "connection.stream_error": ["stream error", "warn"],
  "connection.stream_replaced": ["opened elsewhere", "bad"], "connection.pairing_code": ["pairing code made", "info"],
  "connection.pair_success": ["linked", "good"], "connection.pair_error": ["linking failed", "bad"],
  "connection.passkey_required": ["passkey asked for", "info"], "connection.passkey_confirmation": ["passkey answered", "info"],
  "connection.qr_scanned_without_multidevice": [
    "scanned by a phone without multi-device", "warn",
  ], "connection.degraded": ["degraded", "warn"],
};

/** What an event says beside its name, as words. */
function detail(event, data) {
  switch (event) {
    case "connection.reconnecting": return `attempt ${data.attempt}, in ${Math.round((data.delay_ms || 0) / 100) / 10} s`;
    case "connection.temporary_ban": return [
      data.reason_text, data.expires_at && `until ${new Date(data.expires_at).toLocaleString()}`,
    ].filter(Boolean).join(", ");
    case "connection.stream_error": return data.code ? `code ${data.code}` : "";
    case "connection.pair_success": return data.jid || "";
    default: return [
      data.reason_text || data.message || data.error || data.warning || data.reason || "",
      data.initiated_by && `by ${data.initiated_by}`,
    ].filter(Boolean).join(", ");
  }
}

function line(entry) {
  const [text, tone] = words[entry.event] || [entry.event.replace("connection.", "").replaceAll("_", " "), ""];
  const more = detail(entry.event, entry.detail || {});
  return h("li", {}, h(
    "time", { datetime: entry.at, title: new Date(entry.at).toLocaleString() }, timeOfDay(entry.at),
  ), h("span", { class: `mark ${tone}`, "aria-hidden": "true" }),
    h("div", { class: "what" }, text, more ? h("span", { class: "sub" }, more) : null));
}

/** A panel whose `set` takes the entries of the timeline endpoints. */
export function timelinePanel() {
  const list = h("ol", { class: "timeline", tabindex: 0, "aria-label": "Timeline, newest first" });
  const none = empty("Nothing has happened yet.");
  return {
    node: panel("Timeline", null, list, none),
    set(entries) {
      none.hidden = entries.length > 0;
      list.hidden = !none.hidden;
      let day = "";
      show(list, entries.flatMap(entry => {
        const today = dayOf(entry.at), isNew = today !== day && day !== "";
        day = today;
        return isNew ? [h("li", { class: "day" }, today), line(entry)] : [line(entry)];
      }));
    },
  };
}

"""###

    private static let panel_webhooks_js = ###"""
// Webhooks of a device: subscriptions, their delivery log, test, replay.

import { offers } from "./api.js";
import { ago, h, milliseconds, show } from "./dom.js";
import { attempt, badge, button, confirmed, dialog, empty, field, form, input, panel, showOnce, table, toast } from "./parts.js";

const tones = { success: "good", pending: "info", retrying: "warn", failed: "bad", dead: "bad", cancelled: "" };

/** Names of events and their prefixes, to choose from: the gateway's own list. */
async function eventNames(caller) {
  const { data } = await caller.get("/webhook-events");
  const names = data.events.filter(event => event.emitted).map(event => event.name);
  return [...new Set(names.map(name => `${name.split(".")[0]}.*`)), ...names];
}

async function create(caller) {
  const names = await eventNames(caller).catch(() => []);
  return dialog("New webhook", close => form({ class: "lines" }, [
    field("Address", input("url", { type: "url", required: true, maxlength: 2048, placeholder: "https://example.com/hook" })),
    field("Events", input("events", { placeholder: "message.*, connection.connected", list: "event-names" }), "empty: all but the opt-in ones"),
    h("datalist", { id: "event-names" }, names.map(value => h("option", { value }))),
    field("Order", h("select", { name: "ordering" }, ["device", "none", "strict"].map(text => h("option", {}, text)))),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "content", checked: true }), "Send message contents"),
    h(
      "div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Create webhook"),
    ),
  ], async values => {
    const events = values.events.split(/[\s,]+/).filter(Boolean);
    const { data } = await caller.post(
      "/webhooks", { url: values.url, ordering: values.ordering, events, content: values.content === "on" },
    );
    close(data);
  })).then(async made => {
    if (made) await showOnce("Webhook made", [["Signing secret", made.secret]]);
    return made;
  });
}

/** What the gateway can do with deliveries: older ones cannot. */
async function abilities() {
  const [replays, shows, rotates] = await Promise.all([offers("POST /webhooks/{webhook_id}/replay"),
    offers("GET /webhook-events/{event_id}"), offers("POST /webhooks/{webhook_id}/rotate-secret")]);
  return { replays, shows, rotates };
}

/** An event with every attempt to deliver it. */
async function inspect(caller, entry) {
  const { data } = await caller.get(`/webhook-events/${encodeURIComponent(entry.event_id)}`);
  const attempts = (data.deliveries || []).flatMap(delivery => delivery.attempts || []);
  return dialog(entry.EventType, close => [
    table("Attempts", [
      { title: "Attempt", right: true }, { title: "When" }, { title: "Result" }, { title: "Took", right: true },
    ],
      attempts.map(attempt => [
        attempt.attempt, ago(attempt.started_at), attempt.error || attempt.response_code || "–",
        attempt.duration_ms === null ? "–" : milliseconds(attempt.duration_ms),
      ]), "No attempt is recorded."),
    h(
      "pre", { class: "mono payload", tabindex: 0, "aria-label": "What was sent" },
      data.event ? JSON.stringify(data.event, null, 2) : "The contents are past their retention.",
    ),
    h("div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Close")),
  ]);
}

async function rotate(caller, hook) {
  if (!(await confirmed(
    "Make a new signing secret?", "The present one goes on signing beside it for a day.", "Make new secret",
  ))) return;
  const { data } = await caller.post(`/webhooks/${hook.id}/rotate-secret`, {});
  await showOnce("New signing secret", [["Signing secret", data.secret]]);
}

function logTable(caller, hook, can, logs, refresh) {
  return table("Delivery log", [
    { title: "When" }, { title: "Event" }, { title: "Result" }, { title: "Attempts", right: true },
    { title: "Took", right: true }, { title: "Actions", hide: true },
  ],
    logs.map(entry => [
      ago(entry.CreatedAt),
      [h("span", { class: "mono" }, entry.EventType), h("span", { class: "sub mono" }, entry.event_id)],
      h(
        "div", {},
        badge(entry.response_code ? `${entry.Status} ${entry.response_code}` : entry.Status, tones[entry.Status] || ""),
        entry.LastError ? h("span", { class: "sub" }, entry.LastError) : null,
      ),
      entry.AttemptCount, entry.duration_ms === null ? "–" : milliseconds(entry.duration_ms),
      [can.shows && entry.EventType !== "test.ping" ? button(
        "Show", () => inspect(caller, entry), { class: "plain tiny", "aria-label": `Show ${entry.event_id}` },
      ) : null,
        can.replays && ["dead", "failed", "success", "cancelled"].includes(entry.Status) && entry.EventType !== "test.ping"
        ? button(
          "Replay", async () => { await replay(caller, hook, entry); refresh(); },
          { class: "plain tiny", "aria-label": `Replay ${entry.event_id}` },
        ) : null],
    ]), "Nothing was delivered yet.");
}

async function replay(caller, hook, entry) {
  const { data } = await caller.post(`/webhooks/${hook.id}/replay`, { event_ids: [entry.event_id] });
  toast(data.queued ? "Queued again." : "Not queued: the event is past its retention, or waits already.", !data.queued);
}

async function change(caller, hook) {
  await caller.patch(`/webhooks/${hook.id}`, { active: !hook.active });
}

function card(caller, hook, can, refresh) {
  const log = h("div", { hidden: true });
  const status = h(
    "select", { "aria-label": "Deliveries to show", onchange: () => attempt(null, load) },
    ["all", "success", "pending", "retrying", "dead"].map(text => h("option", {}, text)),
  );
  const place = h("div", {});
  status.style.width = "auto";
  log.append(
    h(
      "div", { class: "row spread" }, h("h3", {}, "Delivery log"),
      h("div", { class: "row" }, status, button("Refresh", load, { class: "tiny" })),
    ),
    place,
  );
  async function load() {
    const filter = status.value === "all" ? "" : `&status=${status.value}`;
    const { data } = await caller.get(`/webhooks/${hook.id}/logs?limit=50${filter}`);
    show(place, logTable(caller, hook, can, data.logs, load));
  }
  const toggle = button("Deliveries", async () => {
    log.hidden = !log.hidden;
    toggle.setAttribute("aria-expanded", String(!log.hidden));
    if (!log.hidden) await load();
  }, { class: "tiny", "aria-expanded": "false" });
  const state = hook.active ? badge("active", "good") : badge("off", "bad");
  return h("article", { class: "stack", "aria-label": hook.url },
    h("div", { class: "row spread" },
      h("div", {}, h("div", { class: "row" }, h("strong", { class: "wrap mono" }, hook.url), state),
        h(
          "p", { class: "small quiet" },
          [
            hook.events.length ? hook.events.join(", ") : "all events", `order: ${hook.ordering}`,
            hook.content ? "" : "without contents", hook.disabled_reason || "",
          ].filter(Boolean).join(" · "),
        )),
      h("div", { class: "row" }, toggle,
        button("Test", async () => {
          const { data } = await caller.post(`/webhooks/${hook.id}/test?wait=true`);
          toast(
            data.delivered ? `Answered ${data.response_code} in ${milliseconds(data.duration_ms)}.` : `Not delivered: ${data.error || data.response_code}`,
            !data.delivered,
          );
          if (!log.hidden) await load();
        }, { class: "tiny" }),
        can.rotates ? button("Rotate secret", () => rotate(caller, hook), { class: "tiny" }) : null,
        button(hook.active ? "Turn off" : "Turn on", async () => { await change(caller, hook); refresh(); }, { class: "tiny" }),
        button("Delete", async () => {
          if (!(await confirmed("Delete this webhook?", "Its delivery log goes with it.", "Delete webhook"))) return;
          await caller.remove(`/webhooks/${hook.id}`);
          refresh();
        }, { class: "danger tiny" }))),
    log);
}

export function webhooksPanel(caller) {
  const body = h("div", { class: "body" });
  async function refresh() {
    const [{ data }, can] = await Promise.all([caller.get("/webhooks"), abilities()]);
    body.replaceChildren(...(data.webhooks.length ? data.webhooks.map(hook => card(caller, hook, can, refresh))
      : [empty("No webhooks. One delivers every event of this device to your server, signed.")]));
  }
  attempt(null, refresh);
  return panel("Webhooks", [button("New webhook", async () => { if (await create(caller)) await refresh(); })], body);
}

"""###

    private static let parts_css = ###"""
/* Panels, buttons, fields, tables, badges, dialogs, notices. */
.panel { background: var(--panel); border: 1px solid var(--line); border-radius: var(--radius); box-shadow: var(--shadow); min-width: 0; }
.panel > header { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .5rem; padding: .7rem 1rem; border-bottom: 1px solid var(--line); min-height: 3rem; }
.panel > .body { padding: 1rem; display: grid; grid-template-columns: minmax(0, 1fr); gap: .9rem; }

button, .button { font: inherit; font-size: .875rem; font-weight: 560; line-height: 1.2; padding: .45rem .8rem; border-radius: 6px; border: 1px solid var(--line-strong); background: var(--raised); color: var(--text); cursor: pointer; text-decoration: none; display: inline-flex; align-items: center; gap: .4rem; white-space: nowrap; }
button:hover, .button:hover { border-color: var(--text); color: var(--text); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.primary:hover { background: var(--accent-hover); border-color: var(--accent-hover); color: var(--on-accent); }
button.danger { color: var(--bad); border-color: var(--bad); background: transparent; }
button.danger:hover { background: var(--bad-soft); }
button.plain { border-color: transparent; background: transparent; color: var(--accent); padding-inline: .4rem; }
button.plain:hover { background: var(--accent-soft); }
button.tiny { padding: .22rem .5rem; font-size: var(--small); }
button:disabled { opacity: .55; cursor: default; }
button[aria-busy="true"] { cursor: progress; }
.segments { display: inline-flex; border: 1px solid var(--line-strong); border-radius: 6px; overflow: hidden; }
.segments button { border: 0; border-radius: 0; background: transparent; color: var(--quiet); }
.segments button + button { border-left: 1px solid var(--line); }
.segments button[aria-pressed="true"], .segments button[aria-selected="true"] { background: var(--accent-soft); color: var(--accent); }

label.field { display: grid; gap: .28rem; font-size: var(--small); font-weight: 560; min-width: 0; }
label.field .hint { font-weight: 400; color: var(--quiet); }
label.check { display: flex; align-items: center; gap: .45rem; font-size: .875rem; }
input:not([type="checkbox"]), select, textarea { font: inherit; font-size: .9375rem; font-weight: 400; color: var(--text); background: var(--raised); border: 1px solid var(--line-strong); border-radius: 6px; padding: .42rem .6rem; width: 100%; min-width: 0; }
textarea { resize: vertical; min-height: 4.2rem; }
input::placeholder, textarea::placeholder { color: var(--quiet); opacity: 1; }
input[type="checkbox"] { width: 1rem; height: 1rem; accent-color: var(--accent); margin: 0; }
input[aria-invalid="true"] { border-color: var(--bad); }
form.lines { display: grid; gap: .8rem; }
form.inline { display: flex; flex-wrap: wrap; gap: .6rem; align-items: end; }
form.inline > .field { flex: 1 1 10rem; }
.pair { display: grid; gap: .8rem; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); }
.failure { color: var(--bad); font-size: .875rem; }
.failure:empty { display: none; }

.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th { text-align: left; font-size: .75rem; font-weight: 600; color: var(--quiet); padding: .5rem .75rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { padding: .5rem .75rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
tr:last-child > td { border-bottom: 0; }
tbody tr:hover { background: color-mix(in srgb, var(--idle-soft) 55%, transparent); }
th.right, td.right { text-align: right; white-space: nowrap; }
th:first-child, td:first-child { padding-left: 1rem; }
th:last-child, td:last-child { padding-right: 1rem; }
article .scroll { margin-inline: -1rem; }
td a.name { font-weight: 560; text-decoration: none; }
td a.name:hover { text-decoration: underline; }
.sub { display: block; color: var(--quiet); font-size: .75rem; }
td .sub.mono { overflow-wrap: anywhere; }
td:has(> button.plain) { white-space: nowrap; }

.badge { display: inline-flex; align-items: center; gap: .38rem; font-size: .78rem; font-weight: 560; padding: .1rem .5rem .1rem .42rem; border-radius: 99px; background: var(--idle-soft); color: var(--idle); white-space: nowrap; }
.badge::before { content: ""; width: .48rem; height: .48rem; border-radius: 50%; background: currentColor; flex: none; }
.badge.good { background: var(--good-soft); color: var(--good); }
.badge.warn { background: var(--warn-soft); color: var(--warn); }
.badge.bad { background: var(--bad-soft); color: var(--bad); }
.badge.info { background: var(--info-soft); color: var(--info); }
.badge.hollow::before { background: transparent; box-shadow: inset 0 0 0 2px currentColor; }
@media (prefers-reduced-motion: no-preference) { .badge.live::before { animation: pulse 1.6s ease-in-out infinite; } }
@keyframes pulse { 50% { opacity: .25; } }

.notice { border: 1px solid var(--line); border-left: 3px solid var(--info); background: var(--info-soft); border-radius: 6px; padding: .6rem .8rem; font-size: .875rem; display: grid; gap: .35rem; }
.notice.warn { border-left-color: var(--warn); background: var(--warn-soft); }
.notice.bad { border-left-color: var(--bad); background: var(--bad-soft); }
.skip:focus-visible { outline-color: var(--on-accent); outline-offset: -4px; }
.secret-part { display: grid; gap: .3rem; }
.secret { display: flex; gap: .5rem; align-items: center; }
.secret code { flex: 1; min-width: 0; padding: .5rem .65rem; border-radius: 6px; border: 1px solid var(--line); background: var(--back); overflow-wrap: anywhere; user-select: all; max-height: 8rem; overflow-y: auto; white-space: pre-wrap; }
.secret button { align-self: start; }
.empty { padding: 2rem 1rem; text-align: center; color: var(--quiet); display: grid; gap: .6rem; justify-items: center; font-size: .9375rem; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .38rem 1.1rem; font-size: .875rem; }
.facts dt { color: var(--quiet); }
.facts dd { overflow-wrap: anywhere; }

dialog { border: 1px solid var(--line); border-radius: 10px; background: var(--panel); color: var(--text); padding: 0; width: min(30rem, calc(100vw - 2rem)); box-shadow: 0 20px 60px rgb(0 0 0 / 30%); }
dialog::backdrop { background: rgb(10 16 24 / 45%); }
dialog > .sheet { display: grid; gap: 1rem; padding: 1.25rem; }
dialog .row.end { justify-content: flex-end; }
#toasts { position: fixed; right: 1rem; bottom: 1rem; display: grid; gap: .5rem; z-index: 20; max-width: min(26rem, calc(100vw - 2rem)); }
.toast { background: var(--text); color: var(--back); padding: .6rem .9rem; border-radius: 8px; font-size: .875rem; box-shadow: 0 6px 24px rgb(0 0 0 / 22%); overflow-wrap: anywhere; }
.toast.bad { background: var(--bad); color: var(--panel); }
.pager { justify-content: flex-end; padding: .55rem 1rem; border-top: 1px solid var(--line); }

"""###

    private static let parts_js = ###"""
// The parts every view is made of: badges, tables, forms, dialogs, notices, secrets that are shown once.

import { h, uniqueID } from "./dom.js";

export function toast(text, isBad = false) {
  const place = document.getElementById("toasts");
  if ([...place.children].some(shown => shown.textContent === text)) return;
  const node = h("div", { class: isBad ? "toast bad" : "toast" }, text);
  place.append(node);
  setTimeout(() => node.remove(), isBad ? 8000 : 4000);
}

/** What an error says to a person, with the request's id for whoever looks into the logs. */
export const explain = error =>
  error.message + (error.retryAfter ? ` Try again in ${error.retryAfter} s.` : "") +
  (error.status >= 500 && error.requestID ? ` (request ${error.requestID})` : "");

/** Runs what a button does: busy meanwhile, its failure is told. */
export async function attempt(button, action) {
  if (button?.getAttribute("aria-busy") === "true") return undefined;
  button?.setAttribute("aria-busy", "true");
  try {
    return await action();
  } catch (error) {
    if (error.name !== "AbortError") toast(explain(error), true);
    return undefined;
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

export function button(text, action, attributes = {}) {
  return h("button", { type: "button", onclick: event => attempt(event.currentTarget, action), ...attributes }, text);
}

export const badge = (text, tone = "", extra = "") => h("span", { class: `badge ${tone} ${extra}`.trim() }, text);

/** A panel with a heading; `tools` stand at the right of it. */
export function panel(title, tools, ...body) {
  const id = uniqueID("panel");
  return h("section", { class: "panel", "aria-labelledby": id },
    h("header", {}, h("h2", { id }, title), tools?.length ? h("div", { class: "row" }, tools) : null), body);
}

export const empty = (...children) => h("div", { class: "empty" }, children);

/** A table: columns are {title, right, hide}; rows are lists of cells. */
export function table(caption, columns, rows, whenEmpty) {
  if (!rows.length) return empty(whenEmpty || "Nothing yet.");
  return h("div", { class: "scroll" }, h("table", {},
    h("caption", { class: "hide" }, caption),
    h("thead", {}, h("tr", {}, columns.map(column => h("th", { scope: "col", class: column.right ? "right" : null },
      column.hide ? h("span", { class: "hide" }, column.title) : column.title)))),
    h("tbody", {}, rows.map(cells => h("tr", {}, cells.map((cell, index) =>
      h("td", { class: columns[index].right ? "right num" : null }, cell)))))));
}

/** A labelled field; `control` is an input, select or textarea. */
export function field(label, control, hint) {
  return h("label", { class: "field" }, h("span", {}, label, hint ? h("span", { class: "hint" }, ` ${hint}`) : null), control);
}

export const input = (name, attributes = {}) => h("input", { name, autocomplete: "off", spellcheck: "false", ...attributes });

/** A form that runs `action` with its values; what fails is said in the form. */
export function form(attributes, children, action) {
  const failure = h("p", { class: "failure", role: "alert" });
  const node = h("form", { novalidate: false, ...attributes }, children, failure);
  node.addEventListener("submit", async event => {
    event.preventDefault();
    const submit = node.querySelector('button[type="submit"], button:not([type])');
    if (submit?.getAttribute("aria-busy") === "true") return;
    submit?.setAttribute("aria-busy", "true");
    failure.textContent = "";
    try {
      await action(Object.fromEntries(new FormData(node)), node);
    } catch (error) {
      failure.textContent = explain(error);
    } finally {
      submit?.removeAttribute("aria-busy");
    }
  });
  return node;
}

/** Opens a dialog and resolves when it closes. `build` gets the function that closes it. */
export function dialog(title, build) {
  return new Promise(resolve => {
    const id = uniqueID("dialog");
    const node = h("dialog", { "aria-labelledby": id });
    const close = value => { node.close(); resolve(value); };
    node.append(h("div", { class: "sheet" }, h("h2", { id }, title), build(close)));
    node.addEventListener("close", () => { node.remove(); resolve(undefined); });
    document.body.append(node);
    node.showModal();
  });
}

/** Asks before something that cannot be undone. */
export function confirmed(title, text, verb) {
  return dialog(title, close => [
    h("p", {}, text),
    h("div", { class: "row end" },
      h("button", { type: "button", onclick: () => close(false) }, "Cancel"),
      h("button", { type: "button", class: "danger", onclick: () => close(true) }, verb)),
  ]);
}

/** A secret with a button that copies it. */
export function secret(label, text) {
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast("Copied.");
    } catch {
      toast("Copying is not allowed here: select the text.", true);
    }
  }, { "aria-label": `Copy ${label}` });
  return h(
    "div", { class: "secret-part" }, h("p", { class: "small quiet" }, label), h(
      "div", { class: "secret" }, h("code", { tabindex: text.length > 200 ? 0 : null }, text), copy,
    ),
  );
}

/** Shows secrets that exist nowhere else. */
export function showOnce(title, secrets, extra) {
  return dialog(title, close => [
    h("p", { class: "notice warn" }, "Keep this now: it is stored as a hash and cannot be shown again."),
    secrets.map(([label, text]) => secret(label, text)),
    h("div", { class: "row end" }, extra ? extra(close) : null,
      h("button", { type: "button", class: "primary", onclick: () => close() }, "I have kept it")),
  ]);
}

export function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

/** Steps through a long list: `query()` is what to ask for, `took(answer)` takes the answer, `reset()` begins anew. */
export function pager(refresh, size = 100) {
  const passed = [];
  let cursor = "", next = "";
  const turn = action => button(action === "older" ? "Older" : "Newer", async () => {
    if (action === "older") passed.push(cursor);
    cursor = action === "older" ? next : passed.pop() ?? "";
    await refresh();
  }, { class: "tiny" });
  const newer = turn("newer"), older = turn("older"), place = h("span", { class: "small quiet", "aria-live": "polite" });
  const node = h("div", { class: "row pager", hidden: true }, newer, place, older);
  return {
    node,
    query: () => `limit=${size}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`,
    took(answer) {
      next = answer.next;
      node.hidden = !next && !passed.length;
      older.disabled = !next;
      newer.disabled = !passed.length;
      place.textContent = `page ${passed.length + 1}`;
    },
    reset() { passed.length = 0; cursor = ""; },
  };
}

/** A field that searches: `changed` runs once typing rests. */
export function searchField(label, placeholder, changed) {
  let timer = 0;
  const oninput = () => { clearTimeout(timer); timer = setTimeout(changed, 250); };
  return input("search", { type: "search", placeholder, "aria-label": label, oninput });
}

/** Runs `task` now and every `seconds` while the page is visible and `node` is in it. */
export function every(seconds, node, task) {
  let isFirst = true, timer = 0;
  const run = async () => {
    clearTimeout(timer);
    // The first run happens while the view is being built.
    if (!isFirst && !node.isConnected) return document.removeEventListener("visibilitychange", wake);
    isFirst = false;
    if (!document.hidden) {
      try { await task(); } catch (error) { if (error.name !== "AbortError" && error.status !== 401) toast(explain(error), true); }
    }
    timer = setTimeout(run, (typeof seconds === "function" ? seconds() : seconds) * 1000);
    return undefined;
  };
  const wake = () => { if (!document.hidden) run(); };
  document.addEventListener("visibilitychange", wake);
  run();
  return run;
}

"""###

    private static let session_js = ###"""
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

"""###

    private static let view_audit_js = ###"""
// The audit log: what operators and customers did.

import { admin } from "./api.js";
import { ago, h, show } from "./dom.js";
import { badge, every, pager, panel, table } from "./parts.js";

/** What an entry is about. */
function subject(entry) {
  if (entry.target) return h("span", { class: "wrap" }, entry.target);
  return entry.api_key_id ? h("a", { href: `#/tenants/${entry.api_key_id}` }, `API key ${entry.api_key_id}`) : "–";
}

export function auditView() {
  const place = h("div", {});
  let entries = [], showsAll = false, turn = 0, refresh = () => {};
  const pages = pager(() => refresh(), 200);
  const all = h("input", { type: "checkbox", onchange: event => { showsAll = event.target.checked; pages.reset(); refresh(); } });
  function draw() {
    // Every request of the operator is a line too, those of this page among them. Shown first is what changed something, and
    // what was refused: the server leaves out what was read, and what has a line that says more is left out here.
    const told = new Set(entries.filter(entry => entry.action !== "admin.request").map(entry => entry.request_id));
    const isNoise = entry => entry.action === "admin.request" && /^2/.test(entry.result) && told.has(entry.request_id);
    const rows = entries.filter(entry => showsAll || !isNoise(entry));
    show(place, table("Audit log", [
      { title: "When" }, { title: "Who" }, { title: "What" }, { title: "On" }, { title: "Result" }, { title: "From" },
    ],
      rows.map(entry => [
        ago(entry.at), entry.actor, h("code", {}, entry.action),
        [
          subject(entry),
          entry.device_id ? h("a", { class: "sub mono", href: `#/devices/${entry.device_id}` }, entry.device_id) : null,
        ],
        badge(entry.result, /^(ok|2\d\d)$/.test(entry.result) ? "good" : "bad"),
        [h("span", { class: "num" }, entry.client || "–"), h("span", { class: "sub mono" }, entry.request_id)],
      ]), "Nothing was recorded yet."));
  }
  const view = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Audit log")),
    panel("Newest first", [h("label", { class: "check" }, all, "Every request of the operator")], place, pages.node));
  refresh = every(15, view, async () => {
    const mine = ++turn;
    const page = await admin.get(`/admin/audit?${pages.query()}&reads=${showsAll}`);
    if (mine !== turn) return;
    pages.took(page);
    entries = page.data;
    draw();
  });
  return view;
}

"""###

    private static let view_device_js = ###"""
// One device: what state it is in and why, its timeline, linking, a test message, its webhooks.

import { admin, customer, device as callerOf } from "./api.js";
import { deviceState } from "./device-state.js";
import { ago, h, shortJID, show } from "./dom.js";
import { linkPanel } from "./panel-link.js";
import { sendPanel } from "./panel-send.js";
import { timelinePanel } from "./panel-timeline.js";
import { webhooksPanel } from "./panel-webhooks.js";
import { badge, button, confirmed, every, facts, panel, toast } from "./parts.js";
import * as session from "./session.js";

const crumb = h("p", { class: "crumb" }, h("a", { href: "#/devices" }, "Devices"));

export const deviceView = id => (session.isOperator() ? operatorView(encodeURIComponent(id)) : customerView(encodeURIComponent(id)));

function heading(title, state, tools) {
  return [
    h("div", { class: "lead" }, crumb.cloneNode(true), h("div", { class: "row" }, h("h1", {}, title), state)),
    h("div", { class: "row" }, tools),
  ];
}

async function remove(caller, path, title) {
  if (!(await confirmed(
    `Delete ${title}?`, "It is unlinked on the phone, and its messages and webhooks are deleted. This cannot be undone.",
    "Delete device",
  ))) return;
  await caller.remove(path);
  toast("Deleted.");
  location.hash = "#/devices";
}

function operatorView(id) {
  const head = h("div", { class: "head" }), about = h("div", { class: "body" });
  const timeline = timelinePanel();
  const view = h("div", {}, head, h("div", { class: "columns" }, panel("State", null, about), timeline.node));
  const refresh = every(5, view, async () => {
    const [{ data }, { data: live }] = await Promise.all([
      admin.get(`/admin/devices?q=${id}`), admin.get(`/admin/devices/status?q=${id}`),
    ]);
    const found = data.devices.find(device => device.device_id === id);
    if (!found) return show(head, heading("No such device", null, null));
    const device = { ...found, ...live.devices.find(entry => entry.device_id === id) };
    const title = device.device_name || "Unnamed";
    show(head, heading(title, deviceState(device), [
      button(
        "Reconnect", async () => { await admin.post(`/admin/devices/${id}/reconnect`); toast("Reconnecting."); refresh(); },
      ),
      button("Delete", () => remove(admin, `/admin/devices/${id}`, title), { class: "danger" }),
    ]));
    show(about, facts([
      [
        "Tenant", h("a", { href: `#/tenants/${device.api_key_id}` }, device.customer_name),
      ], ["Number", shortJID(device.whatsmeow_jid) || "not linked"],
      ["Stored status", device.db_status], [
        "Connected", device.is_connected ? "yes" : "no",
      ], ["Logged in", device.is_logged_in ? "yes" : "no"],
      ["Why not", device.error], ["Node", device.node_id && h("code", {}, device.node_id)], ["Device id", h("code", {}, id)],
      [
        "Own id of the tenant", device.external_id,
      ], ["Made", ago(device.created_at)], ["Last active", ago(device.last_active_at)],
    ]), h(
      "p", { class: "small quiet" },
      "Linking, messages and webhooks belong to the customer: open the customer view of the tenant.",
    ));
    return timeline.set((await admin.get(`/admin/devices/${id}/timeline`)).data);
  });
  return view;
}

function customerView(id) {
  const caller = callerOf(id);
  const head = h("div", { class: "head" }), about = h("div", { class: "body" });
  const timeline = timelinePanel();
  const left = h("div", { class: "stack" }), right = h("div", { class: "stack" }, panel("Facts", null, about), timeline.node);
  const view = h("div", {}, head, h("div", { class: "columns" }, left, right));
  let isLinked = null, hasStarted = false, title = "", before = "", pace = 1.5;

  async function describe() {
    const { data: me } = await caller.get("/devices/me");
    title = me.device_name || "Unnamed";
    show(about, facts([
      [
        "Number", shortJID(me.whatsmeow_jid) || "not linked",
      ], ["LID", me.lid], ["Name on WhatsApp", me.push_name], ["Phone", me.platform],
      ["Device id", h("code", {}, me.device_id)], ["Own id", me.external_id], [
        "Proxy", me.proxy_active ? badge("own proxy", "info") : "",
      ],
      ["Made", ago(me.created_at)], ["Last active", ago(me.last_active)],
    ]));
    timeline.set((await caller.get("/devices/me/timeline")).data);
  }

  async function load() {
    const { data: status } = await caller.get("/devices/me/status");
    const isNews = JSON.stringify(status) !== before;
    before = JSON.stringify(status);
    if (isNews) pace = 1.5;
    const linked = !["pending", "logged_out"].includes(status.db_status);
    const changed = linked !== isLinked;
    if (isNews) await describe();
    show(head, heading(title, deviceState(status), [
      linked ? button(
        "Reconnect", async () => { await caller.post("/devices/me/reconnect"); toast("Reconnecting."); refresh(); },
      ) : null,
      linked ? button("Unlink", async () => {
        if (!(await confirmed(
          `Unlink ${title}?`,
          "The session is wiped here and the device leaves the phone's list. Messages that are stored stay.", "Unlink",
        ))) return;
        await caller.remove("/devices/me/session");
        refresh();
      }) : null,
      button("Delete", () => remove(customer, `/devices/${id}`, title), { class: "danger" }),
    ]));
    if (changed || !hasStarted) {
      isLinked = linked;
      left.replaceChildren(...(linked ? [sendPanel(caller, describe), webhooksPanel(caller)] : [
        linkPanel(caller, () => refresh()), webhooksPanel(caller),
      ]));
    }
    hasStarted = true;
  }
  // A customer's requests count against the hour: often only after something changed, then ever more rarely.
  const refresh = every(() => (pace = Math.min(20, pace * 1.4)), view, load);
  return view;
}

"""###

    private static let view_devices_js = ###"""
// The list of devices: all of them for the operator, the own ones for a customer.

import { admin, customer } from "./api.js";
import { deviceState } from "./device-state.js";
import { ago, h, shortJID, show } from "./dom.js";
import { button, dialog, every, field, form, input, pager, panel, searchField, showOnce, table } from "./parts.js";
import * as session from "./session.js";

const columns = [{ title: "Device" }, { title: "Number" }, { title: "State" }, { title: "Last active" }];

function create() {
  return dialog("New device", close => form({ class: "lines" }, [
    field("Name", input("device_name", { maxlength: 255, placeholder: "Support bot" })),
    field("Your own id", input("external_id", { maxlength: 128 }), "optional, unique among your devices"),
    h("div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Create device")),
  ], async values => {
    const made = (await customer.post("/devices", values)).data;
    session.tokens.set(made.device_id, made.token);
    close(made);
  })).then(async made => {
    if (!made) return;
    await showOnce(
      `${made.device_name || "Device"} is made`,
      [["Device token, for every call of the device", made.token], ["Device secret, gets a new token", made.device_secret]],
    );
    location.hash = `#/devices/${made.device_id}`;
  });
}

const name = device => [
  h("a", { class: "name", href: `#/devices/${device.device_id}` }, device.device_name || "Unnamed"),
  h("span", { class: "sub mono" }, device.device_id),
];

const number = device => (device.whatsmeow_jid ? h(
  "span", { class: "num" }, shortJID(device.whatsmeow_jid),
) : h("span", { class: "quiet" }, "–"));

const kinds = [["", "All"], ["active", "Linked"], ["disconnected", "Offline"], ["pending", "Not linked"], ["logged_out", "Logged out"]];

/** Both lists go by the same order, so that a page of one is the same page of the other. */
async function ofOperator(query) {
  const [page, live] = await Promise.all([admin.get(`/admin/devices?${query}`), admin.get(`/admin/devices/status?${query}`)]);
  const states = new Map(live.data.devices.map(device => [device.device_id, device]));
  return { next: page.next, data: page.data.devices.map(device => ({ ...device, ...states.get(device.device_id) })) };
}

export function devicesView() {
  const isOperator = session.isOperator();
  const place = h("div", {});
  let turn = 0, refresh = () => {};
  const pages = pager(() => refresh());
  const anew = () => { pages.reset(); refresh(); };
  const search = searchField("Find a device", "Name, number, id", anew);
  const kind = h("select", { "aria-label": "Which devices", onchange: anew }, kinds.map(([value, text]) => h("option", { value }, text)));
  function draw(devices) {
    const isNarrowed = search.value.trim() !== "" || kind.value !== "";
    const rows = devices.map(device => [name(device), number(device), deviceState(device), ago(device.last_active_at),
      ...(isOperator ? [h("a", { href: `#/tenants/${device.api_key_id}` }, device.customer_name)] : [])]);
    const none = isOperator ? "No devices yet: customers make them with their API key." : "No devices yet. A device is one linked WhatsApp account.";
    show(place, table(
      "Devices", isOperator ? [...columns, { title: "Tenant" }] : columns, rows, isNarrowed ? "No device matches." : none,
    ));
  }
  const tools = isOperator
    ? button("Reconnect all", async () => { await admin.post("/admin/devices/reconnect?async=true"); })
    : button("New device", create, { class: "primary" });
  const view = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Devices"), tools),
    panel(isOperator ? "All tenants" : "Your devices", isOperator ? [search, kind] : [search], place, pages.node));
  refresh = every(isOperator ? 6 : 20, view, async () => {
    const mine = ++turn;
    const query = `${pages.query()}&q=${encodeURIComponent(search.value.trim())}${kind.value ? `&status=${kind.value}` : ""}`;
    const page = await (isOperator ? ofOperator(query) : customer.get(`/devices?${query}`));
    // What was typed meanwhile asks again.
    if (mine !== turn) return;
    pages.took(page);
    draw(page.data);
  });
  return view;
}

"""###

    private static let view_overview_js = ###"""
// The operator's first page: what runs, how fast, how much waits.

import { admin, metricsText } from "./api.js";
import { chart, latest, record, recordRate } from "./chart.js";
import { ago, bytes, count, h, milliseconds, parseBytes, show, span } from "./dom.js";
import * as metrics from "./metrics.js";
import { badge, every, panel, table } from "./parts.js";

const perSecond = value => `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`;
let previous = new Map();

/** Takes one reading of everything the charts show. Behind a balancer each answer may come from another node: what is a
    node's own is kept apart under its id. */
function take(health, samples) {
  record(`${health.node_id} memory`, parseBytes(health.memory_alloc));
  record(`${health.node_id} database`, health.db_latency_ms);
  record(`${health.node_id} sessions`, health.whatsapp_clients);
  record("queue", health.outbox_pending);
  const node = samples && metrics.label(samples, "switchboard_node_info", "node_id");
  if (!node) return;
  for (const [series, name, labels] of [
    ["sent", "switchboard_messages_sent_total", {}], [
      "received", "switchboard_messages_received_total", {},
    ], ["requests", "switchboard_http_requests_total", {}],
    ["delivered", "switchboard_webhook_attempts_total", { outcome: "success" }],
  ]) {
    const total = metrics.sum(samples, name, labels);
    if (Number.isFinite(total)) recordRate(`${node} ${series}`, total);
  }
  for (const [series, name] of [
    ["ack", "switchboard_message_send_duration_seconds"], ["http", "switchboard_http_request_duration_seconds"],
    ["lag", "switchboard_webhook_delivery_lag_seconds"], ["commit", "switchboard_commit_seconds"],
  ]) {
    const now = metrics.buckets(samples, name);
    if (now.length) {
      const before = previous.get(`${node} ${name}`);
      record(`${node} ${series} p50`, metrics.quantile(0.5, now, before) * 1000);
      record(`${node} ${series} p95`, metrics.quantile(0.95, now, before) * 1000);
      previous.set(`${node} ${name}`, now);
    }
  }
}

function figures(stats, health) {
  const figure = (name, value, note) => h("div", {}, h("dt", {}, name), h("dd", {}, value, note ? h("small", {}, note) : null));
  return h("dl", { class: "panel figures" },
    figure("Tenants", count(stats.active_api_keys), `${count(stats.total_api_keys - stats.active_api_keys)} disabled`),
    figure("Devices online", count(stats.connected_devices), `of ${count(stats.total_devices)}`),
    figure("Not linked", count(stats.pending_devices), `${count(stats.logged_out_devices)} logged out`),
    figure("Offline", count(stats.disconnected_devices), "linked, not connected"),
    figure("Webhooks", count(stats.active_webhooks), `of ${count(stats.total_webhooks)}`),
    figure(
      "Outbox", count(health.outbox_pending),
      health.outbox_pending ? `oldest ${span(health.outbox_oldest_seconds)}` : "nothing waits",
    ),
    figure("Up", span(health.uptime_seconds), `version ${health.version}`));
}

function charts(node) {
  const has = name => Number.isFinite(latest(`${node} ${name}`));
  const line = (name, label) => ({ name: `${node} ${name}`, label });
  const quantiles = (title, name) => (has(`${name} p50`)
    ? chart(title, [line(`${name} p50`, "p50"), line(`${name} p95`, "p95")], milliseconds) : null);
  return [
    has("sent") || has("received")
      ? chart("Messages", [line("sent", "sent"), line("received", "received")], perSecond) : null,
    quantiles("Send to WhatsApp's answer", "ack"), quantiles("API latency", "http"),
    chart("Webhook queue", [{ name: "queue", label: "waiting" }], count),
    has("delivered") ? chart("Webhooks delivered", [line("delivered", "delivered")], perSecond) : null,
    quantiles("From event to webhook", "lag"), chart("Database latency", [line("database", "round trip")], milliseconds),
    quantiles("Group commit", "commit"), chart("Memory", [line("memory", "resident")], bytes),
    chart("Sessions of this node", [line("sessions", "sessions")], count),
    has("requests") ? chart("API requests", [line("requests", "requests")], perSecond) : null,
  ];
}

/** Which node the charts are of, once more than one has answered. */
function nodeChoice(redraw) {
  const select = h("select", { "aria-label": "Node of the charts", onchange: redraw });
  select.hidden = true;
  return {
    select,
    seen(id, nodes) {
      if (![...select.options].some(option => option.value === id)) select.append(h("option", { value: id }, id));
      for (const option of select.options) option.text = nodes.find(node => node.node_id === option.value)?.name || option.value;
      select.hidden = select.options.length < 2;
    },
  };
}

function nodesTable(nodes) {
  return table("Nodes", [
    { title: "Node" }, { title: "State" }, { title: "Devices", right: true }, { title: "Version" }, { title: "Up since" },
    { title: "Heartbeat" },
  ],
    nodes.map(node => [
      [
        node.name || "node", h("span", { class: "sub mono" }, node.node_id),
      ], node.draining ? badge("draining", "warn") : badge("serving", "good"),
      [
        count(node.leases), h("span", { class: "quiet" }, ` of ${count(node.max_devices)}`),
      ], node.version, ago(node.started_at), ago(node.heartbeat_at),
    ]), "No node has sent a heartbeat.");
}

export function overviewView() {
  const state = h("div", {}), numbers = h("div", {}), pictures = h("div", { class: "cards" }), cluster = h("div", {}), deliveries = h("div", { class: "body" });
  const node = nodeChoice(() => show(pictures, charts(node.select.value)));
  const view = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Overview"), h("div", { class: "row" }, node.select, state)),
    h(
      "div", { class: "stack" }, numbers, pictures,
      h("div", { class: "columns" }, panel("Nodes", null, cluster), panel("Webhook deliveries", null, deliveries)),
    ));
  every(5, view, async () => {
    const [{ data: stats }, { data: health }, { data: hooks }, { data: nodes }, text] = await Promise.all([
      admin.get("/admin/stats"), admin.get("/admin/health?strict=false"), admin.get("/admin/webhooks/stats"), admin.get("/admin/nodes"), metricsText()]);
    take(health, text && metrics.parse(text));
    show(state, health.status === "ok" ? badge("healthy", "good") : badge(health.database, "bad"));
    show(numbers, figures(stats, health));
    node.seen(health.node_id, nodes);
    show(pictures, charts(node.select.value));
    show(cluster, nodesTable(nodes));
    const share = hooks.total_deliveries ? `${hooks.success_rate.toFixed(1)} %` : "–";
    show(deliveries, h("dl", { class: "facts" },
      [["Last 24 hours", count(hooks.total_deliveries_24h)], [
        "Delivered", count(hooks.successful_deliveries_24h),
      ], ["Dead letters", count(hooks.failed_deliveries_24h)],
        ["Success, all time", share], ["Failed attempts", count(hooks.failed_attempts)]].map(([name, value]) => [
          h("dt", {}, name), h("dd", { class: "num" }, value),
        ])));
  });
  return view;
}

"""###

    private static let view_phones_js = ###"""
// The phones of the sandbox (`switchboard dev`): make one, link devices to it, chat as the person who holds it.

import { sandbox } from "./api.js";
import { h, shortJID, show, timeOfDay } from "./dom.js";
import { attempt, badge, button, confirmed, dialog, empty, every, facts, field, form, input, panel, toast } from "./parts.js";

const at = (phone, rest = "") => `/accounts/${encodeURIComponent(phone)}${rest}`;

function create() {
  return dialog("New phone", close => form({ class: "lines" }, [
    field(
      "Number", input("phone", { required: true, inputmode: "tel", pattern: "[0-9]{7,15}", placeholder: "12025550100" }),
      "digits, international",
    ),
    field("Name", input("push_name", { placeholder: "Ada" })),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "echo" }), "Answer every text with the same text"),
    h(
      "label", { class: "check" }, h("input", { type: "checkbox", name: "passkey" }),
      "WhatsApp asks for a passkey while it links",
    ),
    h(
      "div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Make phone"),
    ),
  ], async values => {
    const passkey = values.passkey ? "required" : "off";
    const made = await sandbox("POST", "/accounts", { phone: values.phone, push_name: values.push_name, passkey });
    if (values.echo) await sandbox("PATCH", at(made.phone), { auto: { echo: true } });
    close(made);
  }));
}

function describe(message) {
  if (message.revoked) return "(taken back)";
  if (message.kind === "text") return message.text;
  return message.text ? `[${message.kind}] ${message.text}` : `[${message.kind}]`;
}

function bubble(message) {
  const who = message.from_me ? (message.from_device ? `linked device ${message.from_device}` : "this phone") : message.push_name || shortJID(message.from);
  const reactions = Object.values(message.reactions || {}).join(" ");
  return h("li", { class: message.from_me ? "out" : null }, describe(message),
    h(
      "small", {},
      [who, timeOfDay(message.t * 1000), message.status, message.edited && "edited", reactions].filter(Boolean).join(" · "),
    ));
}

function deviceList(phone, devices, refresh) {
  const linked = devices.filter(device => device.device !== 0);
  if (!linked.length) return empty("No device is linked.");
  return h("ul", { class: "list" }, linked.map(device => h("li", { class: "row spread" },
    h(
      "div", {}, `Device ${device.device}`, h("span", { class: "sub" }, device.platform),
      device.connected ? badge(device.active ? "connected" : "connecting", "good") : badge("offline", ""),
    ),
    button("Unlink", async () => {
      if (!(await confirmed("Unlink this device?", "As if its owner removed it under Linked devices.", "Unlink"))) return;
      await sandbox("POST", at(phone, `/devices/${device.device}/kick`), { reason: "device_removed" });
      refresh();
    }, { class: "tiny", "aria-label": `Unlink device ${device.device}` }))));
}

function linkForms(phone, refresh) {
  const done = async what => { await what; toast("Linked."); refresh(); };
  return h("details", {}, h("summary", { class: "small" }, "Link a device"), h("div", { class: "stack" },
    form({ class: "lines" }, [
      field("Text of the QR code", h("textarea", { name: "qr", required: true, rows: 3, spellcheck: "false" })),
      h("div", {}, h("button", { type: "submit" }, "Scan")),
    ],
      values => done(sandbox("POST", at(phone, "/scan?wait=paired"), { qr: values.qr.trim() }))),
    form({ class: "lines" }, [
      field("Or the pairing code", input("code", { required: true, placeholder: "XXXX-XXXX" })),
      h("div", {}, h("button", { type: "submit" }, "Enter code")),
    ],
      async values => {
        const reply = await sandbox("POST", at(phone, "/enter-code"), { code: values.code.trim() });
        if (reply.jid) await done(); else throw new Error(`The phone says: ${(reply.state || "refused").replaceAll("_", " ")}.`);
      }),
    form({ class: "lines" }, [
      field(
        "Or the code of a passkey", input("passkey", { required: true, placeholder: "XXXX-XXXX" }), "shown by the device too",
      ),
      h("div", {}, h("button", { type: "submit" }, "They are the same")),
    ],
      async values => {
        const reply = await sandbox("POST", at(phone, "/confirm-passkey"), { code: values.passkey.trim() });
        if (reply.state === "wrong_code") throw new Error("The phone shows another code.");
        toast("The phone takes them for the same.");
        refresh();
      })));
}

export function phonesView() {
  const list = h("ul", { class: "list" }), chatPlace = h("div", {}), side = h("div", { class: "stack" });
  let phones = [], phone = null, chat = null, refresh = () => {};

  const bubbles = h("ol", { class: "bubbles", "aria-label": "Messages", "aria-live": "polite", tabindex: 0 });
  const text = input("text", { required: true, placeholder: "Write as this phone", "aria-label": "Message" });
  const to = input("to", { required: true, placeholder: "Number or group", "aria-label": "To" });
  const compose = form({ class: "chat" }, [
    bubbles,
    h(
      "div", { class: "compose" }, h("label", {}, to), h("label", {}, text),
      h("button", { type: "submit", class: "primary" }, "Send"),
    ),
  ],
    async values => {
      const mine = phone;
      await sandbox("POST", at(mine, "/send"), { to: values.to.trim(), text: values.text });
      if (mine !== phone) return;
      text.value = "";
      chat = values.to.includes("@") ? values.to.trim() : `${values.to.replace(/\D/g, "")}@s.whatsapp.net`;
      await load();
    });
  const chats = h("ul", { class: "list", "aria-label": "Chats" });
  const chatPanel = panel("Chat", null, chats, compose);
  const devices = h("div", {}), link = h("div", { class: "body" }), about = h("div", { class: "body" });
  const nothing = h(
    "section", { class: "panel" },
    empty("Make a phone or choose one: you hold it.", button("New phone", start, { class: "primary" })),
  );

  async function start() {
    const made = await create();
    if (made) choose(made.phone);
  }

  function choose(number) {
    phone = number;
    chat = null;
    to.value = "";
    // Not `show`: these look the same for every phone, and act on the one they were made for.
    link.replaceChildren(linkForms(phone, () => refresh()));
    devices.replaceChildren();
    return attempt(null, load);
  }

  async function load() {
    phones = await sandbox("GET", "/accounts");
    show(list, phones.slice(0, 500).map(entry => h("li", {}, h("button", {
      type: "button", "aria-current": String(entry.phone === phone), onclick: () => choose(entry.phone),
    },
      entry.push_name || "Unnamed", h(
        "span", { class: "sub num" }, `${entry.phone} · ${entry.companions === 1 ? "1 device" : `${entry.companions} devices`}`,
      )))));
    nothing.hidden = phone !== null;
    chatPanel.hidden = side.hidden = phone === null;
    if (!phone) return;
    const mine = phone;
    const [entry, messages] = await Promise.all([sandbox("GET", at(mine)), sandbox("GET", at(mine, "/messages?limit=500"))]);
    if (mine !== phone) return;
    show(
      about,
      facts([
        ["Name", entry.push_name], ["Number", entry.phone], ["LID", entry.lid],
        ["Standing", (entry.standing || "").replaceAll("_", " ")],
      ]),
    );
    show(devices, deviceList(mine, entry.devices, () => refresh()));
    const known = new Map(messages.map(message => [message.chat, message]));
    if (!chat && known.size) chat = [...known.keys()].pop();
    if (chat && document.activeElement !== to) to.value = shortJID(chat);
    show(chats, [...known].reverse().map(([name, last]) => h("li", {}, h("button", { type: "button", "aria-current": String(name === chat), onclick: () => { chat = name; attempt(null, load); } },
      shortJID(name), h("span", { class: "sub" }, describe(last))))));
    chats.hidden = known.size === 0;
    const shown = messages.filter(message => message.chat === chat);
    const before = bubbles.childElementCount;
    show(bubbles, shown.map(bubble));
    if (shown.length !== before) bubbles.scrollTop = bubbles.scrollHeight;
  }

  side.append(panel("Phone", null, about), panel("Linked devices", null, devices, link));
  chatPlace.append(nothing, chatPanel);
  const view = h("div", {}, h("div", { class: "head" }, h(
    "div", { class: "lead" }, h("h1", {}, "Phones"),
    h(
      "p", { class: "small quiet" }, "The sandbox plays WhatsApp and its phones. What you do here, a person would do on theirs.",
    ),
  ),
    button("New phone", start, { class: "primary" })),
  h("div", { class: "phones" }, panel("In the sandbox", null, list), chatPlace, side));
  refresh = every(2, view, load);
  return view;
}

"""###

    private static let view_signin_js = ###"""
// Signing in: the operator with the admin secret, a customer with an API key.

import { tryCustomer, tryOperator } from "./api.js";
import { h } from "./dom.js";
import { form, input } from "./parts.js";
import * as session from "./session.js";

const roles = {
  operator: {
    name: "Operator", label: "Admin secret", hint: "ADMIN_SECRET_KEY of the server", enter: session.enterOperator,
    check: tryOperator,
  },
  customer: {
    name: "Customer", label: "API key", hint: "begins with wam_", enter: key => session.enterCustomer(key), check: tryCustomer,
  },
};

export function signInView(entered) {
  let role = roles.operator;
  const control = input("secret", { type: "password", required: true, autocomplete: "off" });
  const label = h("span", {});
  const buttons = Object.values(roles).map(entry =>
    h("button", { type: "button", onclick: () => choose(entry) }, entry.name));
  function choose(entry) {
    role = entry;
    label.replaceChildren(entry.label, h("span", { class: "hint" }, ` ${entry.hint}`));
    Object.values(roles).forEach((other, index) => buttons[index].setAttribute("aria-pressed", String(other === entry)));
  }
  choose(role);
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const sign = form({ class: "lines" }, [h("label", { class: "field" }, label, control), submit], async values => {
    await role.check(values.secret.trim());
    role.enter(values.secret.trim());
    entered();
  });
  return h("main", { id: "main", class: "signin", tabindex: -1 }, h("div", { class: "card" },
    h(
      "h1", { class: "brand" }, h("img", { src: `${session.base}/dashboard/icon.svg`, alt: "", width: 34, height: 34 }),
      "Switchboard",
    ),
    h("div", { class: "panel" },
      h("div", { class: "segments", role: "group", "aria-label": "Sign in as" }, buttons),
      sign,
      h("p", { class: "small quiet" }, "What you type stays in this tab's memory and is gone when you reload or close it.")),
    h("p", { class: "foot" }, "Unofficial: not affiliated with WhatsApp or Meta.")));
}

"""###

    private static let view_tenant_js = ###"""
// One tenant: its key, quota and devices.

import { admin } from "./api.js";
import { ago, count, h, show } from "./dom.js";
import { button, confirmed, dialog, every, facts, field, form, pager, panel, table, toast } from "./parts.js";
import * as session from "./session.js";
import { deviceState } from "./device-state.js";
import { askKey, openCustomer, showKey, tenantBody, tenantFields, tenantState } from "./view-tenants.js";

const graces = [
  [0, "stops at once"], [3600, "works for another hour"], [86400, "works for another day"], [604800, "works for another week"],
];

function rotate(tenant) {
  return dialog(`Rotate the key of ${tenant.customer_name}`, close => form({ class: "lines" }, [
    h("p", { class: "small quiet" }, "A new key is made. Devices and their tokens stay as they are."),
    field(
      "The present key",
      h("select", { name: "grace" }, graces.map(([seconds, words]) => h("option", { value: seconds }, words))),
    ),
    h(
      "div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Rotate"),
    ),
  ], async values => {
    const made = await admin.post(`/admin/api-keys/${tenant.id}/rotate`, { grace_seconds: Number(values.grace) });
    close(made.data.api_key);
  })).then(key => key && showKey(`New key of ${tenant.customer_name}`, tenant, key));
}

function edit(tenant) {
  return dialog(`Change ${tenant.customer_name}`, close => form({ class: "lines" }, [
    tenantFields(tenant),
    h(
      "div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Save"),
    ),
  ], async values => {
    await admin.patch(`/admin/api-keys/${tenant.id}`, tenantBody(values));
    close(true);
    toast("Saved.");
  }));
}

async function disable(tenant) {
  const stops = tenant.is_active;
  const text = "Its key and the tokens of its devices are refused. Devices stay linked and webhooks go on.";
  if (stops && !(await confirmed(`Disable ${tenant.customer_name}?`, text, "Disable"))) return;
  await admin.patch(`/admin/api-keys/${tenant.id}`, { is_active: !stops });
  toast(stops ? "Disabled." : "Enabled.");
}

async function remove(tenant) {
  const text = `${count(tenant.device_count)} devices are unlinked and deleted with their messages and webhooks. This cannot be undone.`;
  if (!(await confirmed(`Delete ${tenant.customer_name}?`, text, "Delete tenant and devices"))) return;
  await admin.remove(`/admin/api-keys/${tenant.id}`);
  session.keys.delete(tenant.id);
  toast("Deleted.");
  location.hash = "#/tenants";
}

export function tenantView(id) {
  const head = h("div", { class: "head" }), about = h("div", { class: "body" }), list = h("div", {});
  const pages = pager(() => refresh());
  const view = h("div", {}, head, h(
    "div", { class: "stack" }, panel("Account", null, about), panel("Devices", null, list, pages.node),
  ));
  // As it was last read: buttons whose looks do not change stay, with their listeners.
  let current = null, refresh = () => {};
  const then = action => async () => { await action(); await refresh(); };
  async function load() {
    const path = `/admin/api-keys/${encodeURIComponent(id)}`;
    const query = pages.query();
    const [{ data: tenant }, devices, { data: states }] = await Promise.all([
      admin.get(path), admin.get(`${path}/devices?${query}`), admin.get(`${path}/devices/status?${query}`)]);
    current = tenant;
    const live = new Map(states.map(state => [state.device_id, state]));
    pages.took(devices);
    show(head,
      h("div", { class: "lead" }, h("p", { class: "crumb" }, h("a", { href: "#/tenants" }, "Tenants")),
        h("div", { class: "row" }, h("h1", {}, tenant.customer_name), tenantState(tenant))),
      h("div", { class: "row" },
        button(
          "Customer view", () => (session.keys.has(current.id) ? openCustomer(current.id) : askKey(current)), { class: "primary" },
        ),
        button("Rotate key", () => rotate(current)), button("Change", then(() => edit(current))),
        button(tenant.is_active ? "Disable" : "Enable", then(() => disable(current))),
        button("Delete", () => remove(current), { class: "danger" })));
    show(about, facts([
      ["API key", h("code", {}, tenant.api_key_masked)], ["Number", tenant.id], ["E-mail", tenant.customer_email],
      ["Phone", tenant.customer_phone], ["Devices", `${count(tenant.device_count)} of ${count(tenant.max_devices)}`],
      ["Requests per hour", count(tenant.rate_limit_per_hour)], ["Since", ago(tenant.created_at)],
      ["Changed", ago(tenant.updated_at)],
    ]));
    show(list, table("Devices of this tenant", [{ title: "Device" }, { title: "State" }, { title: "Last active" }],
      devices.data.map(device => [
        [
          h("a", { class: "name", href: `#/devices/${device.device_id}` }, device.device_name || "Unnamed"),
          h("span", { class: "sub mono" }, device.device_id),
        ],
        deviceState({ ...device, ...live.get(device.device_id) }), ago(device.last_active_at),
      ]), "No devices yet: the customer makes them with the API key."));
  }
  refresh = every(6, view, load);
  return view;
}

"""###

    private static let view_tenants_js = ###"""
// The operator's list of tenants: each is one API key with its quota.

import { admin, tryCustomer } from "./api.js";
import { count, h, show } from "./dom.js";
import { badge, button, dialog, every, field, form, input, pager, panel, searchField, showOnce, table } from "./parts.js";
import * as session from "./session.js";

/** Fields of a tenant, filled from `tenant` when there is one. */
export function tenantFields(tenant = {}) {
  return [
    field("Customer", input("customer_name", { required: true, maxlength: 255, value: tenant.customer_name || "" })),
    h("div", { class: "pair" },
      field("E-mail", input("customer_email", { type: "email", maxlength: 255, value: tenant.customer_email || "" })),
      field("Phone", input("customer_phone", { maxlength: 50, value: tenant.customer_phone || "" }))),
    h("div", { class: "pair" },
      field(
        "Devices allowed",
        input("max_devices", { type: "number", min: 1, max: 2147483647, required: true, value: tenant.max_devices || 1 }),
      ),
      field(
        "Requests per hour",
        input(
          "rate_limit_per_hour",
          { type: "number", min: 1, max: 2147483647, required: true, value: tenant.rate_limit_per_hour || 1000 },
        ),
      )),
  ];
}

export const tenantBody = values => ({
  ...values, max_devices: Number(values.max_devices), rate_limit_per_hour: Number(values.rate_limit_per_hour),
});

/** Shows a key for the only time, and offers to go on as its customer. */
export function showKey(title, tenant, key) {
  session.keys.set(tenant.id, { key, name: tenant.customer_name });
  return showOnce(title, [["API key", key]], close => button("Open customer view", () => {
    close();
    openCustomer(tenant.id);
  }));
}

/** Goes to the customer's view of a tenant whose key was shown in this session. */
export function openCustomer(id) {
  const known = session.keys.get(id);
  if (!known) return;
  session.enterCustomer(known.key, known.name);
  if (location.hash === "#/devices") dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = "#/devices";
}

/** Asks for a tenant's key, for an operator who was given it. */
export function askKey(tenant) {
  return dialog(`Customer view of ${tenant.customer_name}`, close => form({ class: "lines" }, [
    h("p", { class: "small quiet" }, "The server keeps keys as hashes only. Paste the key, or rotate it to get a new one."),
    field("API key", input("key", { type: "password", required: true })),
    h(
      "div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Open"),
    ),
  ], async values => {
    const key = values.key.trim();
    await tryCustomer(key);
    session.keys.set(tenant.id, { key, name: tenant.customer_name });
    close();
    openCustomer(tenant.id);
  }));
}

function create() {
  return dialog("New tenant", close => form({ class: "lines" }, [
    tenantFields(),
    h("div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Create key")),
  ], async values => {
    const made = await admin.post("/admin/api-keys", tenantBody(values));
    close(made.data);
  })).then(made => made && showKey(`Key of ${made.customer_name}`, made, made.api_key).then(() => made));
}

export const tenantState = tenant => (tenant.is_active ? badge("active", "good") : badge("disabled", "bad"));

function meter(used, allowed) {
  const bar = h("i", {});
  bar.style.width = `${Math.min(100, (used / Math.max(1, allowed)) * 100)}%`;
  return h(
    "div", { class: "row" }, h("div", { class: "meter", "aria-hidden": "true" }, bar),
    h("span", { class: "nowrap" }, `${count(used)} of ${count(allowed)}`),
  );
}

export function tenantsView() {
  const place = h("div", {});
  let turn = 0, refresh = () => {};
  const fresh = button("New tenant", async () => { if (await create()) refresh(); }, { class: "primary" });
  const pages = pager(() => refresh());
  const search = searchField("Find a tenant", "Find a tenant", () => { pages.reset(); refresh(); });
  function draw(tenants) {
    show(place, table("Tenants", [
      { title: "Customer" }, { title: "Key" }, { title: "Devices" }, { title: "Requests per hour", right: true },
      { title: "State" },
    ],
      tenants.map(tenant => [
        [
          h("a", { class: "name", href: `#/tenants/${tenant.id}` }, tenant.customer_name),
          h("span", { class: "sub" }, tenant.customer_email || `no. ${tenant.id}`),
        ],
        h(
          "code", { class: "nowrap" }, tenant.api_key_masked,
        ), meter(tenant.device_count, tenant.max_devices), count(tenant.rate_limit_per_hour), tenantState(tenant),
      ]), search.value.trim() ? "No tenant matches." : "No tenants yet: a tenant is a customer with an API key."));
  }
  const view = h("div", {},
    h("div", { class: "head" }, h("h1", {}, "Tenants"), fresh),
    panel("API keys", [search], place, pages.node));
  refresh = every(10, view, async () => {
    const mine = ++turn;
    const page = await admin.get(`/admin/api-keys?${pages.query()}&q=${encodeURIComponent(search.value.trim())}`);
    if (mine !== turn) return;
    pages.took(page);
    draw(page.data);
  });
  return view;
}

"""###

    private static let views_css = ###"""
/* What single views add: sign-in, charts, link panel, timeline, phones. */
.signin { min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; }
.signin .card { width: min(25rem, 100%); display: grid; gap: 1.25rem; }
.signin .panel { padding: 1.5rem; display: grid; gap: 1.1rem; }
.signin .brand { justify-content: center; font-size: 1.3rem; padding: 0; }
.signin .brand img { width: 34px; height: 34px; }
.signin .segments { display: grid; grid-template-columns: 1fr 1fr; }
.signin .segments button { justify-content: center; }
.signin button[type="submit"] { justify-content: center; padding-block: .55rem; }
.signin .foot { text-align: center; font-size: .78rem; color: var(--quiet); }

.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); overflow: hidden; }
.figures > div { padding: .85rem 1rem; border: 1px solid var(--line); border-width: 1px 0 0 1px; margin: -1px 0 0 -1px; display: grid; gap: .1rem; align-content: start; }
.figures dt { font-size: .78rem; color: var(--quiet); }
.figures dd { font-size: 1.45rem; font-weight: 620; letter-spacing: -.02em; line-height: 1.15; font-variant-numeric: tabular-nums; }
.figures dd small { font-size: .78rem; font-weight: 450; letter-spacing: 0; color: var(--quiet); display: block; line-height: 1.4; }

.chart { padding: .8rem 1rem .7rem; display: grid; gap: .45rem; }
.chart figcaption { display: flex; justify-content: space-between; align-items: baseline; gap: .5rem; font-size: .875rem; font-weight: 600; }
.chart .now { font-variant-numeric: tabular-nums; font-weight: 620; }
.chart svg { width: 100%; height: 92px; display: block; overflow: visible; }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .axis { fill: var(--quiet); font-size: 9.5px; font-family: var(--sans); }
.chart .line { fill: none; stroke-width: 1.75; stroke-linejoin: round; stroke-linecap: round; vector-effect: non-scaling-stroke; }
.chart .area { opacity: .1; stroke: none; }
.s1 { stroke: var(--series-1); } .s2 { stroke: var(--series-2); } .s3 { stroke: var(--series-3); }
.f1 { fill: var(--series-1); } .f2 { fill: var(--series-2); } .f3 { fill: var(--series-3); }
.legend { display: flex; flex-wrap: wrap; gap: .15rem .9rem; font-size: .75rem; color: var(--quiet); list-style: none; font-variant-numeric: tabular-nums; }
.legend span { display: inline-block; width: .7rem; height: .18rem; border-radius: 1px; margin-right: .35rem; vertical-align: middle; }
.k1 { background: var(--series-1); } .k2 { background: var(--series-2); } .k3 { background: var(--series-3); }
.meter { height: .35rem; border-radius: 9px; background: var(--idle-soft); overflow: hidden; min-width: 3.5rem; }
.meter i { display: block; height: 100%; background: var(--accent); border-radius: inherit; }

.linker { display: grid; grid-template-columns: 15.5rem minmax(0, 1fr); gap: 1.25rem; align-items: start; }
@media (max-width: 40rem) { .linker { grid-template-columns: minmax(0, 1fr); } }
.qr { width: 15.5rem; height: 15.5rem; background: #fff; border: 1px solid var(--line); border-radius: 8px; display: grid; place-items: center; padding: .5rem; position: relative; color: #56616f; font-size: .875rem; text-align: center; }
.qr img { width: 100%; height: 100%; image-rendering: pixelated; }
.qr .done { font-size: 1rem; color: #146c43; font-weight: 600; }
/* While a passkey is waited for there is nothing to scan. */
.passkey:not([hidden]) { margin-bottom: 1rem; }
.body:has(> .passkey:not([hidden])) .linker { grid-template-columns: minmax(0, 1fr); }
.body:has(> .passkey:not([hidden])) .linker > :last-child > :not(.failure) { display: none; }
.body:has(> .passkey:not([hidden])) .qr { width: auto; height: auto; }
.body:has(> .passkey:not([hidden])) .countdown { display: none; }
.countdown { height: 3px; border-radius: 3px; background: var(--idle-soft); overflow: hidden; }
.countdown i { display: block; height: 100%; background: var(--accent); transition: width 1s linear; }
.steps { margin: 0; padding-left: 1.15rem; display: grid; gap: .3rem; font-size: .9rem; }
.paircode { font: 600 1.9rem/1.2 var(--mono); letter-spacing: .12em; }

.timeline { list-style: none; display: grid; max-height: 26rem; overflow-y: auto; }
.timeline li { display: grid; grid-template-columns: 5.6rem .7rem minmax(0, 1fr); gap: .65rem; padding: 0 1rem; font-size: .84rem; }
.timeline li:first-child { padding-top: .8rem; }
.timeline time { color: var(--quiet); font-variant-numeric: tabular-nums; text-align: right; font-size: .78rem; padding-top: .1rem; }
.timeline .mark { position: relative; }
.timeline .mark::before { content: ""; position: absolute; left: 50%; top: .42rem; width: .5rem; height: .5rem; border-radius: 50%; background: var(--idle); transform: translateX(-50%); z-index: 1; }
.timeline .mark.good::before { background: var(--good); } .timeline .mark.bad::before { background: var(--bad); }
.timeline .mark.warn::before { background: var(--warn); } .timeline .mark.info::before { background: var(--info); }
.timeline li:not(:last-child) .mark::after { content: ""; position: absolute; left: 50%; top: .6rem; bottom: -.5rem; width: 1px; background: var(--line); }
.timeline .what { padding-bottom: .8rem; overflow-wrap: anywhere; }
.timeline .day { display: block; padding: .35rem 1rem; font-size: .75rem; font-weight: 600; color: var(--quiet); }

.phones { display: grid; grid-template-columns: 14rem minmax(0, 1fr) 17rem; gap: 1rem; align-items: start; }
@media (max-width: 76rem) { .phones { grid-template-columns: 13rem minmax(0, 1fr); } .phones > :last-child { grid-column: 1 / -1; } }
@media (max-width: 46rem) { .phones { grid-template-columns: minmax(0, 1fr); } }
.list { list-style: none; display: grid; gap: 2px; padding: .4rem; max-height: 24rem; overflow-y: auto; }
.list button { width: 100%; border: 0; background: transparent; justify-content: flex-start; text-align: left; white-space: normal; padding: .45rem .55rem; display: grid; gap: .05rem; font-weight: 540; }
.list button:hover { background: var(--idle-soft); }
.list button[aria-current="true"] { background: var(--accent-soft); color: var(--accent); }
.list button .sub { font-weight: 400; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 100%; }
.chat { display: grid; grid-template-rows: 1fr auto; height: 31rem; }
.bubbles { list-style: none; overflow-y: auto; padding: 1rem; display: flex; flex-direction: column; gap: .4rem; background: var(--back); }
.bubbles li { max-width: 76%; padding: .42rem .7rem; border-radius: 10px 10px 10px 3px; background: var(--panel); border: 1px solid var(--line); align-self: flex-start; font-size: .9rem; overflow-wrap: anywhere; }
.bubbles li.out { align-self: flex-end; background: var(--accent-soft); border-color: transparent; border-radius: 10px 10px 3px 10px; }
.bubbles li small { display: block; color: var(--quiet); font-size: .7rem; font-variant-numeric: tabular-nums; }
.bubbles li.out small { text-align: right; color: var(--text); }
.compose { display: flex; gap: .5rem; padding: .7rem; border-top: 1px solid var(--line); }
.compose label { flex: 1; }
.payload { margin: 0; padding: .8rem; max-height: 20rem; overflow: auto; background: var(--back); border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }

"""###
}
