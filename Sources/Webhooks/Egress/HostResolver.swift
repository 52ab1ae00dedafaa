import NIOCore
import NIOPosix

/// Finds the addresses of a host name. A protocol, so that a test can play a resolver that changes its mind.
package protocol HostResolver: Sendable {
    /// All addresses of `host`, or an empty list when it has none.
    func addresses(of host: String) async -> [IPAddress]
}

/// The system's resolver, asked on a thread of its own so that no event loop waits for it.
package struct SystemHostResolver: HostResolver {
    private let threads: NIOThreadPool

    package init(threads: NIOThreadPool = .singleton) {
        self.threads = threads
    }

    package func addresses(of host: String) async -> [IPAddress] {
        if let literal = IPAddress(literal: host) { return [literal] }
        let found = try? await threads.runIfActive { () -> [IPAddress] in
            var hints = addrinfo()
            hints.ai_family = AF_UNSPEC
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(host, nil, &hints, &list) == 0 else { return [] }
            defer { freeaddrinfo(list) }
            return sequence(first: list, next: { $0?.pointee.ai_next }).compactMap { $0.flatMap(Self.address) }
        }
        return found ?? []
    }

    private static func address(_ entry: UnsafeMutablePointer<addrinfo>) -> IPAddress? {
        guard let socket = entry.pointee.ai_addr else { return nil }
        switch entry.pointee.ai_family {
        case AF_INET:
            return socket.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin_addr) { IPAddress(bytes: [UInt8]($0)) }
            }
        case AF_INET6:
            return socket.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                withUnsafeBytes(of: $0.pointee.sin6_addr) { IPAddress(bytes: [UInt8]($0)) }
            }
        default: return nil
        }
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
