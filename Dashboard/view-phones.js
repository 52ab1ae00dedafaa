// The phones of the sandbox (`switchboard dev`): make one, link devices to it, chat as the person who holds it.

import { sandbox } from "./api.js";
import { h, shortJID, show, timeOfDay } from "./dom.js";
import { attempt, badge, button, confirmed, dialog, empty, every, facts, field, form, input, panel, toast } from "./parts.js";

const at = (phone, rest = "") => `/accounts/${encodeURIComponent(phone)}${rest}`;

function create() {
  return dialog("New phone", close => form({ class: "lines" }, [
    field(
      "Number", input("phone", { required: true, inputmode: "tel", pattern: "[0-9]{7,15}", placeholder: "12025550100" }),
      "digits, international",
    ),
    field("Name", input("push_name", { placeholder: "Ada" })),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "echo" }), "Answer every text with the same text"),
    h(
      "label", { class: "check" }, h("input", { type: "checkbox", name: "passkey" }),
      "WhatsApp asks for a passkey while it links",
    ),
    h(
      "div", { class: "row end" }, h("button", { type: "button", onclick: () => close() }, "Cancel"),
      h("button", { type: "submit", class: "primary" }, "Make phone"),
    ),
  ], async values => {
    const passkey = values.passkey ? "required" : "off";
    const made = await sandbox("POST", "/accounts", { phone: values.phone, push_name: values.push_name, passkey });
    if (values.echo) await sandbox("PATCH", at(made.phone), { auto: { echo: true } });
    close(made);
  }));
}

function describe(message) {
  if (message.revoked) return "(taken back)";
  if (message.kind === "text") return message.text;
  return message.text ? `[${message.kind}] ${message.text}` : `[${message.kind}]`;
}

function bubble(message) {
  const who = message.from_me ? (message.from_device ? `linked device ${message.from_device}` : "this phone") : message.push_name || shortJID(message.from);
  const reactions = Object.values(message.reactions || {}).join(" ");
  return h("li", { class: message.from_me ? "out" : null }, describe(message),
    h(
      "small", {},
      [who, timeOfDay(message.t * 1000), message.status, message.edited && "edited", reactions].filter(Boolean).join(" · "),
    ));
}

function deviceList(phone, devices, refresh) {
  const linked = devices.filter(device => device.device !== 0);
  if (!linked.length) return empty("No device is linked.");
  return h("ul", { class: "list" }, linked.map(device => h("li", { class: "row spread" },
    h(
      "div", {}, `Device ${device.device}`, h("span", { class: "sub" }, device.platform),
      device.connected ? badge(device.active ? "connected" : "connecting", "good") : badge("offline", ""),
    ),
    button("Unlink", async () => {
      if (!(await confirmed("Unlink this device?", "As if its owner removed it under Linked devices.", "Unlink"))) return;
      await sandbox("POST", at(phone, `/devices/${device.device}/kick`), { reason: "device_removed" });
      refresh();
    }, { class: "tiny", "aria-label": `Unlink device ${device.device}` }))));
}

function linkForms(phone, refresh) {
  const done = async what => { await what; toast("Linked."); refresh(); };
  return h("details", {}, h("summary", { class: "small" }, "Link a device"), h("div", { class: "stack" },
    form({ class: "lines" }, [
      field("Text of the QR code", h("textarea", { name: "qr", required: true, rows: 3, spellcheck: "false" })),
      h("div", {}, h("button", { type: "submit" }, "Scan")),
    ],
      values => done(sandbox("POST", at(phone, "/scan?wait=paired"), { qr: values.qr.trim() }))),
    form({ class: "lines" }, [
      field("Or the pairing code", input("code", { required: true, placeholder: "XXXX-XXXX" })),
      h("div", {}, h("button", { type: "submit" }, "Enter code")),
    ],
      async values => {
        const reply = await sandbox("POST", at(phone, "/enter-code"), { code: values.code.trim() });
        if (reply.jid) await done(); else throw new Error(`The phone says: ${(reply.state || "refused").replaceAll("_", " ")}.`);
      }),
    form({ class: "lines" }, [
      field(
        "Or the code of a passkey", input("passkey", { required: true, placeholder: "XXXX-XXXX" }), "shown by the device too",
      ),
      h("div", {}, h("button", { type: "submit" }, "They are the same")),
    ],
      async values => {
        const reply = await sandbox("POST", at(phone, "/confirm-passkey"), { code: values.passkey.trim() });
        if (reply.state === "wrong_code") throw new Error("The phone shows another code.");
        toast("The phone takes them for the same.");
        refresh();
      })));
}

