// Linking a device: a QR code that renews itself, a code to type on the phone, and WhatsApp's passkey step.

import { APIError, sandbox } from "./api.js";
import { h } from "./dom.js";
import { passkeyPart } from "./panel-passkey.js";
import { attempt, button, every, explain, field, form, input, panel, toast } from "./parts.js";
import * as session from "./session.js";

/** In sandbox mode: scans what is on the screen with one of the sandbox's phones. */
function phoneScanner(code) {
  const choice = h("select", { "aria-label": "Phone of the sandbox" });
  const scan = button("Scan with this phone", async () => {
    if (!code()) throw new APIError(0, "There is no code yet.", "");
    await sandbox("POST", `/accounts/${choice.value}/scan`, { qr: code() });
  }, { class: "primary" });
  const body = h("div", { class: "row" }, choice, scan);
  const none = h("p", { class: "small" }, "The sandbox has no phone yet: ", h("a", { href: "#/phones" }, "make one"), ".");
  const node = h("div", { class: "notice" }, h("strong", {}, "Sandbox"), body, none);
  none.hidden = true;
  attempt(null, async () => {
    const accounts = await sandbox("GET", "/accounts");
    choice.replaceChildren(...accounts.map(account => h(
      "option", { value: account.phone }, `${account.push_name || "Unnamed"} · ${account.phone}`,
    )));
    body.hidden = accounts.length === 0;
    none.hidden = accounts.length > 0;
  });
  choice.style.width = "auto";
  return node;
}

function qrPart(caller, linked, passkey) {
  const frame = h("div", { class: "qr" }, "Getting a code …");
  const bar = h("i", {}), left = h("p", { class: "small quiet num", "aria-live": "off" });
  const told = h("p", { class: "failure", role: "alert" });
  const again = button("New code", () => { run(true); });
  let code = null, expires = 0, total = 1, abort = null, isRunning = false;

  const tick = setInterval(() => {
    if (frame.isConnected === false && code !== null) return stop();
    const seconds = Math.max(0, Math.ceil((expires - Date.now()) / 1000));
    bar.style.width = `${Math.min(100, (seconds / total) * 100)}%`;
    left.textContent = code && seconds ? `next code in ${seconds} s` : "";
    return undefined;
  }, 1000);

  function stop() {
    clearInterval(tick);
    abort?.abort();
  }

  function over(text) {
    code = null;
    frame.replaceChildren(text);
    again.textContent = passkey.isOpen() ? "Start over" : "New code";
    again.hidden = false;
  }

  function shown(data) {
    code = data.code;
    expires = new Date(data.expires_at).getTime();
    total = Math.max(1, (expires - Date.now()) / 1000);
    frame.replaceChildren(h(
      "img", { src: data.qr_code || data.QRCode, alt: "QR code to scan with WhatsApp", width: 248, height: 248 },
    ));
    again.hidden = true;
  }

  const handlers = {
    qr: shown,
    paired() { over(h("span", { class: "done" }, "✓ Linked")); again.hidden = true; linked(); },
    failed(data) { passkey.set({ status: "none" }); over("No code"); told.textContent = data.error; },
    scanned_without_multidevice() { told.textContent = "That phone has no multi-device support: update WhatsApp on it."; },
    passkey: passkey.set,
  };

  async function run(restart) {
    abort?.abort();
    abort = new AbortController();
    const { signal } = abort;
    told.textContent = "";
    frame.replaceChildren("Getting a code …");
    isRunning = true;
    try {
      if (restart) await caller.post("/devices/me/login", { output: "json", restart: true }, signal);
      for await (const { event, data } of caller.events("/devices/me/login/stream", signal)) handlers[event]?.(data);
      if (!signal.aborted && code) over(passkey.isOpen() ? "Waiting for the passkey" : "The codes ran out");
      if (!signal.aborted && passkey.isOpen()) passkey.follow();
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      if (error.code === "already_paired") return linked();
      const isPasskey = error.code === "passkey_required";
      if (isPasskey) await passkey.follow();
      over(isPasskey ? "Waiting for the passkey" : "No code");
      told.textContent = isPasskey ? "" : explain(error);
    } finally {
      if (!signal.aborted) isRunning = false;
    }
  }
  run(false);

  const node = h("div", { class: "linker" },
    h(
      "div", { class: "stack" }, frame, h("div", { class: "countdown", "aria-hidden": "true" }, bar),
      h("div", { class: "row spread" }, left, again),
    ),
    h("div", { class: "stack" },
      h("ol", { class: "steps" },
        h("li", {}, "Open WhatsApp on the phone of this number."), h(
          "li", {}, "Settings, then Linked devices, then Link a device.",
        ),
        h("li", {}, "Point the camera at the code. It renews itself.")),
      h("p", { class: "small quiet" }, "If the phone then asks for a passkey, the step appears here."),
      session.hasSandbox && session.hasOperator() ? phoneScanner(() => code) : null, told));
  return { node, stop, resume() { if (!isRunning) run(false); } };
}

function codePart(caller, passkey) {
  const answer = h("div", { class: "stack", hidden: true });
  const phone = input("phone", { required: true, inputmode: "tel", placeholder: "+1 202 555 0100" });
  let expires = 0;
  const ask = form({ class: "inline" }, [
    field("Phone number", phone, "international"), h("button", { type: "submit", class: "primary" }, "Get code"),
  ], async values => {
    const { data } = await caller.post("/devices/me/login-code", { phone: values.phone.replace(/[^\d]/g, "") });
    if (!data) return toast("The device is linked already.");
    answer.hidden = false;
    answer.replaceChildren(
      h("p", { class: "paircode", "aria-label": `Pairing code ${[...data.pair_code].join(" ")}` }, data.pair_code),
      h("p", { class: "small quiet" }, `Valid for ${data.timeout} s.`),
    );
    expires = Date.now() + data.timeout * 1000;
    return passkey.follow();
  });
  const steps = h("ol", { class: "steps" },
    h("li", {}, "On the phone: Settings, Linked devices, Link a device."),
    h("li", {}, "Choose “Link with phone number instead”."),
    h("li", {}, "Type the code."));
  return {
    node: h("div", { class: "stack" }, ask, answer, steps), stop() {}, resume() { answer.hidden = true; },
    isWaiting: () => Date.now() < expires,
  };
}

/** The panel; `linked` is called once the device is paired. */
export function linkPanel(caller, linked) {
  const body = h("div", { class: "body" });
  let part = null, follow = () => {};
  // One for both ways: the step outlives a change of the tab, and a reload of the page.
  const passkey = passkeyPart(caller, () => { linked(); part?.resume(); });
  passkey.follow = () => follow();
  const kinds = [["QR code", () => qrPart(caller, linked, passkey)], ["Pairing code", () => codePart(caller, passkey)]];
  const tabs = kinds.map(([name], index) => h("button", { type: "button", onclick: () => choose(index) }, name));
  function choose(index) {
    part?.stop();
    part = kinds[index][1]();
    tabs.forEach((tab, place) => tab.setAttribute("aria-pressed", String(place === index)));
    body.replaceChildren(passkey.node, part.node);
  }
  choose(0);
  // A customer's requests count against the hour: often only while somebody waits for the answer.
  follow = every(() => (passkey.isOpen() || part.isWaiting?.() ? 3 : 30), passkey.node, passkey.ask);
  return panel("Link a device", [h("div", { class: "segments", role: "group", "aria-label": "How to link" }, tabs)], body);
}
