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
