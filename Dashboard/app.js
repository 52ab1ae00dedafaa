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
