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
