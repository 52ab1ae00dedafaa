/// SHA-256; 32 bytes.
package enum SHA256Digest {
    package static let count = 32
    package static func hash(_ data: some Collection<UInt8>) -> Bytes {
        digest(data, Algorithms.shared.sha256, count: count)
    }
}

/// SHA-512; 64 bytes.
package enum SHA512Digest {
    package static let count = 64
    package static func hash(_ data: some Collection<UInt8>) -> Bytes {
        digest(data, Algorithms.shared.sha512, count: count)
    }
}

/// SHA-1; 20 bytes. For identifiers that the protocol builds with it, not for security.
package enum SHA1Digest {
    package static let count = 20
    package static func hash(_ data: some Collection<UInt8>) -> Bytes {
        digest(data, Algorithms.shared.sha1, count: count)
    }
}

/// MD5; 16 bytes. For the build hash of the client payload, not for security.
package enum MD5Digest {
    package static let count = 16
    package static func hash(_ data: some Collection<UInt8>) -> Bytes {
        digest(data, Algorithms.shared.md5, count: count)
    }
}

/// SHA-256 over data that arrives in pieces.
package struct SHA256Hasher: ~Copyable {
    private let context = HashContext(Algorithms.shared.sha256)

    package init() { context.begin() }
    package mutating func update(_ data: some Collection<UInt8>) { withBytes(data) { context.update($0) } }
    package consuming func finalize() -> Bytes {
        Bytes(filling: SHA256Digest.count) { context.finish($0.octets) }
    }
}

private func digest(_ data: some Collection<UInt8>, _ algorithm: OpaquePointer?, count: Int) -> Bytes {
    withBytes(data) { data in
        Bytes(filling: count) { output in
            let context = HashContext(algorithm)
            context.begin()
            context.update(data)
            context.finish(output.octets)
        }
    }
}
