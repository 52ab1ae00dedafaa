// A test message, and what the chat with that number holds.

import { h, shortJID, show, timeOfDay } from "./dom.js";
import { button, field, form, input, panel, toast } from "./parts.js";

export function sendPanel(caller, sent) {
  const to = input("to", { required: true, inputmode: "tel", placeholder: "12025550101 or …@g.us" });
  const text = h("textarea", { name: "text", required: true, rows: 2, maxlength: 65536 });
  const log = h("ul", { class: "bubbles", "aria-label": "Messages of the chat", tabindex: 0, hidden: true });
  log.style.maxHeight = "17rem";

  async function load() {
    const chat = to.value.trim();
    if (!chat) return;
    const { data } = await caller.get(`/chats/${encodeURIComponent(chat)}/messages?limit=30`);
    log.hidden = false;
    const messages = [...(data.messages || [])].reverse();
    show(log, messages.length ? messages.map(message => h("li", { class: message.is_from_me ? "out" : null }, message.text || `[${message.type}]`,
      h(
        "small", {},
        [
          message.is_from_me ? message.status : shortJID(message.from),
          timeOfDay(message.timestamp > 1e5 ? message.timestamp * 1000 : message.timestamp),
        ].filter(Boolean).join(" · "),
      )))
      : [h("li", {}, "No messages are stored for this chat.")]);
    log.scrollTop = log.scrollHeight;
  }

  const compose = form({ class: "lines" }, [
    field("To", to, "international number or group"), field("Message", text),
    h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Send"), button("Show chat", load)),
  ], async values => {
    const answer = await caller.post(`/chats/${encodeURIComponent(values.to.trim())}/messages`, { text: values.text });
    text.value = "";
    toast(`Sent: ${answer.data.message_id}`);
    await load();
    sent();
  });
  return panel("Test message", null, h("div", { class: "body" }, compose, log));
}
