import HTTPTypes
import Hummingbird

/// The page for people at `/` of the control port: accounts, linking, a phone's chats, the event stream.
///
/// Three static texts, served from memory. Nothing is inline, nothing comes from elsewhere: the content security policy
/// allows this origin alone.
enum ControlPage {
    private static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    static func addRoutes(to router: Router<BasicRequestContext>) {
        for (path, type, text) in [
            ("/", "text/html; charset=utf-8", html), ("/page.css", "text/css; charset=utf-8", style),
            ("/page.js", "text/javascript; charset=utf-8", script),
        ] {
            router.get(RouterPath(path)) { _, _ in Self.response(type, text) }
        }
        router.get("/healthz") { _, _ in Self.response("text/plain; charset=utf-8", "ok\n") }
    }

    private static func response(_ type: String, _ text: String) -> Response {
        var headers: HTTPFields = [
            .contentType: type, .cacheControl: "no-cache", .contentSecurityPolicy: policy,
            .xContentTypeOptions: "nosniff",
        ]
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static let html = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Switchboard sandbox</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="/page.css">
        <script src="/page.js" defer></script>
        </head>
        <body>
        <a class="skip" href="#main">Skip to the phone</a>
        <header>
          <h1>Sandbox</h1>
          <p id="world" class="quiet" role="status"></p>
          <p id="notice" role="alert"></p>
        </header>
        <nav aria-label="Accounts">
          <h2>Accounts</h2>
          <ul id="accounts"></ul>
          <form id="create">
            <h3>New account</h3>
            <label>Phone number <input name="phone" inputmode="tel" autocomplete="off" required placeholder="12025550100"></label>
            <label>Name <input name="push_name" autocomplete="off" placeholder="Ada"></label>
            <label class="check"><input type="checkbox" name="echo"> Echo: answer every text with the same text</label>
            <button>Create</button>
          </form>
        </nav>
        <main id="main" tabindex="-1">
          <section id="empty"><p>Create an account or choose one: it is a phone that you hold.</p></section>
          <section id="phone" hidden aria-labelledby="who">
            <div class="row">
              <h2 id="who"></h2>
              <label class="check"><input type="checkbox" id="echo"> Echo</label>
              <label class="check"><input type="checkbox" id="auto-read"> Read at once</label>
            </div>
            <p id="identity" class="quiet"></p>
            <h3>Linked devices</h3>
            <ul id="devices"></ul>
            <details id="link">
              <summary>Link a device</summary>
              <form id="scan">
                <label>Text of the QR code <textarea name="qr" rows="3" required spellcheck="false"
                  placeholder="https://wa.me/settings/linked_devices#2@…"></textarea></label>
                <button>Scan</button>
              </form>
              <form id="code">
                <label>Code shown by the device <input name="code" required autocomplete="off" spellcheck="false"
                  placeholder="XXXX-XXXX"></label>
                <button>Enter code</button>
              </form>
            </details>
            <h3>Chats</h3>
            <div class="chats">
              <ul id="chats" aria-label="Chats"></ul>
              <div class="chat">
                <ol id="messages" aria-label="Messages" aria-live="polite" tabindex="0"></ol>
                <form id="send">
                  <label>To <input name="to" required autocomplete="off" placeholder="12025550101 or …@g.us"></label>
                  <label class="grow">Message <input name="text" required autocomplete="off"></label>
                  <button>Send</button>
                </form>
              </div>
            </div>
          </section>
        </main>
        <aside aria-label="Events">
          <div class="row">
            <h2>Events</h2>
            <label class="check"><input type="checkbox" id="pause"> Pause</label>
          </div>
          <label>Only kinds that contain <input id="filter" autocomplete="off" placeholder="phone."></label>
          <ol id="events" reversed></ol>
        </aside>
        <dialog id="login">
          <form method="dialog">
            <label>Control token <input id="token" type="password" autocomplete="current-password" required></label>
            <button>Continue</button>
          </form>
        </dialog>
        </body>
        </html>
        """
}
