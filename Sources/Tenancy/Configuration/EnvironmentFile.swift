/// A `.env` file (13-configuration, section 1).
///
/// One `NAME=value` per line, with an optional `export ` before it; `NAME: value` is read too. `#` starts a comment at
/// the start of a line or after white space in an unquoted value. Single quotes are literal; double quotes know
/// `\n \r \t \" \\ \$`. `${NAME}` and `$NAME` expand in unquoted and double-quoted values.
package enum EnvironmentFile {
    package struct Malformed: Error, Equatable, Sendable {
        /// 1-based.
        package let line: Int
        package let reason: String
    }

    /// Reads `text`. Names expand from what stands earlier in the file, then from `environment`.
    package static func parse(_ text: String, environment: [String: String]) throws(Malformed) -> [String: String] {
        var values: [String: String] = [:]
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        for (index, line) in lines.enumerated() {
            let body = trimmed(line)
            if body.isEmpty || body.hasPrefix("#") { continue }
            do {
                let (name, value) = try assignment(body) { values[$0] ?? environment[$0] ?? "" }
                values[name] = value
            } catch {
                throw Malformed(line: index + 1, reason: error.reason)
            }
        }
        return values
    }

    private struct Fault: Error { let reason: String }

    private static func assignment(
        _ line: String, _ lookUp: (String) -> String
    ) throws(Fault) -> (name: String, value: String) {
        var rest = Substring(line)
        if rest.hasPrefix("export "), rest.dropFirst(7).contains("=") { rest = rest.dropFirst(7) }
        guard let separator = rest.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
            throw Fault(reason: "expected NAME=value")
        }
        let name = trimmed(rest[..<separator])
        guard let first = name.first, first.isLetter || first == "_", name.allSatisfy(isNameCharacter) else {
            throw Fault(reason: "'\(name.prefix(40))' is not a variable name")
        }
        return (name, try value(Substring(trimmed(rest[rest.index(after: separator)...])), lookUp))
    }

    private static func value(_ text: Substring, _ lookUp: (String) -> String) throws(Fault) -> String {
        guard let quote = text.first, quote == "'" || quote == "\"" else {
            var plain = text
            if let comment = commentStart(in: text) { plain = text[..<comment] }
            return expand(Substring(trimmed(plain)), lookUp)
        }
        var result = ""
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            if character == quote {
                let tail = trimmed(rest)
                guard tail.isEmpty || tail.hasPrefix("#") else { throw Fault(reason: "text after the closing quote") }
                return result
            }
            guard quote == "\"" else {
                result.append(character)
                continue
            }
            switch character {
            case "\\":
                guard let escaped = rest.popFirst() else { throw Fault(reason: "quote is not closed") }
                switch escaped {
                case "n": result.append("\n")
                case "r": result.append("\r")
                case "t": result.append("\t")
                case "\"", "\\", "$": result.append(escaped)
                default: result += "\\\(escaped)"
                }
            case "$": result += expandOne(&rest, lookUp)
            default: result.append(character)
            }
        }
        throw Fault(reason: "quote is not closed")
    }

    private static func commentStart(in text: Substring) -> Substring.Index? {
        if text.hasPrefix("#") { return text.startIndex }
        return text.indices.dropFirst().first { text[$0] == "#" && text[text.index(before: $0)].isWhitespace }
    }

    private static func expand(_ text: Substring, _ lookUp: (String) -> String) -> String {
        var rest = text
        var result = ""
        while let character = rest.popFirst() {
            if character == "$" { result += expandOne(&rest, lookUp) } else { result.append(character) }
        }
        return result
    }

    /// Expands the name that starts at `rest`, just after a `$`; a `$` with no name behind it stays.
    private static func expandOne(_ rest: inout Substring, _ lookUp: (String) -> String) -> String {
        if rest.first == "{", let close = rest.firstIndex(of: "}") {
            let name = String(rest[rest.index(after: rest.startIndex)..<close])
            rest = rest[rest.index(after: close)...]
            return lookUp(name)
        }
        guard let first = rest.first, first.isLetter || first == "_" else { return "$" }
        let name = rest.prefix(while: isNameCharacter)
        rest = rest[name.endIndex...]
        return lookUp(String(name))
    }

    private static func isNameCharacter(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || character == "_")
    }
}
