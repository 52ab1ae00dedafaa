extension ControlPage {
    static let script = #"""
        "use strict";
        const $ = id => document.getElementById(id);
        const query = new URLSearchParams(location.search);
        const world = query.get("world") || "default";
        let account = null, chat = null, token = sessionStorage.getItem("sandbox-token") || "", shown = 0;

        function make(tag, text, attributes) {
          const node = document.createElement(tag);
          if (text !== undefined) node.textContent = text;
          for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
          return node;
        }

        function notice(text) { $("notice").textContent = text || ""; }

        async function askToken() {
          const dialog = $("login");
          if (!dialog.open) dialog.showModal();
          await new Promise(done => dialog.addEventListener("close", done, { once: true }));
          token = $("token").value;
          sessionStorage.setItem("sandbox-token", token);
        }

        async function request(method, path, body, accept) {
          for (;;) {
            const headers = { "X-Sandbox-World": world };
            if (token) headers.Authorization = "Bearer " + token;
            if (body !== undefined) headers["Content-Type"] = "application/json";
            if (accept) headers.Accept = accept;
            const response = await fetch("/v1" + path, {
              method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
            if (response.status !== 401) return response;
            await askToken();
          }
        }

        async function call(method, path, body) {
          const response = await request(method, path, body);
          const answer = await response.json();
          if (!response.ok) throw new Error(answer.error ? answer.error.message : response.statusText);
          return answer;
        }

        const path = rest => "/accounts/" + encodeURIComponent(account) + rest;

        // What a person did clears the last notice; what runs beside it does not.
        async function attempt(action, inBackground) {
          if (!inBackground) notice("");
          try { return await action(); } catch (error) { notice(error.message); }
        }

        // Accounts and the phone that is held.

        async function showAccounts() {
          const accounts = await call("GET", "/accounts");
          $("world").textContent = "world " + world + ", " + accounts.length + " accounts";
          $("accounts").replaceChildren(...accounts.slice(0, 500).map(entry => {
            const devices = entry.companions === 1 ? "1 device" : entry.companions + " devices";
            const button = make("button", entry.push_name + " · " + entry.phone + " · " + devices);
            if (entry.phone === account) button.setAttribute("aria-current", "true");
            button.addEventListener("click", () => choose(entry.phone));
            const item = make("li");
            item.append(button);
            return item;
          }));
        }

        async function choose(phone) {
          account = phone;
          chat = null;
          shown = 0;
          $("send").elements.to.value = "";
          await attempt(async () => {
            await showAccounts();
            $("link").open = await showPhone() === 0;
            await showMessages();
          });
        }

        async function showPhone() {
          if (!account) return;
          const entry = await call("GET", path(""));
          $("empty").hidden = true;
          $("phone").hidden = false;
          $("who").textContent = entry.push_name + ", " + entry.phone;
          $("identity").textContent = entry.lid;
          $("echo").checked = entry.auto.echo;
          $("auto-read").checked = entry.auto.auto_read;
          const companions = entry.devices.filter(device => device.device !== 0);
          $("devices").replaceChildren(...companions.map(device => {
            const state = device.connected ? (device.active ? "connected" : "connecting") : "offline";
            const item = make("li");
            item.append(make("span", device.device + " · " + device.platform + " · " + state + " · " + device.queue +
              " waiting · " + device.prekeys + " prekeys"));
            const unlink = make("button", "Unlink", { class: "plain" });
            unlink.addEventListener("click", () => attempt(async () => {
              await call("POST", path("/devices/" + device.device + "/kick"), { reason: "device_removed" });
              await showPhone();
            }));
            item.append(unlink);
            return item;
          }));
          if (!companions.length) $("devices").replaceChildren(make("li", "none yet"));
          return companions.length;
        }

        // Chats.

        function describe(message) {
          if (message.revoked) return "(taken back)";
          if (message.text !== undefined) return message.kind === "text" ? message.text : "[" + message.kind + "] " + message.text;
          return "[" + message.kind + "]";
        }

        async function showMessages() {
          if (!account) return;
          const messages = await call("GET", path("/messages?limit=2000"));
          const chats = new Map();
          for (const message of messages) chats.set(message.chat, message);
          if (!chat && chats.size) chat = [...chats.keys()].pop();
          $("chats").replaceChildren(...[...chats.entries()].reverse().map(([name, last]) => {
            const button = make("button", name.replace("@s.whatsapp.net", "") + ": " + describe(last).slice(0, 40));
            if (name === chat) button.setAttribute("aria-current", "true");
            button.addEventListener("click", () => { chat = name; shown = 0; attempt(showMessages); });
            const item = make("li");
            item.append(button);
            return item;
          }));
          const field = $("send").elements.to;
          if (chat && document.activeElement !== field) field.value = chat.replace("@s.whatsapp.net", "");
          const list = messages.filter(message => message.chat === chat);
          $("messages").replaceChildren(...list.map(message => {
            const item = make("li", describe(message), message.from_me ? { class: "out" } : {});
            const who = message.from_me ? (message.from_device ? "device " + message.from_device : "phone")
              : (message.push_name || message.from);
            const reactions = Object.values(message.reactions || {}).join(" ");
            item.append(make("small", [who, new Date(message.t * 1000).toLocaleTimeString(), message.status,
              message.edited ? "edited" : "", reactions].filter(Boolean).join(" · ")));
            return item;
          }));
          if (list.length !== shown) { shown = list.length; $("messages").scrollTop = $("messages").scrollHeight; }
        }

        // Events.

        let refresh = 0;
        function later() {
          if (refresh) return;
          refresh = setTimeout(() => { refresh = 0; attempt(async () => {
            await showAccounts(); await showPhone(); await showMessages(); }, true); }, 150);
        }

        function showEvent(event) {
          if (/^(phone|device|pairing|group)\./.test(event.type)) later();
          if ($("pause").checked || !event.type.includes($("filter").value)) return;
          const bad = /violation|nack|failed|fault/.test(event.type);
          const item = make("li", undefined, bad ? { class: "bad" } : {});
          item.append(make("b", event.type), " ", [event.account, event.device].filter(x => x !== undefined).join(":"), " ",
            JSON.stringify(event.data));
          $("events").prepend(item);
          while ($("events").children.length > 300) $("events").lastChild.remove();
        }

        async function listen() {
          let since = 0;
          for (;;) {
            try {
              const response = await request("GET", "/events?since=" + since, undefined, "text/event-stream");
              const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
              let text = "";
              for (;;) {
                const { value, done } = await reader.read();
                if (done) break;
                text += value;
                const parts = text.split("\n\n");
                text = parts.pop();
                for (const part of parts) {
                  const line = part.split("\n").find(line => line.startsWith("data: "));
                  if (!line) continue;
                  const event = JSON.parse(line.slice(6));
                  since = event.seq;
                  showEvent(event);
                }
              }
            } catch (error) { notice("The event stream was lost: " + error.message); }
            await new Promise(done => setTimeout(done, 1000));
          }
        }

        // Forms.

        function onSubmit(id, action) {
          $(id).addEventListener("submit", event => {
            event.preventDefault();
            const form = event.target, button = form.querySelector("button");
            button.disabled = true;
            attempt(() => action(form)).finally(() => { button.disabled = false; });
          });
        }

        onSubmit("create", async form => {
          const entry = await call("POST", "/accounts", {
            phone: form.elements.phone.value, push_name: form.elements.push_name.value || undefined,
            auto: { echo: form.elements.echo.checked } });
          form.reset();
          await choose(entry.phone);
        });
        onSubmit("scan", async form => {
          await call("POST", path("/scan?wait=paired"), { qr: form.elements.qr.value });
          form.reset();
          await showPhone();
        });
        onSubmit("code", async form => {
          const answer = await call("POST", path("/enter-code"), { code: form.elements.code.value });
          if (answer.state !== "paired") throw new Error("Not linked: " + answer.state.replaceAll("_", " "));
          form.reset();
          await showPhone();
        });
        onSubmit("send", async form => {
          const to = form.elements.to.value.trim();
          await call("POST", path("/send"), { to, text: form.elements.text.value });
          form.elements.text.value = "";
          chat = to.includes("@") ? to : to.replace(/\D/g, "") + "@s.whatsapp.net";
          await showMessages();
        });
        for (const [id, flag] of [["echo", "echo"], ["auto-read", "auto_read"]]) {
          $(id).addEventListener("change", event => attempt(() => call("PATCH", path(""), { auto: { [flag]: event.target.checked } })));
        }
        attempt(showAccounts);
        listen();

        """#
}
