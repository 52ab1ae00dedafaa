// The list of devices: all of them for the operator, the own ones for a customer.

import { admin, customer } from "./api.js";
import { deviceState } from "./device-state.js";
import { ago, h, shortJID } from "./dom.js";
import { button, dialog, every, field, form, input, panel, showOnce, table } from "./parts.js";
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

async function ofOperator() {
  const [{ data: { devices } }, { data: live }] = await Promise.all([
    admin.get("/admin/devices?limit=1000"), admin.get("/admin/devices/status?limit=1000"),
  ]);
  const states = new Map(live.devices.map(device => [device.device_id, device]));
  return devices.map(device => ({ ...device, ...states.get(device.device_id) }));
}

export function devicesView() {
  const isOperator = session.isOperator();
  const place = h("div", {});
  const search = input(
    "search", { type: "search", placeholder: "Name, number, id", "aria-label": "Find a device", oninput: () => draw() },
  );
  const kinds = isOperator ? ["all", "online", "not online"] : ["all"];
  const kind = h("select", { "aria-label": "Which devices", onchange: () => draw() }, kinds.map(text => h("option", {}, text)));
  let devices = null;
  function draw() {
    if (!devices) return;
    const wanted = search.value.trim().toLowerCase();
    const rows = devices.filter(device => kind.value === "all" || (kind.value === "online") === Boolean(device.is_logged_in))
      .filter(device => [
        device.device_name, device.whatsmeow_jid, device.customer_name, device.device_id, device.external_id,
      ].join(" ").toLowerCase().includes(wanted))
      .map(device => [name(device), number(device), deviceState(device), ago(device.last_active_at),
        ...(isOperator ? [h("a", { href: `#/tenants/${device.api_key_id}` }, device.customer_name)] : [])]);
    const none = isOperator ? "No devices yet: customers make them with their API key." : "No devices yet. A device is one linked WhatsApp account.";
    place.replaceChildren(table(
      "Devices", isOperator ? [...columns, { title: "Tenant" }] : columns, rows, devices.length ? "No device matches." : none,
    ));
  }
  const tools = isOperator
    ? button("Reconnect all", async () => { await admin.post("/admin/devices/reconnect?async=true"); })
    : button("New device", create, { class: "primary" });
  const view = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Devices"), tools),
    panel(isOperator ? "All tenants" : "Your devices", isOperator ? [search, kind] : [search], place));
  every(isOperator ? 6 : 20, view, async () => {
    devices = isOperator ? await ofOperator() : (await customer.get("/devices")).data;
    draw();
  });
  return view;
}
