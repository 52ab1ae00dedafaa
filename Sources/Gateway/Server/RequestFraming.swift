import NIOCore
import NIOHTTP1
import NIOHTTPTypes

/// Refuses heads that two servers can read differently, which the parser and the framework let pass: a target that is no
/// path (`http://host/path` would become `/path` without a word), codings other than one `chunked`, hosts that are missing,
/// doubled or no host (RFC 9112, sections 3.2 and 6.1; 10-rest-api, section 2.8).
///
/// Such a head goes on as one that the edge answers with 400, in the order of the requests before it; what follows it on the
/// connection is nobody's, and the connection closes after the answer.
final class RequestFraming: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    /// What is wrong with a head. The target that the edge gets in place of the caller's, which begins with a slash there.
    enum Refusal: String {
        case target = "*target"
        case host = "*host"
        case transferEncoding = "*transfer-encoding"

        var failure: APIError {
            let message =
                switch self {
                case .target: "the request target must be a path"
                case .host: "a request has one Host header that names one host"
                case .transferEncoding: "Transfer-Encoding must be chunked, once, and needs HTTP/1.1"
                }
            return APIError(400, "http_bad_request", message)
        }
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let pipeline = context.pipeline.syncOperations
        guard let decoder = try? pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self) else { return }
        try? pipeline.addHandler(Check(), position: .after(decoder))
    }

    static func refusal(of head: HTTPRequestHead) -> Refusal? {
        if !head.uri.hasPrefix("/") { return .target }
        let codings = head.headers["Transfer-Encoding"]
        if !codings.isEmpty {
            guard codings.count == 1, codings[0].lowercased() == "chunked", head.version == .http1_1,
                !head.headers.contains(name: "Content-Length")
            else { return .transferEncoding }
        }
        let hosts = head.headers["Host"]
        // Only the first version may do without.
        guard hosts.count == 1 || (hosts.isEmpty && head.version == .http1_0) else { return .host }
        guard hosts.allSatisfy(isHost) else { return .host }
        return nil
    }

    /// A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port; or nothing, which the health checks of some
    /// balancers send and RFC 9110, section 7.2, allows.
    private static func isHost(_ text: String) -> Bool {
        text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: "%"), UInt8(ascii: "~"):
                true
            default: false
            }
        }
    }

    private final class Check: ChannelInboundHandler {
        typealias InboundIn = HTTPServerRequestPart
        typealias InboundOut = HTTPServerRequestPart

        private var hasRefused = false

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if hasRefused { return }
            guard case .head(let head) = unwrapInboundIn(data), let refusal = RequestFraming.refusal(of: head) else {
                return context.fireChannelRead(data)
            }
            hasRefused = true
            let stub = HTTPRequestHead(
                version: .http1_1, method: head.method, uri: refusal.rawValue,
                headers: ["Host": "refused", "Connection": "close"])
            context.fireChannelRead(wrapInboundOut(.head(stub)))
            context.fireChannelRead(wrapInboundOut(.end(nil)))
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            // What comes after a refused head is not read, so nothing is wrong with it.
            if hasRefused, error is HTTPParserError { return }
            context.fireErrorCaught(error)
        }
    }
}
