// The audit log: what operators and customers did.

import { admin } from "./api.js";
import { ago, h, show } from "./dom.js";
import { badge, every, pager, panel, table } from "./parts.js";

/** What an entry is about. */
function subject(entry) {
  if (entry.target) return h("span", { class: "wrap" }, entry.target);
  return entry.api_key_id ? h("a", { href: `#/tenants/${entry.api_key_id}` }, `API key ${entry.api_key_id}`) : "–";
}

export function auditView() {
  const place = h("div", {});
  let entries = [], showsAll = false, turn = 0, refresh = () => {};
  const pages = pager(() => refresh(), 200);
  const all = h("input", { type: "checkbox", onchange: event => { showsAll = event.target.checked; pages.reset(); refresh(); } });
  function draw() {
    // Every request of the operator is a line too, those of this page among them. Shown first is what changed something, and
    // what was refused: the server leaves out what was read, and what has a line that says more is left out here.
    const told = new Set(entries.filter(entry => entry.action !== "admin.request").map(entry => entry.request_id));
    const isNoise = entry => entry.action === "admin.request" && /^2/.test(entry.result) && told.has(entry.request_id);
    const rows = entries.filter(entry => showsAll || !isNoise(entry));
    show(place, table("Audit log", [
      { title: "When" }, { title: "Who" }, { title: "What" }, { title: "On" }, { title: "Result" }, { title: "From" },
    ],
      rows.map(entry => [
        ago(entry.at), entry.actor, h("code", {}, entry.action),
        [
          subject(entry),
          entry.device_id ? h("a", { class: "sub mono", href: `#/devices/${entry.device_id}` }, entry.device_id) : null,
        ],
        badge(entry.result, /^(ok|2\d\d)$/.test(entry.result) ? "good" : "bad"),
        [h("span", { class: "num" }, entry.client || "–"), h("span", { class: "sub mono" }, entry.request_id)],
      ]), "Nothing was recorded yet."));
  }
  const view = h("div", {}, h("div", { class: "head" }, h("h1", {}, "Audit log")),
    panel("Newest first", [h("label", { class: "check" }, all, "Every request of the operator")], place, pages.node));
  refresh = every(15, view, async () => {
    const mine = ++turn;
    const page = await admin.get(`/admin/audit?${pages.query()}&reads=${showsAll}`);
    if (mine !== turn) return;
    pages.took(page);
    entries = page.data;
    draw();
  });
  return view;
}
