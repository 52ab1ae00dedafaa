import Cryptography
import Transport

/// The hash over a set of devices: phash of messages, `device_hash` of notifications, `hash` of device lists
/// (09, sections 13.2 and 14.6).
///
/// `2:` ‖ base64 without padding of the first 6 bytes of SHA-256 over the sorted texts `user.0:device@server`.
enum DeviceHash {
    static func of(_ devices: some Sequence<JID>) -> String {
        let text = Set(devices.map(\.adDescription)).sorted().joined()
        let digest = SHA256Digest.hash(Bytes(text.utf8))
        return "2:" + Base64.encode(Bytes(digest.prefix(6))).replacing("=", with: "")
    }
}
