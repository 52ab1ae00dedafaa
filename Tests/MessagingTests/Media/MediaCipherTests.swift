import Cryptography
import Testing

@testable import Messaging

/// Known answers of 05-message-content, sections 27.4 and 27.5.
@Suite("Media files")
struct MediaCipherTests {
    private let key: Bytes = (0..<32).map { UInt8($0) }

    @Test("a small file is encrypted as the reference does")
    func body() throws {
        let media = try MediaCipher.encrypt(Bytes("hello media".utf8), mediaKey: key, kind: .image)
        #expect(Hex.encode(media.body) == "7f9bef39ef1650caa4aba10652270c9960575dfb7ec0f89ab88f")
        #expect(
            Hex.encode(media.fileEncSHA256) == "de874ad67c12271286a9e2afae8be0d1a85b91c2438c5679aa4609b86d292cd3")
        #expect(media.sidecar == nil)
    }

    @Test("a sidecar lets a receiver check a file piece by piece")
    func sidecar() throws {
        let file = (0..<150_000).map { UInt8($0 % 251) }
        let media = try MediaCipher.encrypt(file, mediaKey: key, kind: .video, withSidecar: true)
        #expect(
            Hex.encode(media.fileEncSHA256) == "c9985da82569727af624d075a59d327ca05cea9628447d061e28c73cbe1b9aca")
        #expect(
            Hex.encode(media.sidecar ?? []) == "06fd19b0092b6c93e4b24e0b74ca71df98378a0ad9343d95c301b2f6af83")
    }

    @Test(
        "a sidecar has one entry per 64 KiB, and none for a tail of a block or less",
        arguments: [(65_503, 1), (65_504, 1), (65_519, 1), (65_520, 2), (131_055, 2), (131_072, 3)])
    func sidecarEntries(length: Int, entries: Int) throws {
        let media = try MediaCipher.encrypt(
            Bytes(repeating: 0, count: length), mediaKey: key, kind: .video, withSidecar: true)
        #expect(media.sidecar?.count == entries * MediaCipher.macCount)
    }

    @Test("damaged, cut and foreign bodies are refused, each with its reason")
    func refused() throws {
        let media = try MediaCipher.encrypt(Bytes("hello".utf8), mediaKey: key, kind: .audio)
        func decrypt(_ body: Bytes, kind: MediaKind = .audio, hash: Bytes? = nil) throws -> Bytes {
            try MediaCipher.decrypt(body, mediaKey: key, kind: kind, fileEncSHA256: nil, fileSHA256: hash)
        }
        #expect(try decrypt(media.body) == Bytes("hello".utf8))
        #expect(throws: MediaError.macMismatch) { try decrypt(media.body, kind: .video) }
        for index in media.body.indices {
            var damaged = media.body
            damaged[index] ^= 1
            #expect(throws: MediaError.macMismatch) { try decrypt(damaged) }
        }
        for count in 0..<media.body.count {
            #expect(throws: MediaError.self) { try decrypt(Bytes(media.body.prefix(count))) }
        }
        #expect(throws: MediaError.hashMismatch) { try decrypt(media.body, hash: Bytes(repeating: 0, count: 32)) }
        #expect(throws: MediaError.invalidMediaKey) {
            try MediaCipher.decrypt(media.body, mediaKey: [1], kind: .audio, fileEncSHA256: nil, fileSHA256: nil)
        }
    }
}
