import Messaging
import NIOConcurrencyHelpers

/// A device session without a socket: shows the state it is given and answers from values.
package final class FakeDeviceClient: DeviceClient {
    package struct Script: Sendable {
        package var state = ConnectionState()
        /// Thrown by everything that needs the server.
        package var failure: SessionError?
        package var qr = QRCode(
            text: "2@qr,text,of,a,test", expiresAt: SystemClock().now().adding(seconds: 60), index: 0, count: 6)
        package var registered: Set<String> = []
        package var sent: [TextMessage] = []
        /// What was accepted while the state was none of a connected device.
        package var queued: [TextMessage] = []
        package var assertions: [PasskeyAssertion] = []
        package var reconnects = 0
        package var resumes = 0
        package var logouts = 0
        package var stops = 0
        package var abandons = 0
        package var proxies: [String?] = []
        /// The start waits here until it is opened.
        package var startGate: AsyncStream<Void>?
        /// Waited for by a reconnect.
        package var reconnecting: (@Sendable () async throws -> Void)?
        /// Sends wait here until it is opened.
        package var sendGate: AsyncStream<Void>?
        /// A stop waits until it is finished.
        package var stopGate: AsyncStream<Void>?
        /// Sends that wait do not hear that they are cancelled.
        package var isDeaf = false

        package init() {}
    }

    private let script: NIOLockedValueBox<Script>

    package init(_ script: Script = Script()) { self.script = NIOLockedValueBox(script) }

    /// Logged in as `jid`.
    package static func ready(jid: String = "15557770000:7@s.whatsapp.net") -> FakeDeviceClient {
        var script = Script()
        script.state.phase = .ready
        script.state.jid = jid
        return FakeDeviceClient(script)
    }

    package func change(_ body: (inout Script) -> Void) { script.withLockedValue { body(&$0) } }
    package var now: Script { script.withLockedValue { $0 } }

    package var state: ConnectionState { script.withLockedValue { $0.state } }

    package func start() async throws {
        if let gate = now.startGate { for await _ in gate { break } }
    }

    package func stop() async {
        change { $0.stops += 1 }
        if let gate = now.stopGate { for await _ in gate {} }
    }

    package func abandon() async { change { $0.abandons += 1 } }

    package func resume() async { change { $0.resumes += 1 } }

    package func reconnect() async throws {
        try check()
        change { $0.reconnects += 1 }
        try await now.reconnecting?()
    }

    package func logout() async throws {
        try check()
        change { script in
            script.logouts += 1
            script.state.jid = nil
            script.state.phase = .stopped
            script.state.end = .unlinked
        }
    }

    package func startQRLogin(restart: Bool) async throws -> QRLogin {
        try check()
        if state.isPaired { throw SessionError.alreadyPaired }
        let (updates, continuation) = AsyncStream.makeStream(of: LoginUpdate.self)
        continuation.yield(.paired(jid: "15557770000:7@s.whatsapp.net"))
        continuation.finish()
        let qr = now.qr
        let next = QRCode(text: qr.text + "2", expiresAt: qr.expiresAt.adding(seconds: 20), index: 1, count: 2)
        return QRLogin(current: qr, upcoming: [next], updates: updates)
    }

    package func startCodeLogin(phone: String) async throws -> PairingCode {
        try check()
        return PairingCode(text: "ABCD-1234", expiresAt: SystemClock().now().adding(seconds: 160))
    }

    package func respondToPasskey(_ assertion: PasskeyAssertion) async throws {
        try check()
        guard case .passkey(var passkey)? = state.pairing, passkey.step == .awaitingResponse else {
            throw SessionError.passkeyNotPending
        }
        passkey.step = .awaitingConfirmation(code: "ABCD-1234", skipsHandoff: false)
        change { script in
            script.assertions.append(assertion)
            script.state.pairing = .passkey(passkey)
        }
    }

    package func confirmPasskey() async throws {
        try check()
        guard case .passkey(var passkey)? = state.pairing,
            case .awaitingConfirmation(let code, let skips) = passkey.step
        else { throw SessionError.passkeyNotPending }
        passkey.step = .confirmed(code: code, skipsHandoff: skips)
        change { $0.state.pairing = .passkey(passkey) }
    }

    package func sendText(_ message: TextMessage) async throws -> SendResult {
        try check()
        if !state.isLoggedIn { throw state.isPaired ? SessionError.notConnected : SessionError.notPaired }
        change { $0.sent.append(message) }
        if let gate = now.sendGate {
            if now.isDeaf {
                await Task { for await _ in gate { break } }.value
            } else {
                for await _ in gate { break }
            }
        }
        return SendResult(
            messageID: message.messageID ?? "3EB0A1B2C3D4E5F60718", chat: message.chat,
            timestamp: Timestamp(seconds: 1_767_323_045))
    }

    package func queueText(_ message: TextMessage, lifetime: Int64) async throws -> QueuedSend {
        try check()
        let sendBy = SystemClock().now().adding(seconds: lifetime)
        if state.isLoggedIn {
            let sent = try await sendText(message)
            return QueuedSend(messageID: sent.messageID, chat: sent.chat, sendBy: sendBy) { _ in .success(sent) }
        }
        guard state.isPaired else { throw SessionError.notPaired }
        change { $0.queued.append(message) }
        return QueuedSend(
            messageID: message.messageID ?? "3EB0A1B2C3D4E5F60718", chat: message.chat, sendBy: sendBy
        ) { _ in nil }
    }

    package func markRead(chat: String, messageIDs: [String], sender: String?, played: Bool) async throws {
        try check()
    }

    package func isOnWhatsApp(_ phones: [String]) async throws -> [RegisteredUser] {
        try check()
        let known = now.registered
        return phones.map { phone in
            let isKnown = known.contains(phone)
            return RegisteredUser(phone: phone, isRegistered: isKnown, jid: isKnown ? "\(phone)@s.whatsapp.net" : nil)
        }
    }

    package func groupInfo(_ group: String) async throws -> GroupInfo {
        try check()
        return GroupInfo(jid: group)
    }

    package func setPassive(_ passive: Bool) async throws { try check() }
    package func setForceActiveReceipts(_ active: Bool) async {}

    package func setProxy(_ url: String?) async throws {
        change { $0.proxies.append(url) }
    }

    private func check() throws(SessionError) {
        if let failure = now.failure { throw failure }
    }
}
