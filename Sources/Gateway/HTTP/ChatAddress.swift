/// Chats, users and members named in requests (10-rest-api, section 4.2). The result is the canonical text of a JID.
enum ChatAddress {
    private static let servers: Set<String> = [
        "s.whatsapp.net", "lid", "g.us", "newsletter", "broadcast", "bot", "hosted", "hosted.lid",
    ]

    /// - Parameter field: What an empty text is reported as, `chat_jid`.
    /// - Throws: 400 with the texts of section 4.
    static func parse(_ text: String, field: String) throws(APIError) -> String {
        let text = text.trimmingWhitespace()
        if text.isEmpty { throw .validation("\(field) is required", field: field) }
        guard let at = text.lastIndex(of: "@") else { return try bare(text, field: field) }
        var server = text[text.index(after: at)...].lowercased()
        if server == "c.us" { server = "s.whatsapp.net" }
        // Device and agent are no part of a chat's name.
        let user = text[..<at].prefix { $0 != ":" && $0 != "." }
        guard servers.contains(server), isUser(user, server: server) else {
            throw invalid(text, field)
        }
        if server == "broadcast", user != "status" {
            throw .validation("sending to non-status broadcast lists is not yet supported", field: field)
        }
        return "\(user)@\(server)"
    }

    /// Without `@`: groups have a dash or are long, all else is a phone number.
    private static func bare(_ text: String, field: String) throws(APIError) -> String {
        let digits = text.hasPrefix("+") ? String(text.dropFirst()) : text
        if digits.contains("-") || digits.count >= 18 {
            guard isUser(Substring(digits), server: "g.us") else { throw invalid(text, field) }
            return digits + "@g.us"
        }
        do {
            return try PhoneNumber.parse(digits, style: .recipient) + "@s.whatsapp.net"
        } catch {
            var error = error
            error.code = "invalid_recipient"
            error.field = field
            throw error
        }
    }

    private static func isUser(_ user: Substring, server: String) -> Bool {
        if server == "broadcast", user == "status" { return true }
        let parts = user.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 1 || (parts.count == 2 && server == "g.us") else { return false }
        return parts.allSatisfy { part in
            (1...24).contains(part.utf8.count) && part.utf8.allSatisfy { (0x30...0x39).contains($0) }
        }
    }

    private static func invalid(_ text: String, _ field: String) -> APIError {
        APIError(
            400, "invalid_recipient", "invalid JID format: \(text.prefix(128))", field: field,
            hint: "A number in international form, digits only, or digits followed by one of "
                + servers.sorted().map { "@\($0)" }.joined(separator: ", ") + "; no spaces within.")
    }
}
