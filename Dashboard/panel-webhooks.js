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
