/// Phone numbers in requests: 6 to 16 digits, no leading zero (10-rest-api, section 4.1).
enum PhoneNumber {
    /// The same rule has two spellings of its messages.
    enum Style { case path, recipient }

    /// Digits of `text`, which may have a plus and white space around it. Throws 400.
    static func parse(_ text: String, style: Style) throws(APIError) -> String {
        let word = style == .path ? "phone number" : "Phone number"
        var digits = Substring(text.trimmingWhitespace())
        if digits.hasPrefix("+") { digits = digits.dropFirst() }
        if digits.isEmpty { throw .validation("\(word) cannot be empty", field: "phone") }
        if digits.hasPrefix("0") {
            throw .validation("\(word) must be in international format without leading 0", field: "phone")
        }
        guard (6...16).contains(digits.utf8.count), digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            throw .validation("\(word) must be digits only and at least 6 characters", field: "phone")
        }
        return String(digits)
    }
}
