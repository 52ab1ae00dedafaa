// Signing in: the operator with the admin secret, a customer with an API key.

import { tryCustomer, tryOperator } from "./api.js";
import { h } from "./dom.js";
import { form, input } from "./parts.js";
import * as session from "./session.js";

const roles = {
  operator: {
    name: "Operator", label: "Admin secret", hint: "ADMIN_SECRET_KEY of the server", enter: session.enterOperator,
    check: tryOperator,
  },
  customer: {
    name: "Customer", label: "API key", hint: "begins with wam_", enter: key => session.enterCustomer(key), check: tryCustomer,
  },
};

export function signInView(entered) {
  let role = roles.operator;
  const control = input("secret", { type: "password", required: true, autocomplete: "off" });
  const label = h("span", {});
  const buttons = Object.values(roles).map(entry =>
    h("button", { type: "button", onclick: () => choose(entry) }, entry.name));
  function choose(entry) {
    role = entry;
    label.replaceChildren(entry.label, h("span", { class: "hint" }, ` ${entry.hint}`));
    Object.values(roles).forEach((other, index) => buttons[index].setAttribute("aria-pressed", String(other === entry)));
  }
  choose(role);
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const sign = form({ class: "lines" }, [h("label", { class: "field" }, label, control), submit], async values => {
    await role.check(values.secret.trim());
    role.enter(values.secret.trim());
    entered();
  });
  return h("main", { id: "main", class: "signin", tabindex: -1 }, h("div", { class: "card" },
    h(
      "h1", { class: "brand" }, h("img", { src: `${session.base}/dashboard/icon.svg`, alt: "", width: 34, height: 34 }),
      "Switchboard",
    ),
    h("div", { class: "panel" },
      h("div", { class: "segments", role: "group", "aria-label": "Sign in as" }, buttons),
      sign,
      h("p", { class: "small quiet" }, "What you type stays in this tab's memory and is gone when you reload or close it.")),
    h("p", { class: "foot" }, "Unofficial: not affiliated with WhatsApp or Meta.")));
}
