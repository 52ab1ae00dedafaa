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
