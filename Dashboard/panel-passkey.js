// The passkey step that WhatsApp asks of some accounts while they link. The assertion can only be made on WhatsApp's own
// web page with the account's authenticator: the gateway carries it, and this panel says how.

import { h } from "./dom.js";
import { button, field, form, secret, toast } from "./parts.js";
import * as session from "./session.js";

/** What to run in the console of WhatsApp's page: it answers with the JSON to paste back. */
const snippet = challenge => `const b = s => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
const e = a => btoa(String.fromCharCode(...new Uint8Array(a))).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
const o = ${JSON.stringify(challenge)};
o.challenge = b(o.challenge); (o.allowCredentials || []).forEach(c => c.id = b(c.id));
const k = await navigator.credentials.get({ publicKey: o });
copy(JSON.stringify({ id: k.id, rawId: e(k.rawId), type: k.type, response: { clientDataJSON: e(k.response.clientDataJSON),
  authenticatorData: e(k.response.authenticatorData), signature: e(k.response.signature),
  userHandle: k.response.userHandle ? e(k.response.userHandle) : undefined } }));`;

const base64url = text => btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** What the sandbox takes for an assertion: it checks the credential and the challenge, not the signature. */
const sandboxAssertion = challenge => {
  const id = challenge.allowCredentials?.[0]?.id || base64url("sandbox");
  const client = { type: "webauthn.get", challenge: challenge.challenge, origin: "https://web.whatsapp.com" };
  return { id, rawId: id, type: "public-key", response: {
    clientDataJSON: base64url(JSON.stringify(client)), authenticatorData: base64url("\0".repeat(37)), signature: base64url("sandbox"),
  } };
};

/** Follows the passkey exchange of a device: `set` takes what `GET /devices/me/passkey` and the login's stream say, and `over`
    is called when an exchange that was open is no more. The gateway keeps the exchange: whoever comes back finds it here. */
export function passkeyPart(caller, over) {
  const node = h("div", { class: "passkey", hidden: true });
  let shown = "", isOpen = false;
  function set(state) {
    const wasOpen = isOpen;
    isOpen = state.status !== "none";
    if (wasOpen && !isOpen) over();
    // Built anew only when something changed: somebody may be typing.
    const now = JSON.stringify([state.status, state.response_sent, state.confirmed, state.error, state.challenge]);
    if (now === shown) return;
    shown = now;
    node.hidden = state.status === "none";
    node.replaceChildren(part(caller, state, ask));
  }
  const ask = async () => set((await caller.get("/devices/me/passkey")).data);
  return { node, set, ask, isOpen: () => isOpen };
}

function part(caller, state, ask) {
  if (state.status === "awaiting_response") return state.response_sent ? waiting("The assertion is at WhatsApp.") : respond(caller, state, ask);
  if (state.status !== "awaiting_confirmation") return "";
  return state.confirmed || state.skip_handoff_ux ? waiting("Waiting for the phone.") : compare(caller, state, ask);
}

const waiting = text => h("div", { class: "notice" }, h("strong", {}, "Passkey"), h("p", {}, text));

function respond(caller, state, ask) {
  const assertion = h("textarea", { name: "assertion", required: true, rows: 4, spellcheck: "false" });
  const send = async body => {
    await caller.post("/devices/me/passkey/response", body);
    toast("The assertion was sent.");
    await ask();
  };
  return h("div", { class: "notice warn" }, h("strong", {}, "WhatsApp asks for a passkey"),
    state.error ? h("p", { class: "failure" }, state.error) : null,
    h(
      "p", {},
      "The gateway can only carry the answer. In a browser that has the account's passkey, open web.whatsapp.com, run this in its console, and paste here what it copies.",
    ),
    secret("Snippet for the console", snippet(state.challenge)),
    form({ class: "lines" }, [
      field("Assertion", assertion, "JSON"),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Send assertion")),
    ], async values => {
      let body;
      try { body = JSON.parse(values.assertion); } catch { throw new Error("That is not JSON."); }
      await send(body);
    }),
    session.hasSandbox && session.hasOperator()
      ? h(
        "div", { class: "row" }, button("Answer with the sandbox's passkey", () => send(sandboxAssertion(state.challenge))),
      ) : null);
}

function compare(caller, state, ask) {
  return h("div", { class: "notice warn" }, h("strong", {}, "Compare this code with the phone"),
    h("p", { class: "paircode" }, state.code),
    form({}, [h("button", { type: "submit", class: "primary" }, "They are the same")], async () => {
      await caller.post("/devices/me/passkey/confirm", {});
      await ask();
    }));
}
