import NIOCore

/// What a handler gives back: rendered into the envelope by the edge.
struct Answer: Sendable {
    enum Content: Sendable {
        /// `{"status":…,"code":…,"message":…,"data":…}`; `data` is written by the closure.
        case envelope(message: String, data: (@Sendable (inout JSONWriter) -> Void)?)
        /// A whole body with its content type.
        case body(ByteBuffer, contentType: String)
        /// Written piece by piece; ends when the closure returns.
        case stream(
            contentType: String, @Sendable (_ send: @Sendable (ByteBuffer) async throws -> Void) async throws -> Void)
        /// With status 101: the connection becomes a WebSocket, which the closure serves.
        case webSocket(WebSocketHandler.Serve)
        case none
    }

    var status: Int
    var content: Content
    var headers: [(name: String, value: String)] = []

    init(status: Int, content: Content, headers: [(name: String, value: String)] = []) {
        self.status = status
        self.content = content
        self.headers = headers
    }

    static func ok(_ message: String) -> Answer { Answer(status: 200, content: .envelope(message: message, data: nil)) }

    static func ok(_ message: String, data: @escaping @Sendable (inout JSONWriter) -> Void) -> Answer {
        Answer(status: 200, content: .envelope(message: message, data: data))
    }

    static func created(_ message: String, data: @escaping @Sendable (inout JSONWriter) -> Void) -> Answer {
        Answer(status: 201, content: .envelope(message: message, data: data))
    }

    static let noContent = Answer(status: 204, content: .none)

    static func html(_ text: String) -> Answer {
        Answer(status: 200, content: .body(ByteBuffer(string: text), contentType: "text/html; charset=utf-8"))
    }

    /// Adds a header.
    func with(_ name: String, _ value: String) -> Answer {
        var answer = self
        answer.headers.append((name, value))
        return answer
    }
}

/// The JSON around every answer (10-rest-api, section 2.2).
enum Envelope {
    static func success(
        status: Int, message: String, data: (@Sendable (inout JSONWriter) -> Void)?
    ) -> ByteBuffer {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("status", true)
            writer.member("code", status)
            writer.member("message", message)
            if let data {
                writer.key("data")
                data(&writer)
            }
        }
        return writer.buffer
    }

    /// - Parameter status: What the answer's status line says; differs from the error's own in the reference mode.
    static func failure(_ error: APIError, status: Int) -> ByteBuffer {
        var writer = JSONWriter(capacity: 256)
        writer.object { writer in
            writer.member("status", false)
            writer.member("code", status)
            writer.member("message", error.message)
            if !error.isBare {
                writer.key("data")
                writer.object { writer in
                    writer.member("error_code", error.code)
                    if let seconds = error.retryAfter { writer.member("retry_after", seconds) }
                    if let field = error.field { writer.member("field", field) }
                    if let hint = error.hint { writer.member("hint", hint) }
                    if let code = error.whatsAppCode { writer.member("wa_code", code) }
                    for (key, value) in error.details {
                        writer.key(named: key)
                        writer.string(value)
                    }
                }
            }
            writer.member("error", error.message)
        }
        return writer.buffer
    }
}
