// The passkey step that WhatsApp asks of some accounts while they link. The assertion can only be made on WhatsApp's own
// web page with the account's authenticator: the gateway carries it, and this panel says how.

import { h } from "./dom.js";
import { field, form, secret, toast } from "./parts.js";

/** What to run in the console of WhatsApp's page: it answers with the JSON to paste back. */
const snippet = challenge => `const b = s => Uint8Array.from(atob(s.replace(/-/g, "+").replace(/_/g, "/")), c => c.charCodeAt(0));
const e = a => btoa(String.fromCharCode(...new Uint8Array(a))).replace(/\\+/g, "-").replace(/\\//g, "_").replace(/=+$/, "");
const o = ${JSON.stringify(challenge)};
o.challenge = b(o.challenge); (o.allowCredentials || []).forEach(c => c.id = b(c.id));
const k = await navigator.credentials.get({ publicKey: o });
copy(JSON.stringify({ id: k.id, rawId: e(k.rawId), type: k.type, response: { clientDataJSON: e(k.response.clientDataJSON),
  authenticatorData: e(k.response.authenticatorData), signature: e(k.response.signature),
  userHandle: k.response.userHandle ? e(k.response.userHandle) : undefined } }));`;

/** Shows where the passkey exchange stands in `place`, and follows it until the device is linked. */
export async function passkeyStep(caller, place, linked) {
  place.hidden = false;
  const { data } = await caller.get("/devices/me/passkey");
  if (data.state === "awaiting_response") return place.replaceChildren(respond(caller, place, data.challenge, linked));
  if (data.state === "awaiting_confirmation") return place.replaceChildren(confirm(caller, place, data, linked));
  place.hidden = true;
  return undefined;
}

function respond(caller, place, challenge, linked) {
  const assertion = h("textarea", { name: "assertion", required: true, rows: 4, spellcheck: "false" });
  return h("div", { class: "notice warn" }, h("strong", {}, "WhatsApp asks for a passkey"),
    h(
      "p", {},
      "Open web.whatsapp.com in a browser that has the account's passkey, run this in its console, and paste what it copies.",
    ),
    secret("Snippet for the console", snippet(challenge)),
    form({ class: "lines" }, [
      field("Assertion", assertion, "JSON"),
      h("div", { class: "row" }, h("button", { type: "submit", class: "primary" }, "Send assertion")),
    ],
      async values => {
        await caller.post("/devices/me/passkey/response", JSON.parse(values.assertion));
        toast("The assertion was sent.");
        await passkeyStep(caller, place, linked);
      }));
}

function confirm(caller, place, data, linked) {
  return h("div", { class: "notice warn" }, h("strong", {}, "Compare this code with the phone"),
    h("p", { class: "paircode" }, data.code),
    form({}, [h("button", { type: "submit", class: "primary" }, "They are the same")], async () => {
      await caller.post("/devices/me/passkey/confirm", {});
      place.hidden = true;
      linked();
    }));
}
