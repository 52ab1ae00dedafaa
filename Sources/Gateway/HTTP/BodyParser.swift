/// Turns the bytes of a body into fields, by content type (10-rest-api, section 2.3).
enum BodyParser {
    /// - Throws: `parseError` for a body that cannot be read, 415 for a non-empty body of an unknown type.
    static func parse(_ bytes: [UInt8], contentType: String?, parseError: APIError) throws(APIError) -> BodyFields {
        if bytes.isEmpty { return .empty(parseError: parseError) }
        let parts = (contentType ?? "").split(separator: ";", maxSplits: 1)
        let type = (parts.first ?? "").trimmingWhitespace().lowercased()
        switch type {
        case _ where type.hasSuffix("json"):
            guard let value = try? JSONParser.parse(bytes) else { throw parseError }
            switch value {
            case .object(let members): return BodyFields(json: members, parseError: parseError)
            case .null: return .empty(parseError: parseError)
            default: throw parseError
            }
        case "application/x-www-form-urlencoded":
            guard let text = String(validating: bytes, as: UTF8.self), let pairs = PercentCoding.pairs(text) else {
                throw parseError
            }
            return BodyFields(form: pairs, parseError: parseError)
        case "multipart/form-data":
            guard let boundary = parameter("boundary", of: parts.count == 2 ? parts[1] : ""),
                let parsed = MultipartForm.parse(bytes, boundary: boundary)
            else { throw parseError }
            return BodyFields(form: parsed.fields, files: parsed.files, parseError: parseError)
        default: throw .unsupportedMediaType
        }
    }

    /// A parameter of a header value such as `form-data; name="a"`.
    static func parameter(_ name: String, of text: some StringProtocol) -> String? {
        for part in text.split(separator: ";") {
            let halves = part.split(separator: "=", maxSplits: 1)
            guard halves.count == 2, halves[0].trimmingWhitespace().lowercased() == name else { continue }
            let value = halves[1].trimmingWhitespace()
            return value.count >= 2 && value.hasPrefix("\"") && value.hasSuffix("\"")
                ? String(value.dropFirst().dropLast()) : value
        }
        return nil
    }
}

/// A `multipart/form-data` body (RFC 7578).
enum MultipartForm {
    private static let maximumParts = 128

    static func parse(
        _ bytes: [UInt8], boundary: String
    ) -> (fields: [(key: String, value: String)], files: [BodyFields.File])? {
        guard (1...70).contains(boundary.utf8.count) else { return nil }
        let delimiter = Array("--\(boundary)".utf8)
        var fields: [(key: String, value: String)] = []
        var files: [BodyFields.File] = []
        guard var position = find(delimiter, in: bytes, from: 0) else { return nil }
        for _ in 0..<maximumParts {
            position += delimiter.count
            if bytes[position...].starts(with: Array("--".utf8)) { return (fields, files) }
            guard bytes[position...].starts(with: [0x0D, 0x0A]) else { return nil }
            position += 2
            guard let end = find([0x0D, 0x0A] + delimiter, in: bytes, from: position),
                let headEnd = find(Array("\r\n\r\n".utf8), in: bytes, from: position), headEnd + 4 <= end
            else { return nil }
            let head = String(decoding: bytes[position..<headEnd], as: UTF8.self)
            let content = bytes[(headEnd + 4)..<end]
            guard let disposition = header("content-disposition", in: head),
                let name = BodyParser.parameter("name", of: disposition)
            else { return nil }
            if let fileName = BodyParser.parameter("filename", of: disposition) {
                files.append(
                    BodyFields.File(
                        name: name, fileName: fileName, contentType: header("content-type", in: head) ?? "",
                        bytes: [UInt8](content)))
            } else {
                guard let value = String(validating: content, as: UTF8.self) else { return nil }
                fields.append((name, value))
            }
            position = end + 2
        }
        return nil
    }

    private static func header(_ name: String, in head: String) -> String? {
        for line in head.split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":"), line[..<colon].lowercased() == name else { continue }
            return line[line.index(after: colon)...].trimmingWhitespace()
        }
        return nil
    }

    private static func find(_ pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard let first = pattern.first, bytes.count >= pattern.count else { return nil }
        var index = start
        let last = bytes.count - pattern.count
        while index <= last {
            guard let candidate = bytes[index...last].firstIndex(of: first) else { return nil }
            if bytes[candidate..<(candidate + pattern.count)].elementsEqual(pattern) { return candidate }
            index = candidate + 1
        }
        return nil
    }
}
