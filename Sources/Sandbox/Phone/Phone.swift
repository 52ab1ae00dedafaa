import Cryptography
import Foundation
import Signal
import Transport

/// The primary phone of one account: device 0, a complete Signal participant without a socket (09-sandbox-server,
/// section 19).
///
/// What it must still know after a restart is written through to the world's store under `phone/<number>/`.
@SandboxActor
package final class Phone {
    /// A peer message to an own companion, kept until the process ends so that a retry can be answered.
    struct SentPeerMessage {
        let content: MessageContent
        let device: UInt16
    }

    /// One message of one device that did not decrypt, for counting retries.
    struct FailedMessage: Hashable {
        let chat: JID
        let sender: JID
        let id: String
    }

    unowned let world: World
    unowned let account: Account
    let keys: PhoneKeyStore
    package internal(set) var log = PhoneMessageLog()
    var appState: PhoneAppStateKeys
    /// App state by collection, decrypted.
    var collections: [String: PhoneCollection] = [:]
    var mutationKeyCache: [Bytes: MutationKeys] = [:]
    var peerMessages: [String: SentPeerMessage] = [:]
    /// History notifications by id, kept until the process ends so that a chunk can be sent again.
    var sentHistory: [String: HistoryChunk] = [:]
    var retriesAsked: [FailedMessage: Int] = [:]
    var retriesAnswered: [FailedMessage: Int] = [:]

    /// `restored`: read back what the store holds instead of beginning anew.
    init(world: World, account: Account, restored: Bool) {
        self.world = world
        self.account = account
        keys = PhoneKeyStore(store: world.store, prefix: "phone/\(account.phone)/keys/")
        appState = PhoneAppStateKeys()
        if restored { load() }
        if appState.isEmpty { rotateAppStateKey() }
        if restored { loadCollections() }
    }

    /// Random bytes of this phone for one purpose.
    func random(_ purpose: String) -> any RandomSource { world.random.stream("account/\(account.phone)/\(purpose)") }

    /// `3EB0` and 18 hex digits.
    func newMessageID() -> String {
        "3EB0" + Hex.encode(random("messages/ids").bytes(9)).uppercased()
    }

    func emit(_ type: EventType, _ data: [String: JSONValue]) {
        world.events.emit(type, account: account.phone, device: 0, data)
    }

    // MARK: Persistence

    private var messagePrefix: String { "phone/\(account.phone)/message/" }
    private var appStateKey: String { "phone/\(account.phone)/appstate-keys" }

    private func load() {
        keys.load()
        for entry in world.store.all(under: messagePrefix) {
            if let message = try? JSONDecoder().decode(PhoneMessage.self, from: Data(entry.value)) {
                log.restore(message)
            }
        }
        if let entry = world.store.all(under: appStateKey).first,
            let stored = try? JSONDecoder().decode(PhoneAppStateKeys.self, from: Data(entry.value))
        {
            appState = stored
        }
    }

    private func messageKey(_ sequence: Int) -> String {
        let digits = String(sequence)
        return messagePrefix + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }

    private func save(_ message: PhoneMessage) {
        world.store.put(messageKey(message.sequence), message.stored)
    }

    func saveAppStateKeys() { put(appStateKey, appState) }

    /// Stores a value as JSON with sorted keys, so that equal values are equal bytes.
    private func put(_ key: String, _ value: some Encodable) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        if let data = try? encoder.encode(value) { world.store.put(key, Bytes(data)) }
    }

    /// Takes a message into the log; false when it is there already.
    @discardableResult
    func remember(_ message: PhoneMessage) -> Bool {
        guard let numbered = log.append(message) else { return false }
        save(numbered)
        for dropped in log.dropOverflow() { world.store.delete(messageKey(dropped.sequence)) }
        return true
    }

    func update(_ id: String, in chat: JID, sender: JID? = nil, _ change: (inout PhoneMessage) -> Void) {
        if let message = log.update(id, in: chat, sender: sender, change) { save(message) }
    }

    /// Erases everything stored for a phone.
    static func erase(_ account: Account, in world: World) {
        world.store.deleteAll(under: "phone/\(account.phone)/")
    }
}
