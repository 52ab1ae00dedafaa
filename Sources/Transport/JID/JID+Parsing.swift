extension JID {
    /// Parses the text form of 01-transport, section 11.3: `server`, `user@server`, `user:device@server`,
    /// `user.agent@server`, `user.agent:device@server`. What follows a second `@` is ignored, as the reference client does.
    ///
    /// - Returns: nil for an empty text, more than one dot or colon in the user part (a colon alone where there is no dot),
    ///   or an agent or device that is not a decimal number in range (0...255 and 0...65535).
    package init?(_ text: String) {
        guard !text.isEmpty else { return nil }
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count > 1 else {
            self.init(user: "", server: JIDServer(text))
            return
        }
        guard !parts[1].isEmpty else { return nil }
        let server = JIDServer(String(parts[1]))
        let dotted = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        guard dotted.count <= 2 else { return nil }
        let numbers = dotted[dotted.count - 1].split(separator: ":", omittingEmptySubsequences: false)
        guard numbers.count <= 2 else { return nil }

        var device: UInt16 = 0
        if numbers.count == 2 {
            guard let number = JID.decimal(numbers[1], as: UInt16.self) else { return nil }
            device = number
        }
        guard dotted.count == 2 else {
            self.init(user: String(numbers[0]), server: server, device: device)
            return
        }
        guard let agent = JID.decimal(numbers[0], as: UInt8.self) else { return nil }
        self.init(user: String(dotted[0]), server: server, device: device, agent: agent)
    }

    /// Reads what a person typed as an address (01-transport, section 11.3, "R for REST input"): trims, takes bare digits
    /// (with `+`, blanks and the punctuation of phone numbers) as a phone number, turns `c.us` into `s.whatsapp.net`.
    ///
    /// - Returns: nil for control characters, more than one `@`, an empty user, a user longer than 64 characters, or a
    ///   phone number that holds anything but digits.
    package static func input(_ text: String) -> JID? {
        let scalars = text.unicodeScalars
        guard scalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else { return nil }
        var trimmed = Substring(text)
        while trimmed.first == " " { trimmed.removeFirst() }
        while trimmed.last == " " { trimmed.removeLast() }
        let parts = trimmed.split(separator: "@", omittingEmptySubsequences: false)
        guard let userPart = parts.first, !userPart.isEmpty, userPart.utf8.count <= 64, parts.count <= 2 else {
            return nil
        }
        if parts.count == 1 || parts[1] == "s.whatsapp.net" || parts[1] == "c.us" {
            if parts.count == 2, let jid = JID("\(userPart)@s.whatsapp.net"), jid.device > 0 || jid.agent > 0 {
                return jid.user.utf8.allSatisfy(JID.isDigit) && !jid.user.isEmpty ? jid : nil
            }
            guard let digits = phoneDigits(userPart) else { return nil }
            return .user(digits)
        }
        guard let jid = JID(String(trimmed)), !jid.user.isEmpty else { return nil }
        return jid
    }

    /// The digits of a phone number written by a person, or nil when something else is in it.
    private static func phoneDigits(_ text: Substring) -> String? {
        var digits = ""
        for character in text.utf8 {
            switch character {
            case 0x30...0x39: digits.unicodeScalars.append(Unicode.Scalar(character))
            case UInt8(ascii: "+"), UInt8(ascii: " "), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "("),
                UInt8(ascii: ")"), UInt8(ascii: "/"):
                continue
            default: return nil
            }
        }
        return digits.isEmpty ? nil : digits
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    /// Decimal digits only: no sign, no blanks.
    private static func decimal<Number: FixedWidthInteger>(_ text: Substring, as: Number.Type) -> Number? {
        guard text.utf8.allSatisfy(isDigit) else { return nil }
        return Number(text)
    }
}
