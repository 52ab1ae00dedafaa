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
