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
