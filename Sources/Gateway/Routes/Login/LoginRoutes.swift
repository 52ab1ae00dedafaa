import AdminAuth
import Cryptography
import Messaging
import NIOCore
import Storage
import Tenancy

extension RouteCatalogue {
    /// Linking a device to a phone, by QR code or by a code to type (10-rest-api, section 10, rows 19 and 20).
    var loginRoutes: [Route] {
        let reconnects =
            "A device that is linked already connects again: 200 with the message `WhatsApp Client is Reconnected`, as JSON and without data."
        return [
            Route(
                .post, "/devices/me/login", .device, number: "19",
                "Start linking by QR, or show the running login's code",
                details: "Shows a code to scan. \(reconnects)",
                query: [
                    .init("output", "Form of the answer; html without it", values: ["html", "json"]),
                    .init("restart", .boolean, "true: begin a new login"),
                ],
                body: .lenient([
                    .init("output", "Form of the answer; html without it", values: ["html", "json"]),
                    .init("restart", .boolean, "true: begin a new login"),
                ]), answer: .data("Success Generate QR Code", .loginQR, or: "text/html"),
                errors: [.session, .pairing, .whatsApp], statuses: [200, 409, 502, 503, 504], waits: true
            ) { call in
                let output = try call.body.string("output") ?? call.query["output"]
                let restart = try call.body.bool("restart") ?? call.query.bool("restart", default: false)
                return try await login(
                    call.device, as: output?.lowercased() == "json" ? .json : .html, restart: restart)
            },
            Route(
                .get, "/devices/me/login", .device, "The running login's code as JSON, PNG or page, by Accept",
                details: "Starts a login when none runs. \(reconnects)",
                query: [.init("output", "Form of the answer", values: ["json", "png", "html"])],
                answer: .data("Success Generate QR Code", .loginQR, or: "image/png", "text/html")
                    .sending("X-QR-Timeout"),
                errors: [.session, .pairing, .whatsApp], statuses: [200, 409, 502, 503, 504], waits: true
            ) { call in
                try await login(call.device, as: Self.form(call), restart: false)
            },
            Route(
                .get, "/devices/me/login/stream", .device, "Codes and outcome of the login as server-sent events",
                details:
                    "One `qr` event per code and one `passkey` per change of that step, then `paired` or `failed`; the stream ends with the login.",
                answer: .media("text/event-stream"), errors: [.session, .pairing, .whatsApp, "already_paired"],
                statuses: [200, 409, 502, 503, 504], handler: streamLogin),
            Route(
                .post, "/devices/me/login-code", .device, number: "20", "Start linking by a code typed on the phone",
                details: "Shows a code to type. \(reconnects)",
                body: .fields(
                    [.init("phone", required: true, "International number, at least 7 digits", example: "15550001111")],
                    parseError: "Failed parse body request"),
                answer: .data("Success Generate Pairing Code", .pairingCode), errors: [.session, .pairing, .whatsApp],
                statuses: [200, 400, 409, 429, 502, 503, 504], waits: true,
                handler: loginCode),
        ]
    }

    private enum LoginForm { case json, html, png }

    private static func form(_ call: Call) -> LoginForm {
        switch call.query["output"]?.lowercased() {
        case "png": return .png
        case "html": return .html
        case "json": return .json
        default: break
        }
        if call.accept.contains("image/png") { return .png }
        return call.accept.contains("text/html") ? .html : .json
    }

    /// The current code, or a reconnect for a device that is linked already.
    private func login(_ device: KnownDevice, as form: LoginForm, restart: Bool) async throws -> Answer {
        let session = try await dependencies.gate.sessionToConnect(device.scope)
        if session.state.isPaired { return try await Self.reconnected(session) }
        let login: QRLogin
        do {
            login = try await session.startQRLogin(restart: restart)
        } catch SessionError.alreadyPaired {
            return try await Self.reconnected(session)
        }
        let code = login.current
        guard let png = QRImage.png(code.text) else { throw APIError.internalError }
        let seconds = Self.remaining(until: code.expiresAt)
        switch form {
        case .png:
            return Answer(status: 200, content: .body(ByteBuffer(bytes: png), contentType: "image/png"))
                .with("Cache-Control", "no-store").with("X-QR-Timeout", String(seconds))
        case .html:
            var codes = [LoginPage.Code(png: png, seconds: seconds)]
            var begin = code.expiresAt
            for next in login.upcoming {
                guard let png = QRImage.png(next.text) else { throw APIError.internalError }
                codes.append(.init(png: png, seconds: max(1, next.expiresAt.seconds - begin.seconds)))
                begin = next.expiresAt
            }
            return .html(LoginPage.html(codes)).with("Cache-Control", "no-store")
        case .json:
            let style = api.keyStyle
            return Answer.ok("Success Generate QR Code") { writer in
                writer.object { $0.qr(code, png: png, seconds: seconds, style: style) }
            }.with("Cache-Control", "no-store")
        }
    }

