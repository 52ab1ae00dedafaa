"""The dashboard in headless Chromium, as an operator and a customer use it.

Usage: dashboard.py EXECUTABLE SCREENSHOTS
Makes a key, phones, a device; links it by QR with a phone of the sandbox; exchanges messages; sees the webhook's delivery;
revokes. On the way it checks what assistive technology needs, in both colour schemes. Prints 'N passed, N failed'.
"""
import json
import os
import pathlib
import shutil
import sys

from playwright.sync_api import expect, sync_playwright

from product import Product, Receiver

HERE = pathlib.Path(__file__).parent
CHECKS = (HERE / "accessibility.js").read_text(encoding="utf-8")
PATIENCE = 60_000


class Tour:
    def __init__(self, browser, product, receiver, pictures):
        self.browser, self.product, self.receiver, self.pictures = browser, product, receiver, pictures
        self.problems, self.done = [], 0
        self.page = self.open()

    def open(self):
        """A page that shares nothing with others; what is wrong in it is a problem, whatever it shows."""
        context = self.browser.new_context(viewport={"width": 1360, "height": 860})
        context.set_default_timeout(PATIENCE)
        context.on("weberror", lambda error: self.problems.append(f"script error: {error.error}"))
        context.on("console", lambda message: self.problems.append(f"console: {message.text}")
                   if message.type == "error" and "Content Security Policy" in message.text else None)
        context.on("request", lambda request: self.problems.append(f"another origin: {request.url}")
                   if not request.url.startswith((self.product.base, "data:")) else None)
        return context.new_page()

    # What is checked everywhere.

    def look(self, name):
        """Takes a picture and checks the page, in light and dark."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            self.page.wait_for_function("scheme => document.documentElement.dataset.theme === scheme", arg=scheme)
            self.problems += [f"{name}, {scheme}: {problem}" for problem in self.page.evaluate(CHECKS)]
            self.page.screenshot(path=self.pictures / f"{name}-{scheme}.png", full_page=True)
        self.page.emulate_media(color_scheme="light", reduced_motion="reduce")

    def step(self, name, action):
        action()
        self.done += 1
        print(f"  {name}", flush=True)

    def button(self, name, within=None):
        return (within or self.page).get_by_role("button", name=name, exact=True)

    def dialog(self):
        return self.page.get_by_role("dialog")

    def keep(self):
        """Reads the secrets of a dialog that shows them once, and closes it."""
        secrets = self.dialog().locator(".secret code").all_inner_texts()
        self.button("I have kept it").click()
        return secrets

    def navigate(self, name):
        self.page.get_by_role("navigation").get_by_role("link", name=name).click()
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    # The story.

    def sign_in(self):
        self.page.goto(self.product.base + "/dashboard")
        self.page.get_by_label("Admin secret").fill("wrong-secret-of-no-use")
        self.button("Sign in").click()
        expect(self.page.get_by_role("alert")).not_to_be_empty()
        self.look("01-sign-in")
        # By keyboard alone.
        self.page.get_by_label("Admin secret").fill(self.product.admin)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
        expect(self.page.get_by_text("healthy")).to_be_visible()

    def make_phones(self):
        self.navigate("Phones")
        for number, name, says in (("12025550100", "Ada", None), ("12025550101", "Bob", "Answer every text"),
                                   ("12025550102", "Cleo", "WhatsApp asks for a passkey")):
            self.page.locator(".head").get_by_role("button", name="New phone").click()
            self.dialog().get_by_label("Number").fill(number)
            self.dialog().get_by_label("Name").fill(name)
            if says:
                self.dialog().get_by_label(says).check()
            self.button("Make phone").click()
            expect(self.page.locator("dd", has_text=number)).to_be_visible()

    def make_tenant(self):
        self.navigate("Tenants")
        self.button("New tenant").click()
        self.dialog().get_by_label("Customer").fill("Ada Ltd")
        self.dialog().get_by_label("E-mail").fill("ada@example.com")
        self.dialog().get_by_label("Devices allowed").fill("3")
        self.look("02-new-tenant")
        self.button("Create key").click()
        expect(self.dialog().locator(".secret code")).to_contain_text("wam_")
        self.look("03-key-shown-once")
        (self.key,) = self.keep()
        expect(self.page.get_by_role("link", name="Ada Ltd")).to_be_visible()
        assert self.key not in self.page.content(), "the key is still in the page"
        self.page.get_by_role("link", name="Ada Ltd").click()
        self.button("Customer view").click()
        expect(self.page.get_by_role("heading", level=1, name="Devices")).to_be_visible()

    def make_device(self, name="Ada bot"):
        self.button("New device").click()
        self.dialog().get_by_label("Name").fill(name)
        self.button("Create device").click()
        expect(self.dialog().locator(".secret code")).to_have_count(2)
        self.keep()
        expect(self.page.get_by_role("heading", level=1, name=name)).to_be_visible()

    def leave_a_code_open(self):
        """Another customer's page shows a QR code; at the end of the story it has to show another one, untouched."""
        key = self.product.call("/admin/api-keys", {"customer_name": "Quiet Ltd"}, "X-Admin-Secret", self.product.admin)["api_key"]
        self.product.call("/devices", {"device_name": "Quiet bot"}, "X-API-Key", key)
        self.quiet = self.open()
        self.quiet.goto(self.product.base + "/dashboard")
        self.button("Customer", self.quiet).click()
        self.quiet.get_by_label("API key").fill(key)
        self.button("Sign in", self.quiet).click()
        self.quiet.get_by_role("link", name="Quiet bot").click()
        picture = self.quiet.get_by_role("img", name="QR code")
        expect(picture).to_be_visible()
        self.first_code = picture.get_attribute("src")

    def code_renewed_itself(self):
        # A code lasts a minute at first, which has nearly passed.
        expect(self.quiet.get_by_role("img", name="QR code")).not_to_have_attribute("src", self.first_code, timeout=2 * PATIENCE)

    def link_with_passkey(self):
        self.navigate("Devices")
        row = self.page.get_by_role("row").filter(has_text="Ada bot")
        expect(row.get_by_text("online")).to_be_visible()
        self.make_device("Cleo bot")
        self.button("Pairing code").click()
        self.page.get_by_label("Phone number").fill("+1 202 555 0102")
        self.button("Get code").click()
        expect(self.page.locator(".paircode")).to_be_visible()
        self.look("04-link-by-code")
        self.type_on_phone("Cleo", self.page.locator(".paircode").inner_text().strip())
        self.navigate("Devices")
        self.page.get_by_role("link", name="Cleo bot").click()
        answer = self.button("Answer with the sandbox's passkey")
        expect(answer).to_be_visible()
        self.look("05-passkey")
        # The step is the gateway's: it is there again after another view, in the other tab, and after the page was loaded anew.
        self.navigate("Phones")
        self.navigate("Devices")
        self.page.get_by_role("link", name="Cleo bot").click()
        expect(answer).to_be_visible()
        self.button("Pairing code").click()
        expect(answer).to_be_visible()
        self.reload_at("Cleo bot")
        expect(answer).to_be_visible()
        answer.click()
        same = self.button("They are the same")
        expect(same).to_be_visible()
        self.look("05-passkey-compare")
        self.reload_at("Cleo bot")
        expect(same).to_be_visible()
        code = self.page.locator(".paircode").inner_text().strip()
        same.click()
        expect(self.page.get_by_text("Waiting for the phone.")).to_be_visible()
        self.confirm_on_phone("Cleo", code)
        self.navigate("Devices")
        self.page.get_by_role("link", name="Cleo bot").click()
        expect(self.page.locator(".head .badge", has_text="online")).to_be_visible()

    def reload_at(self, device):
        """Loads the page anew, which forgets who was signed in, and goes back to a device as the customer."""
        self.page.reload()
        self.page.get_by_label("Admin secret").fill(self.product.admin)
        self.button("Sign in").click()
        self.navigate("Tenants")
        self.page.get_by_role("link", name="Ada Ltd").click()
        self.button("Customer view").click()
        # A slip of the pen is told where it was made, and costs nothing.
        self.dialog().get_by_label("API key").fill("wam_mistyped")
        self.button("Open", self.dialog()).click()
        expect(self.dialog().get_by_role("alert")).not_to_be_empty()
        self.dialog().get_by_label("API key").fill(self.key)
        self.button("Open", self.dialog()).click()
        self.page.get_by_role("link", name=device).click()

    def choose_phone(self, name):
        self.page.locator(".list button", has_text=name).first.click()
        expect(self.page.locator("dd", has_text=name)).to_be_visible()

    def link_on_phone(self, name):
        self.navigate("Phones")
        # What stands under a phone acts on that one, also after another was chosen.
        self.choose_phone("Bob")
        self.choose_phone(name)
        self.page.get_by_text("Link a device", exact=True).click()

    def type_on_phone(self, name, code):
        self.link_on_phone(name)
        self.page.get_by_label("Or the pairing code").fill(code)
        self.button("Enter code").click()
        expect(self.page.get_by_text("The phone says: passkey requested.")).to_be_visible()

    def confirm_on_phone(self, name, code):
        self.link_on_phone(name)
        box = self.page.get_by_label("Or the code of a passkey")
        box.fill("ZZZZ-ZZZZ")
        self.button("They are the same").click()
        expect(self.page.get_by_text("The phone shows another code.")).to_be_visible()
        box.fill(code)
        self.button("They are the same").click()

    def link(self):
        expect(self.page.get_by_role("img", name="QR code")).to_be_visible()
        choice = self.page.get_by_label("Phone of the sandbox")
        choice.select_option("12025550100")
        self.look("04-link-by-qr")
        self.button("Scan with this phone").click()
        expect(self.page.locator(".head .badge", has_text="online")).to_be_visible()

    def subscribe(self):
        self.button("New webhook").click()
        self.dialog().get_by_label("Address").fill(self.receiver.url)
        self.button("Create webhook").click()
        expect(self.dialog().locator(".secret code")).to_be_visible()
        self.keep()
        expect(self.page.get_by_text(self.receiver.url)).to_be_visible()

    def exchange(self):
        self.page.get_by_label("To international number").fill("12025550101")
        self.page.get_by_label("Message", exact=True).fill("Hello from the dashboard")
        self.button("Send").click()
        mine = self.page.locator(".bubbles li.out", has_text="Hello from the dashboard")
        expect(mine).to_be_visible()
        # Bob's phone answers every text with the same text.
        echoed = self.page.locator(".bubbles li:not(.out)", has_text="Hello from the dashboard")
        self.until("the echo", lambda: self.button("Show chat").click() or echoed.is_visible())

    def see_delivery(self):
        self.until("the webhook", lambda: any(event["event_type"] == "message.received" for event in self.receiver.events))
        self.button("Deliveries").click()
        row = self.page.get_by_role("row").filter(has_text="message.received").filter(has_text="204")
        self.until("the delivery log", lambda: self.button("Refresh").click() or row.first.is_visible())
        self.look("05-device")

    def replay(self):
        before = len(self.receiver.events)
        row = self.page.get_by_role("row").filter(has_text="message.received").first
        row.get_by_role("button", name="Replay").click()
        self.until("the replayed event", lambda: len(self.receiver.events) > before)

    def chat_as_phone(self):
        self.navigate("Phones")
        self.page.locator(".list button", has_text="Bob").click()
        expect(self.page.locator(".bubbles li", has_text="Hello from the dashboard").first).to_be_visible()
        self.page.get_by_label("Message", exact=True).fill("Written on the phone")
        self.button("Send").click()
        expect(self.page.locator(".bubbles li.out", has_text="Written on the phone")).to_be_visible()
        self.look("06-phones")
        self.until("the second webhook", lambda: any("Written on the phone" in str(event) for event in self.receiver.events))

    def unlink_on_phone(self):
        """Two phones with a device each, whose lists look the same: the one that is chosen is the one that loses it."""
        for name in ("Ada", "Cleo"):
            self.choose_phone(name)
            expect(self.page.locator(".list").get_by_text("connected", exact=True)).to_be_visible()
        self.page.get_by_role("button", name="Unlink device").click()
        self.button("Unlink", self.dialog()).click()
        expect(self.page.get_by_text("No device is linked.")).to_be_visible()
        self.choose_phone("Ada")
        expect(self.page.locator(".list").get_by_text("connected", exact=True)).to_be_visible()

    def late_answer(self):
        """An answer that was asked for one phone and comes under another is not shown there."""
        self.choose_phone("Bob")
        held = []

        def hold(route):
            if not held and json.loads(route.request.post_data)["path"] == "/accounts/12025550101":
                held.append(route)
            else:
                route.continue_()

        self.page.route("**/admin/sandbox/call", hold)
        self.until("a poll", lambda: held)
        self.choose_phone("Cleo")
        asked = held[0].request.post_data
        with self.page.expect_response(lambda response: response.request.post_data == asked) as late:
            held[0].continue_()
        late.value.finished()
        self.page.wait_for_timeout(100)
        assert self.page.locator("dd", has_text="Bob").count() == 0, "the late answer is shown"
        self.page.unroute("**/admin/sandbox/call", hold)

    def operate(self):
        self.button("Back to operator").click()
        self.navigate("Devices")
        row = self.page.get_by_role("row").filter(has_text="Ada bot")
        expect(row.get_by_text("online")).to_be_visible()
        self.look("07-devices")
        self.page.get_by_label("Find a device").fill("no such device")
        expect(self.page.get_by_text("No device matches.")).to_be_visible()
        self.page.get_by_label("Find a device").fill("")
        expect(row.get_by_text("online")).to_be_visible()
        row.get_by_role("link", name="Ada bot").click()
        for event in ("linked", "connected"):
            expect(self.page.locator(".timeline li").filter(has_text=event).first).to_be_visible()
        self.look("08-device-of-operator")
        self.navigate("Overview")
        for chart in ("Messages", "API latency", "Webhook queue", "Memory"):
            expect(self.page.locator("figure.chart", has_text=chart).locator(".line").first).to_be_attached()
        self.look("09-overview")

    def revoke(self):
        self.navigate("Tenants")
        self.look("10-tenants")
        self.page.get_by_role("link", name="Ada Ltd").click()
        self.button("Rotate key").click()
        self.dialog().get_by_label("The present key").select_option("0")
        self.button("Rotate", self.dialog()).click()
        expect(self.dialog().locator(".secret code")).to_contain_text("wam_")
        (fresh,) = self.keep()
        assert fresh != self.key, "rotating gave the same key"
        self.button("Change").click()
        self.dialog().get_by_label("Devices allowed").fill("7")
        self.button("Save", self.dialog()).click()
        expect(self.page.locator("dd", has_text="2 of 7")).to_be_visible()
        self.changed_elsewhere()
        self.button("Disable").click()
        self.button("Disable", self.dialog()).click()
        expect(self.page.locator(".head .badge", has_text="disabled")).to_be_visible()
        self.look("11-tenant-disabled")
        self.button("Enable").click()
        expect(self.page.locator(".head .badge", has_text="active")).to_be_visible()
        self.key_dies()
        self.page.get_by_role("link", name="Ada bot").click()
        self.button("Delete").click()
        self.button("Delete device").click()
        expect(self.page.get_by_role("heading", level=1, name="Devices")).to_be_visible()
        expect(self.page.get_by_role("link", name="Cleo bot")).to_be_visible()
        expect(self.page.get_by_role("link", name="Ada bot")).to_have_count(0)

    def changed_elsewhere(self):
        """What another operator changed is what this one begins from."""
        path = "/admin/api-keys/" + self.page.url.rsplit("/", 1)[1]
        self.product.call(path, {"max_devices": 9}, "X-Admin-Secret", self.product.admin, "PATCH")
        expect(self.page.locator("dd", has_text="of 9")).to_be_visible()
        self.button("Change").click()
        expect(self.dialog().get_by_label("Devices allowed")).to_have_value("9")
        self.button("Cancel", self.dialog()).click()

    def key_dies(self):
        """A customer's key that is refused takes the operator back, not out."""
        number = self.page.url.rsplit("/", 1)[1]
        self.product.call(f"/admin/api-keys/{number}/rotate", {"grace_seconds": 0}, "X-Admin-Secret", self.product.admin)
        self.button("Customer view", self.page.locator("#main")).click()
        expect(self.page.get_by_text("The API key is not accepted any more.").first).to_be_visible()
        expect(self.page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
        expect(self.page.locator(".role")).to_have_text("Operator")
        self.navigate("Tenants")
        self.page.get_by_role("link", name="Ada Ltd").click()
        self.button("Customer view", self.page.locator("#main")).click()
        expect(self.dialog().get_by_label("API key")).to_be_visible()
        self.button("Cancel", self.dialog()).click()

    def audit(self):
        # However long an overview stood open meanwhile: more lines than a page has.
        for _ in range(220):
            self.product.call("/admin/stats", None, "X-Admin-Secret", self.product.admin)
        self.navigate("Audit log")
        for action in ("device.delete", "tenant.request", "device.request"):
            expect(self.page.get_by_role("row").filter(has_text=action).first).to_be_visible()
        self.look("12-audit")
        reads = self.page.get_by_role("row").filter(has_text="GET /admin/stats")
        expect(reads).to_have_count(0)
        self.page.get_by_label("Every request of the operator").check()
        expect(reads.first).to_be_visible()
        self.page.get_by_label("Every request of the operator").uncheck()
        expect(reads).to_have_count(0)

    def refused(self):
        """The rotated key is refused at sign-in, and signing out forgets everything."""
        self.button("Sign out").click()
        self.button("Customer").click()
        self.page.get_by_label("API key").fill(self.key)
        self.button("Sign in").click()
        expect(self.page.get_by_role("alert")).not_to_be_empty()
        kept = self.page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie.length]")
        assert kept == [0, 0, 0], f"something was stored: {kept}"

    def keyboard(self):
        """Tab reaches everything in order, and what has the focus can be seen."""
        self.page.get_by_label("API key").fill("")
        self.button("Operator").click()
        self.page.get_by_label("Admin secret").fill(self.product.admin)
        self.page.keyboard.press("Enter")
        self.navigate("Tenants")
        wanted = self.page.evaluate(
            "() => [...document.querySelectorAll('a[href], button, input, select, textarea')].filter(n => n.checkVisibility()).length")
        reached = set()
        self.page.keyboard.press("Tab")
        for _ in range(wanted + 3):
            name, outline = self.page.evaluate(
                """() => { const n = document.activeElement; n.dataset.reached ||= Math.random();
                   return [n.tagName === 'BODY' ? '' : n.dataset.reached, getComputedStyle(n).outlineStyle]; }""")
            if name:
                reached.add(name)
                assert outline != "none", "the focus cannot be seen on " + self.page.evaluate("() => document.activeElement.outerHTML")
            self.page.keyboard.press("Tab")
        assert len(reached) >= wanted, f"Tab reached {len(reached)} of {wanted}"

    def small_screen(self):
        self.page.set_viewport_size({"width": 390, "height": 800})
        for name in ("Overview", "Tenants", "Devices", "Audit log", "Phones"):
            self.navigate(name)
            if name in ("Tenants", "Devices", "Audit log"):
                expect(self.page.locator("tbody tr").first).to_be_visible()
            self.look("13-small-" + name.split()[0].lower())

    def until(self, what, condition):
        for _ in range(PATIENCE // 250):
            if condition():
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"{what} did not come")


STORY = [
    "sign_in", "leave_a_code_open", "make_phones", "make_tenant", "make_device", "link", "subscribe", "exchange", "see_delivery",
    "replay", "link_with_passkey", "code_renewed_itself", "chat_as_phone", "unlink_on_phone", "late_answer", "operate", "revoke",
    "audit", "refused", "keyboard", "small_screen",
]


def main() -> int:
    executable, pictures = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)
    browser_path = os.environ.get("SWITCHBOARD_CHROMIUM") or shutil.which("chromium")
    with Product(executable) as product, Receiver() as receiver, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        expect.set_options(timeout=PATIENCE)
        tour = Tour(browser, product, receiver, pictures)
        failed = 0
        for name in STORY:
            try:
                tour.step(name.replace("_", " "), getattr(tour, name))
            except Exception as error:
                failed = 1
                tour.page.screenshot(path=pictures / f"failed-{name}.png", full_page=True)
                print(f"  {name}: {error}\n{product.log()[-2000:]}", file=sys.stderr)
                break
        browser.close()
    for problem in dict.fromkeys(tour.problems):
        print("  problem: " + problem, file=sys.stderr)
    failed += len(set(tour.problems))
    print(f"{tour.done} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
