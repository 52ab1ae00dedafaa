/// What Tenancy and Gateway may ask of a device that this process owns. `DeviceSession` is the one implementation; the
/// protocol exists so that what stands above can be tested without a socket.
///
/// Every function may be called from any task. Calls that need the server wait at most for their own time-outs and throw
/// `SessionError`; none hangs while the device is offline.
package protocol DeviceClient: AnyObject, Sendable {
    /// Latest state, readable without waiting for the device.
    var state: ConnectionState { get }

    // Life cycle
    /// Loads the credentials and, when paired, connects and keeps connected.
    func start() async throws
    /// Flushes what is pending (at most 2 s), closes the socket and ends the session object for good.
    func stop() async
    /// Closes the socket and ends the session object without writing anything: the device is another node's now.
    func abandon() async
    /// Whether nothing is under way that a move to another node would disturb.
    func isIdle() async -> Bool
    /// Connects again what stopped for a reason that has passed, as the device row says: a ban, a version that was refused.
    func resume() async
    /// The store was replaced by one that may lack the last commits: writes all that is in memory again before the next send.
    func storeLostCommits() async
    /// Connects again at once, also out of a waiting or stopped state; returns when ready (20 s).
    func reconnect() async throws
    /// Unlinks at the server (30 s), then erases credentials even if that failed; state becomes logged out.
    func logout() async throws

    // Pairing
    /// The running QR login, or a new one; `restart` forces a new one. Throws `alreadyPaired`.
    func startQRLogin(restart: Bool) async throws -> QRLogin
    /// Asks for a pairing code for `phone` (digits), on the running registration connection or a new one.
    func startCodeLogin(phone: String) async throws -> PairingCode

    /// Sends the assertion of the person's authenticator. Throws `passkeyNotPending` when WhatsApp wants none, and
    /// `assertionRefused` when it does not take this one.
    func respondToPasskey(_ assertion: PasskeyAssertion) async throws
    /// Goes on after the person found the codes equal. Throws `passkeyNotPending`.
    func confirmPasskey() async throws

    // Messaging
    func sendText(_ message: TextMessage) async throws -> SendResult
    /// Accepts a text durably, also while the device reconnects: it goes out at once or when the device is connected, in
    /// the order of acceptance within its chat, unless `lifetime` seconds pass first. Throws for devices that will not
    /// connect by themselves, `queueFull` and `storageUnavailable`.
    func queueText(_ message: TextMessage, lifetime: Int64) async throws -> QueuedSend
    /// Read (or played) receipts for messages of one sender in a chat. `sender` is needed in groups.
    func markRead(chat: String, messageIDs: [String], sender: String?, played: Bool) async throws
    func isOnWhatsApp(_ phones: [String]) async throws -> [RegisteredUser]
    func groupInfo(_ group: String) async throws -> GroupInfo

    // Settings that apply to the running connection
    func setPassive(_ passive: Bool) async throws
    func setForceActiveReceipts(_ active: Bool) async
    /// Proxy URL (`http://`, `https://`, `socks5://`) or nil; reconnects through it.
    func setProxy(_ url: String?) async throws
}

extension DeviceClient {
    package func abandon() async { await stop() }
    package func isIdle() async -> Bool { true }
    package func resume() async {}
    package func storeLostCommits() async {}

    package func queueText(_ message: TextMessage, lifetime: Int64) async throws -> QueuedSend {
        let sent = try await sendText(message)
        let sendBy = SystemClock().now().adding(seconds: lifetime)
        return QueuedSend(messageID: sent.messageID, chat: sent.chat, sendBy: sendBy) { _ in .success(sent) }
    }
}