    private static func reconnected(_ session: any DeviceClient) async throws -> Answer {
        try await session.reconnect()
        return .ok("WhatsApp Client is Reconnected")
    }

    @Sendable private func loginCode(_ call: Call) async throws -> Answer {
        let text = try call.body.string("phone")?.trimmingWhitespace() ?? ""
        if text.isEmpty { throw APIError.validation("Phone is required", field: "phone") }
        let phone = try PhoneNumber.parse(text, style: .path)
        if phone.count < 7 { throw APIError.validation("phone number too short", field: "phone") }
        let session = try await dependencies.gate.sessionToConnect(call.device.scope)
        if session.state.isPaired { return try await Self.reconnected(session) }
        let code: PairingCode
        do {
            code = try await session.startCodeLogin(phone: phone)
        } catch SessionError.alreadyPaired {
            return try await Self.reconnected(session)
        }
        let seconds = Self.remaining(until: code.expiresAt)
        let style = api.keyStyle
        return Answer.ok("Success Generate Pairing Code") { writer in
            writer.object { writer in
                if style != .snake {
                    writer.member("PairCode", code.text)
                    writer.member("Timeout", seconds)
                }
                if style != .reference {
                    writer.member("pair_code", code.text)
                    writer.member("timeout", seconds)
                    writer.time("expires_at", code.expiresAt)
                }
            }
        }.with("Cache-Control", "no-store")
    }

    /// One event per code, then `paired` or `failed`; the stream ends with the login.
    @Sendable private func streamLogin(_ call: Call) async throws -> Answer {
        let session = try await dependencies.gate.sessionToConnect(call.device.scope)
        if session.state.isPaired { throw APIError(SessionError.alreadyPaired) }
        let login = try await session.startQRLogin(restart: false)
        let style = api.keyStyle
        return Answer(
            status: 200,
            content: .stream(contentType: "text/event-stream") { send in
                try await send(ServerSentEvent.code(login.current, style: style))
                for await update in login.updates {
                    switch update {
                    case .qr(let code): try await send(ServerSentEvent.code(code, style: style))
                    case .scannedWithoutMultidevice:
                        try await send(ServerSentEvent.event("scanned_without_multidevice") { $0.object { _ in } })
                    case .passkey(let state):
                        try await send(ServerSentEvent.event("passkey") { $0.object { $0.passkey(state) } })
                    case .paired(let jid):
                        try await send(ServerSentEvent.event("paired") { $0.object { $0.member("jid", jid) } })
                    case .failed(let error):
                        let failure = APIError(error)
                        try await send(
                            ServerSentEvent.event("failed") { writer in
                                writer.object { writer in
                                    writer.member("error", failure.message)
                                    writer.member("error_code", failure.code)
                                }
                            })
                    }
                }
            }
        ).with("Cache-Control", "no-store")
    }

    /// Whole seconds, at least one.
    fileprivate static func remaining(until expiry: Timestamp) -> Int64 {
        max(1, (expiry.microseconds - SystemClock().now().microseconds + 999_999) / 1_000_000)
    }
}

extension JSONWriter {
    /// Members of row 19.
    fileprivate mutating func qr(_ code: QRCode, png: [UInt8], seconds: Int64, style: APISettings.KeyStyle) {
        let url = "data:image/png;base64," + Base64.encode(png)
        if style != .snake {
            member("QRCode", url)
            member("Timeout", seconds)
        }
        if style != .reference {
            member("qr_code", url)
            member("timeout", seconds)
        }
        member("code", code.text)
        time("expires_at", code.expiresAt)
    }
}

/// Events of `text/event-stream`.
private enum ServerSentEvent {
    static func code(_ code: QRCode, style: APISettings.KeyStyle) -> ByteBuffer {
        event("qr") { writer in
            writer.object { writer in
                if let png = QRImage.png(code.text) {
                    writer.qr(code, png: png, seconds: RouteCatalogue.remaining(until: code.expiresAt), style: style)
                }
            }
        }
    }

    static func event(_ name: String, _ data: (inout JSONWriter) -> Void) -> ByteBuffer {
        var writer = JSONWriter()
        data(&writer)
        var buffer = ByteBuffer(string: "event: \(name)\ndata: ")
        buffer.writeImmutableBuffer(writer.buffer)
        buffer.writeStaticString("\n\n")
        return buffer
    }
}
