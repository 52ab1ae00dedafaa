/// What sealed values are bound to: table, column and row, so that a value moved elsewhere does not open.
package enum SealingContext {
    static func credential(_ column: String, did: Int64) -> String { "wa_credentials.\(column):\(did)" }
    static func preKey(did: Int64, id: UInt32) -> String { "signal_prekeys.key:\(did):\(id)" }
    static func session(did: Int64, address: String) -> String { "signal_sessions.record:\(did):\(address)" }
    static func archive(did: Int64, address: String) -> String { "signal_session_archive.record:\(did):\(address)" }
    static func senderKey(did: Int64, group: String, sender: String) -> String {
        "signal_sender_keys.record:\(did):\(group):\(sender)"
    }
    static func appStateKey(did: Int64) -> String { "app_state_keys.key_data:\(did)" }
    static func messageSecret(did: Int64, messageID: String) -> String { "message_secrets.secret:\(did):\(messageID)" }
    static func retry(did: Int64, messageID: String) -> String { "retry_buffer.plaintext:\(did):\(messageID)" }
    /// Proxy URL of a device.
    package static func proxy(did: Int64) -> String { "devices.proxy_url:\(did)" }
    /// Secret of a device, kept for repetitions of its creation.
    package static func creation(did: Int64) -> String { "device_creations.secret:\(did)" }
    package static func pushToken(did: Int64) -> String { "devices.push_token:\(did)" }
}
