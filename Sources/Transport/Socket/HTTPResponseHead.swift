import NIOCore

/// The head of an HTTP/1.1 response, as a proxy's answer to CONNECT and the answer to a websocket upgrade begin.
struct HTTPResponseHead: Equatable {
    enum ParsingError: Error, Equatable {
        case tooLarge
        case malformed
    }

    /// Most bytes of a head.
    static let maximumSize = 16 << 10

    var status: Int
    /// Names in lower case.
    var headers: [(name: String, value: String)]

    /// Takes the head off the front of `buffer`, or gives nil and leaves `buffer` alone while it is incomplete.
    static func take(from buffer: inout ByteBuffer) throws(ParsingError) -> HTTPResponseHead? {
        let bytes = buffer.readableBytesView
        guard let end = endOfHead(bytes) else {
            guard bytes.count <= maximumSize else { throw .tooLarge }
            return nil
        }
        guard end <= maximumSize else { throw .tooLarge }
        guard let text = String(validating: bytes.prefix(end - 4), as: UTF8.self) else { throw .malformed }
        buffer.moveReaderIndex(forwardBy: end)
        return try HTTPResponseHead(text)
    }

    private init(_ text: String) throws(ParsingError) {
        let lines = text.split(separator: "\r\n", omittingEmptySubsequences: false)
        let start = lines[0].split(separator: " ", maxSplits: 2)
        guard start.count >= 2, start[0].hasPrefix("HTTP/1."), start[1].utf8.count == 3, let status = Int(start[1])
        else {
            throw .malformed
        }
        self.status = status
        headers = []
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else { throw .malformed }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            headers.append((line[..<colon].lowercased(), String(value.trimmingTrailingBlanks())))
        }
    }

    /// The values of header `name` (lower case), joined by commas; nil when absent.
    subscript(name: String) -> String? {
        let values = headers.lazy.filter { $0.name == name }.map(\.value)
        return values.isEmpty ? nil : values.joined(separator: ",")
    }

    static func == (left: HTTPResponseHead, right: HTTPResponseHead) -> Bool {
        left.status == right.status && left.headers.elementsEqual(right.headers, by: ==)
    }

    /// Bytes up to and with the empty line.
    private static func endOfHead(_ bytes: ByteBufferView) -> Int? {
        var matched = 0
        for (offset, byte) in bytes.prefix(maximumSize + 1).enumerated() {
            switch (byte, matched) {
            case (0x0D, 0), (0x0D, 2), (0x0A, 1), (0x0A, 3): matched += 1
            case (0x0D, _): matched = 1
            default: matched = 0
            }
            if matched == 4 { return offset + 1 }
        }
        return nil
    }
}

extension Substring {
    fileprivate func trimmingTrailingBlanks() -> Substring {
        var text = self
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
