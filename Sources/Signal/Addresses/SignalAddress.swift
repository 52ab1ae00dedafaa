/// The name of a device in the Signal protocol: a user in an address domain, and a device number.
///
/// The canonical text `user[_domain]:device` names rows in storage (03-signal, section 12.1); it never travels.
package struct SignalAddress: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// `user`, followed by `_domain` unless the domain is that of phone numbers (0): `15551234567`, `9876543210_1`.
    package let name: String
    /// 0 = the phone.
    package let device: UInt32

    package init(name: String, device: UInt32) {
        self.name = name
        self.device = device
    }

    /// Parses the canonical text; `nil` when it is none.
    package init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), colon > text.startIndex else { return nil }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let device = UInt32(digits) else {
            return nil
        }
        self.init(name: String(text[..<colon]), device: device)
    }

    package var description: String { "\(name):\(device)" }

    /// The order in which a fan-out takes its sessions, so that two fan-outs never wait for each other.
    package static func < (a: SignalAddress, b: SignalAddress) -> Bool {
        (a.name, a.device) < (b.name, b.device)
    }

    /// The same device under another name of its user, as when a phone number's LID becomes known.
    package func renamed(_ name: String) -> SignalAddress { SignalAddress(name: name, device: device) }
}
