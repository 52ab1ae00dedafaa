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
