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

    /// Threads of its own for the life of the process: a name server that hangs must hold up nobody else's files.
    private static let shared: NIOThreadPool = {
        let pool = NIOThreadPool(numberOfThreads: 16)
        pool.start()
        return pool
    }()

    package init(threads: NIOThreadPool? = nil) {
        self.threads = threads ?? Self.shared
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
        guard let socket = entry.pointee.ai_addr, [AF_INET, AF_INET6].contains(entry.pointee.ai_family) else {
            return nil
        }
        var text = [CChar](repeating: 0, count: 64)
        let status = getnameinfo(
            socket, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        guard status == 0 else { return nil }
        return text.withUnsafeBufferPointer { $0.baseAddress.flatMap { IPAddress(literal: String(cString: $0)) } }
    }
}

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif
