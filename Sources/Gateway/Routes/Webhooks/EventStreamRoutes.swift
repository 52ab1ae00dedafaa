import AdminAuth
import Foundation
import Messaging
import NIOCore
import Storage
import Tenancy
import Webhooks

extension RouteCatalogue {
    private static let query: [Route.Parameter] = [
        .init(
            "events", "Names and prefixes of events that exist, separated by commas; all when absent",
            example: "message.*", strict: true),
        .init("last_event_id", "Like the header Last-Event-ID"),
    ]

    /// The device's events over connections that are held open (12-device-scoping-api, section 13). Both end when the token
    /// is replaced or the device is deleted, and when the node stops; the client goes on where it was.
    var eventStreamRoutes: [Route] {
        [
            Route(
                .get, "/webhook-events/stream", .device, "The device's events as server-sent events",
                details: "The id of an event is its `event_id`; a stream that was cut goes on behind `Last-Event-ID`.",
                query: Self.query, answer: .media("text/event-stream"), statuses: [200, 400], handler: streamEvents),
            Route(
                .get, "/ws", .device, "The device's events on a WebSocket",
                details: """
                    Each text message is `{"code":"EVENT","message":NAME,"result":EVENT}`; `EVENT` is what webhooks get. \
                    With `events=none` there are only the control frames `LOGIN_SUCCESS`, `DEVICE_LOGGED_OUT`, `QR_CODE`, \
                    `PASSKEY_REQUEST`, `PASSKEY_CONFIRMATION`, `PASSKEY_ERROR`, `LOGIN_TIMEOUT` and `DEVICE_STATE`, which \
                    come in any case. `PASSKEY_CONFIRMATION`, `PASSKEY_ERROR` and `LOGIN_TIMEOUT` come from the node that \
                    runs the login and from no other. `{"code":"FETCH_DEVICES"}` is answered by `LIST_DEVICES`, any other \
                    code by `ERROR`. The frames of device slots, `DEVICE_WEBHOOK_CONFIG_UPDATED` and \
                    `DEVICE_WEBHOOK_UPDATED`, do not exist here. A client that cannot set headers offers the protocols `switchboard.events` and \
                    `bearer.TOKEN`.
                    """,
                query: Self.query, answer: .empty, errors: ["upgrade_required"], statuses: [101, 400],
                handler: openSocket),
        ]
    }

    @Sendable private func streamEvents(_ call: Call) async throws -> Answer {
        let patterns = try Self.patterns(call.query["events"])
        let run = stream(call, { WebhookEventCatalogue.wants(patterns, $0) })
        return Answer(
            status: 200,
            content: .stream(contentType: "text/event-stream") { send in
                try await send(ByteBuffer(string: "retry: 2000\n\n"))
                try await run({}) { item in
                    switch item {
                    case .idle: try await send(ByteBuffer(string: ": \n\n"))
                    case .event(let event):
                        var piece = ByteBuffer(string: "id: \(event.id)\nevent: \(event.type)\ndata: ")
                        piece.writeBytes(event.body ?? [])
                        piece.writeStaticString("\n\n")
                        try await send(piece)
                    }
                }
            }
        ).with("Cache-Control", "no-store").with("X-Accel-Buffering", "no")
    }

    @Sendable private func openSocket(_ call: Call) async throws -> Answer {
        guard let handshake = call.webSocket else { throw APIError.upgradeRequired }
        let hears = call.query["events"] != "none"
        let patterns = hears ? try Self.patterns(call.query["events"]) : []
        let isWanted: @Sendable (String) -> Bool = { hears && WebhookEventCatalogue.wants(patterns, $0) }
        let run = stream(call, { isWanted($0) || SocketFrames.isControl($0) })
        let device = call.device
        let sessions = dependencies.sessions
        var answer = Answer(
            status: 101,
            content: .webSocket { socket in
                do {
                    try await withThrowingTaskGroup(of: Void.self) { group in
                        group.addTask { try await answerTexts(of: socket, device) }
                        group.addTask {
                            var login = LoginWatch()
                            try await run({
                                for news in login.look(at: sessions.running(did: device.did)?.state) {
                                    try await socket.send(SocketFrames.login(news, deviceID: device.deviceID))
                                }
                            }) { item in
                                guard case .event(let event) = item else { return }
                                if SocketFrames.isControl(event.type) { try await control(event, socket, device) }
                                if isWanted(event.type) { try await socket.send(SocketFrames.event(event)) }
                            }
                        }
                        // The one ends with the stream, the other with the socket.
                        defer { group.cancelAll() }
                        try await group.next()
                    }
                } catch let error as StreamError {
                    throw WebSocketEnd(error)
                }
            }
        ).with("Upgrade", "websocket").with("Connection", "Upgrade").with("Sec-WebSocket-Accept", handshake.accept)
        if let name = handshake.subprotocol { answer = answer.with("Sec-WebSocket-Protocol", name) }
        return answer
    }

    @Sendable private func answerTexts(of socket: WebSocketConnection, _ device: KnownDevice) async throws {
        for await text in socket.texts {
            switch text["code"] {
            case .string("FETCH_DEVICES")?: try await socket.send(SocketFrames.devices(try await devices(device)))
            case .string(let code)?: try await socket.send(SocketFrames.unknown(code))
            default: try await socket.send(SocketFrames.unknown(nil))
            }
        }
    }

    @Sendable private func control(
        _ event: StoredEvent, _ socket: WebSocketConnection, _ device: KnownDevice
    ) async throws {
        let devices = try await devices(device)
        if let frame = SocketFrames.control(of: event, deviceID: device.deviceID, devices: devices) {
            try await socket.send(frame)
        }
    }

    /// What the token may see of the tenant's devices: its own.
    private func devices(_ device: KnownDevice) async throws -> JSONValue {
        let record = try await dependencies.gate.record(device.scope)
        let jid = dependencies.sessions.running(did: record.did)?.state.jid ?? record.jid
        return [
            [
                "name": .string(record.pushName.isEmpty ? record.name : record.pushName),
                "device": .string(record.deviceID.uuidString.lowercased()), "jid": jid.map { .string($0) } ?? .null,
            ]
        ]
    }

    /// `look` is called before each reading of the outbox, once a second at least.
    private typealias Stream =
        @Sendable (_ look: () async throws -> Void, _ body: (EventStreams.Item) async throws -> Void) async throws ->
        Void

    /// What both kinds of stream run.
    private func stream(_ call: Call, _ wants: @escaping @Sendable (String) -> Bool) -> Stream {
        let device = call.device
        let last = call.lastEventID ?? call.query["last_event_id"] ?? ""
        let (streams, directory) = (dependencies.webhooks.streams, dependencies.directory)
        return { look, body in
            try await streams.run(
                tenant: device.tenantID, did: device.did, from: last.isEmpty ? .now : .after(last), wants: wants,
                check: {
                    try directory.checkStream(of: device)
                    try await look()
                }, body)
        }
    }

    /// Names and prefixes of a comma list. Throws 400 for what matches no event.
    static func patterns(_ text: String?) throws -> [String] {
        let patterns = (text ?? "").split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty && $0 != "*" }
        if let unknown = patterns.first(where: { !WebhookEventCatalogue.accepts(pattern: $0) }) {
            throw APIError(WebhookError.unknownEvent(unknown))
        }
        return patterns
    }
}

extension AuthDirectory {
    /// Throws ``StreamError`` when the token that a stream was opened with opens its device no more.
    fileprivate func checkStream(of device: KnownDevice) throws {
        guard let (known, tenant) = self.device(device.deviceID) else { throw StreamError.deviceDeleted }
        guard known.tokenVersion == device.tokenVersion, tenant?.isActive == true else { throw StreamError.revoked }
    }
}

extension WebSocketEnd {
    fileprivate init(_ error: StreamError) {
        switch error {
        case .tooMany: self = .tryAgainLater
        case .revoked: self = .tokenRevoked
        case .deviceDeleted: self = .deviceDeleted
        }
    }
}
