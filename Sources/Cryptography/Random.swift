import CSodium
import Synchronization

/// Where random bytes come from; passed in, so that protocol logic can be replayed.
package protocol RandomSource: Sendable {
    /// `count` fresh bytes.
    func bytes(_ count: Int) -> Bytes
}

/// The operating system's generator through libsodium.
package struct SystemRandom: RandomSource {
    package init() { Sodium.prepare() }

    package func bytes(_ count: Int) -> Bytes {
        Bytes(filling: count) { randombytes_buf($0.octets, count) }
    }
}

/// A reproducible stream: ChaCha20 (64-bit counter from 0, zero nonce) under
/// `HKDF-SHA256(seed, info: label, 32)`. Draws of any size cut the one stream into consecutive pieces.
///
/// For the sandbox's worlds and for tests (layout: 09-sandbox-server, "determinism"); never for real secrets.
package final class SeededRandom: RandomSource {
    private let key: Bytes
    private let position: Mutex<UInt64>

    package init(seed: Bytes, label: String) {
        key = HKDFSHA256.derive(inputKeyMaterial: seed, info: Bytes(label.utf8), count: 32)
        position = Mutex(0)
    }

    package func bytes(_ count: Int) -> Bytes {
        let start = position.withLock { position in
            defer { position += UInt64(count) }
            return position
        }
        let skipped = Int(start % 64)
        let zeros = Bytes(repeating: 0, count: skipped + count)
        let nonce = Bytes(repeating: 0, count: 8)
        let stream = Bytes(filling: zeros.count) { out in
            _ = crypto_stream_chacha20_xor_ic(out.octets, zeros, UInt64(zeros.count), nonce, start / 64, key)
        }
        return Bytes(stream[skipped...])
    }
}

/// libsodium's one-time set-up (it selects the code for this processor).
enum Sodium {
    private static let ready: Bool = sodium_init() >= 0

    @inline(__always)
    static func prepare() { _ = ready }
}