export function phonesView() {
  const list = h("ul", { class: "list" }), chatPlace = h("div", {}), side = h("div", { class: "stack" });
  let phones = [], phone = null, chat = null, refresh = () => {};

  const bubbles = h("ol", { class: "bubbles", "aria-label": "Messages", "aria-live": "polite", tabindex: 0 });
  const text = input("text", { required: true, placeholder: "Write as this phone", "aria-label": "Message" });
  const to = input("to", { required: true, placeholder: "Number or group", "aria-label": "To" });
  const compose = form({ class: "chat" }, [
    bubbles,
    h(
      "div", { class: "compose" }, h("label", {}, to), h("label", {}, text),
      h("button", { type: "submit", class: "primary" }, "Send"),
    ),
  ],
    async values => {
      const mine = phone;
      await sandbox("POST", at(mine, "/send"), { to: values.to.trim(), text: values.text });
      if (mine !== phone) return;
      text.value = "";
      chat = values.to.includes("@") ? values.to.trim() : `${values.to.replace(/\D/g, "")}@s.whatsapp.net`;
      await load();
    });
  const chats = h("ul", { class: "list", "aria-label": "Chats" });
  const chatPanel = panel("Chat", null, chats, compose);
  const devices = h("div", {}), link = h("div", { class: "body" }), about = h("div", { class: "body" });
  const nothing = h(
    "section", { class: "panel" },
    empty("Make a phone or choose one: you hold it.", button("New phone", start, { class: "primary" })),
  );

  async function start() {
    const made = await create();
    if (made) choose(made.phone);
  }

  function choose(number) {
    phone = number;
    chat = null;
    to.value = "";
    // Not `show`: these look the same for every phone, and act on the one they were made for.
    link.replaceChildren(linkForms(phone, () => refresh()));
    devices.replaceChildren();
    return attempt(null, load);
  }

  async function load() {
    phones = await sandbox("GET", "/accounts");
    show(list, phones.slice(0, 500).map(entry => h("li", {}, h("button", {
      type: "button", "aria-current": String(entry.phone === phone), onclick: () => choose(entry.phone),
    },
      entry.push_name || "Unnamed", h(
        "span", { class: "sub num" }, `${entry.phone} · ${entry.companions === 1 ? "1 device" : `${entry.companions} devices`}`,
      )))));
    nothing.hidden = phone !== null;
    chatPanel.hidden = side.hidden = phone === null;
    if (!phone) return;
    const mine = phone;
    const [entry, messages] = await Promise.all([sandbox("GET", at(mine)), sandbox("GET", at(mine, "/messages?limit=500"))]);
    if (mine !== phone) return;
    show(
      about,
      facts([
        ["Name", entry.push_name], ["Number", entry.phone], ["LID", entry.lid],
        ["Standing", (entry.standing || "").replaceAll("_", " ")],
      ]),
    );
    show(devices, deviceList(mine, entry.devices, () => refresh()));
    const known = new Map(messages.map(message => [message.chat, message]));
    if (!chat && known.size) chat = [...known.keys()].pop();
    if (chat && document.activeElement !== to) to.value = shortJID(chat);
    show(chats, [...known].reverse().map(([name, last]) => h("li", {}, h("button", { type: "button", "aria-current": String(name === chat), onclick: () => { chat = name; attempt(null, load); } },
      shortJID(name), h("span", { class: "sub" }, describe(last))))));
    chats.hidden = known.size === 0;
    const shown = messages.filter(message => message.chat === chat);
    const before = bubbles.childElementCount;
    show(bubbles, shown.map(bubble));
    if (shown.length !== before) bubbles.scrollTop = bubbles.scrollHeight;
  }

  side.append(panel("Phone", null, about), panel("Linked devices", null, devices, link));
  chatPlace.append(nothing, chatPanel);
  const view = h("div", {}, h("div", { class: "head" }, h(
    "div", { class: "lead" }, h("h1", {}, "Phones"),
    h(
      "p", { class: "small quiet" }, "The sandbox plays WhatsApp and its phones. What you do here, a person would do on theirs.",
    ),
  ),
    button("New phone", start, { class: "primary" })),
  h("div", { class: "phones" }, panel("In the sandbox", null, list), chatPlace, side));
  refresh = every(2, view, load);
  return view;
}
