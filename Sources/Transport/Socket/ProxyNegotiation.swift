import Cryptography
import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// The dialogue with a proxy that ends in a tunnel to the target. Pure: bytes in, bytes out.
struct ProxyNegotiation {
    enum Action: Equatable {
        /// Send these bytes and wait for more.
        case send(ByteBuffer)
        case wait
        /// The tunnel is open; what is left in the buffer belongs to it.
        case done
    }

    private enum State {
        case connectAnswer
        case socksMethod
        case socksAuthentication
        case socksReply
        case done
    }

    private let proxy: ProxyConfiguration
    private let host: String
    private let port: Int
    private var state: State

    /// - Parameters:
    ///   - host, port: the target, which the proxy resolves.
    init(proxy: ProxyConfiguration, host: String, port: Int) {
        self.proxy = proxy
        self.host = host
        self.port = port
        state = proxy.scheme == .socks5 ? .socksMethod : .connectAnswer
    }

    /// The first bytes to send. Throws ``ConnectFailure/proxy(_:)`` when the proxy's protocol cannot carry the names.
    func greeting() throws(ConnectFailure) -> ByteBuffer {
        guard proxy.scheme == .socks5 else { return connectRequest() }
        guard host.utf8.count <= 255, (proxy.username ?? "").utf8.count <= 255, (proxy.password ?? "").utf8.count <= 255
        else { throw .proxy("a name of more than 255 bytes") }
        // Version 5; methods: none, and user name with password when we have one.
        return ByteBuffer(bytes: proxy.username == nil ? [5, 1, 0] : [5, 2, 0, 2])
    }

    mutating func receive(_ buffer: inout ByteBuffer) throws(ConnectFailure) -> Action {
        switch state {
        case .connectAnswer:
            let head: HTTPResponseHead?
            do { head = try HTTPResponseHead.take(from: &buffer) } catch { throw .proxy("not an HTTP answer") }
            guard let head else { return .wait }
            guard (200..<300).contains(head.status) else { throw .proxy("CONNECT refused with status \(head.status)") }
            state = .done
            return .done
        case .socksMethod:
            guard let answer = buffer.readBytes(length: 2) else { return .wait }
            guard answer[0] == 5 else { throw .proxy("not a SOCKS 5 proxy") }
            switch (answer[1], proxy.username) {
            case (0, _):
                state = .socksReply
                return .send(socksRequest())
            case (2, .some(let username)):
                state = .socksAuthentication
                return .send(socksCredentials(username, proxy.password ?? ""))
            default: throw .proxy("no acceptable SOCKS authentication method")
            }
        case .socksAuthentication:
            guard let answer = buffer.readBytes(length: 2) else { return .wait }
            guard answer[1] == 0 else { throw .proxy("SOCKS user name or password refused") }
            state = .socksReply
            return .send(socksRequest())
        case .socksReply:
            return try receiveSOCKSReply(&buffer)
        case .done:
            return .done
        }
    }

    // MARK: HTTP

    private func connectRequest() -> ByteBuffer {
        let target = "\(host.contains(":") ? "[\(host)]" : host):\(port)"
        var request = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n"
        if let username = proxy.username {
            let credentials = Base64.encode(Bytes("\(username):\(proxy.password ?? "")".utf8))
            request += "Proxy-Authorization: Basic \(credentials)\r\n"
        }
        return ByteBuffer(string: request + "\r\n")
    }

    // MARK: SOCKS 5 (RFC 1928, RFC 1929)

    private func socksCredentials(_ username: String, _ password: String) -> ByteBuffer {
        var buffer = ByteBuffer(bytes: [1, UInt8(truncatingIfNeeded: username.utf8.count)])
        buffer.writeString(username)
        buffer.writeInteger(UInt8(truncatingIfNeeded: password.utf8.count))
        buffer.writeString(password)
        return buffer
    }

    /// CONNECT to the target by name (address type 3), or by address where it is one.
    private func socksRequest() -> ByteBuffer {
        var buffer = ByteBuffer(bytes: [5, 1, 0])
        if let address = ProxyNegotiation.address(host, AF_INET, count: 4) {
            buffer.writeInteger(1 as UInt8)
            buffer.writeBytes(address)
        } else if let address = ProxyNegotiation.address(host, AF_INET6, count: 16) {
            buffer.writeInteger(4 as UInt8)
            buffer.writeBytes(address)
        } else {
            buffer.writeBytes([3, UInt8(truncatingIfNeeded: host.utf8.count)])
            buffer.writeString(host)
        }
        buffer.writeInteger(UInt16(truncatingIfNeeded: port))
        return buffer
    }

    /// The bytes of `text` when it is an address of the family.
    private static func address(_ text: String, _ family: Int32, count: Int) -> Bytes? {
        var bytes = Bytes(repeating: 0, count: count)
        return inet_pton(family, text, &bytes) == 1 ? bytes : nil
    }

    private mutating func receiveSOCKSReply(_ buffer: inout ByteBuffer) throws(ConnectFailure) -> Action {
        let index = buffer.readerIndex
        guard let head = buffer.getBytes(at: index, length: 5) else {
            // A refusal may come without an address behind it.
            if let refusal = buffer.getBytes(at: index, length: 2), refusal[1] != 0 {
                throw .proxy("SOCKS reply \(refusal[1])")
            }
            return .wait
        }
        guard head[0] == 5 else { throw .proxy("not a SOCKS 5 proxy") }
        guard head[1] == 0 else { throw .proxy("SOCKS reply \(head[1])") }
        let addressLength: Int
        switch head[3] {
        case 1: addressLength = 4
        case 3: addressLength = 1 + Int(head[4])
        case 4: addressLength = 16
        default: throw .proxy("SOCKS address type \(head[3])")
        }
        guard buffer.readableBytes >= 4 + addressLength + 2 else { return .wait }
        buffer.moveReaderIndex(forwardBy: 4 + addressLength + 2)
        state = .done
        return .done
    }
}
