/// Comparing the short hashes over sets of devices: `phash` of group messages, `hash` of device lists (04, section 4.4).
package enum DeviceHash {
    /// Equality that takes URL-safe base64 for standard.
    package static func matches(_ left: String, _ right: String) -> Bool { normalized(left) == normalized(right) }

    private static func normalized(_ hash: String) -> String {
        String(hash.map { $0 == "-" ? "+" : $0 == "_" ? "/" : $0 }.filter { $0 != "=" })
    }
}
