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
