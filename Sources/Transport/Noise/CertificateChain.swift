import Cryptography
import Synchronization
import WhatsAppProtobuf

/// The server's certificate chain: root (known) → intermediate → leaf, which certifies the server's static key
/// (01-transport, section 6).
///
/// ```
/// CertChain        1 leaf: NoiseCertificate   2 intermediate: NoiseCertificate
/// NoiseCertificate 1 details: bytes           2 signature: bytes (64, XEdDSA over the details as received)
/// Details          1 serial  2 issuerSerial  3 key: bytes (32)  4 notBefore  5 notAfter (Unix seconds)
/// ```
package enum CertificateChain {
    /// Checks `chain` in the order of the specification; all checks are mandatory.
    ///
    /// - Parameters:
    ///   - key: the server's static key as decrypted from the handshake.
    ///   - now: Unix time in seconds.
    package static func verify(
        _ chain: Bytes, for key: PublicKey, trust: NoiseTrust, now: Int64
    ) throws(CertificateError) {
        let signed = try SignedChain(chain)
        let knownGood = verified.holds(chain, trust)
        if !knownGood {
            guard let root = try? PublicKey(raw: trust.rootPublicKey),
                root.verify(signature: signed.intermediate.signature, of: signed.intermediate.details)
            else { throw .intermediateSignature }
        }
        let intermediate = try CertificateDetails(signed.intermediate.details)
        guard intermediate.issuerSerial == trust.rootSerial else {
            throw .intermediateIssuer(intermediate.issuerSerial)
        }
        guard let intermediateKey = try? PublicKey(raw: intermediate.key) else { throw .invalidKey }
        if !knownGood {
            guard intermediateKey.verify(signature: signed.leaf.signature, of: signed.leaf.details) else {
                throw .leafSignature
            }
            verified.remember(chain, trust)
        }
        guard intermediate.isValid(at: now) else { throw .intermediateExpired }
        let leaf = try CertificateDetails(signed.leaf.details)
        guard leaf.issuerSerial == intermediate.serial else { throw .leafIssuer(leaf.issuerSerial) }
        guard leaf.key.count == 32 else { throw .invalidKey }
        guard constantTimeEquals(leaf.key, key.raw) else { throw .keyMismatch }
        guard leaf.isValid(at: now) else { throw .leafExpired }
    }

    /// A chain for `leaf`, as a server of one's own makes it: intermediate serial 1 issued by root serial 0, leaf serial 2.
    ///
    /// - Parameter validity: Unix seconds, for both certificates.
    package static func issue(
        root: PrivateKey, intermediate: KeyPair, leaf: PublicKey, validity: ClosedRange<UInt64>
    ) -> Bytes {
        let intermediateDetails = CertificateDetails(
            serial: 1, issuerSerial: 0, key: intermediate.publicKey.raw, notBefore: validity.lowerBound,
            notAfter: validity.upperBound
        ).serialized
        let leafDetails = CertificateDetails(
            serial: 2, issuerSerial: 1, key: leaf.raw, notBefore: validity.lowerBound, notAfter: validity.upperBound
        ).serialized
        return SignedChain(
            leaf: SignedCertificate(details: leafDetails, signature: intermediate.privateKey.sign(leafDetails)),
            intermediate: SignedCertificate(details: intermediateDetails, signature: root.sign(intermediateDetails))
        ).serialized
    }

    private static let verified = VerifiedChains()
}

/// What a certificate says.
struct CertificateDetails: Equatable {
    var serial: UInt32 = 0
    var issuerSerial: UInt32 = 0
    var key: Bytes = []
    /// Unix seconds, both ends valid.
    var notBefore: UInt64 = 0
    var notAfter: UInt64 = 0

    init(serial: UInt32, issuerSerial: UInt32, key: Bytes, notBefore: UInt64, notAfter: UInt64) {
        self.serial = serial
        self.issuerSerial = issuerSerial
        self.key = key
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    init(_ bytes: Bytes) throws(CertificateError) {
        do {
            var reader = ProtoReader(bytes)
            while let field = try reader.next() {
                switch (field.number, field.wireType) {
                case (1, .varint): serial = field.uint32
                case (2, .varint): issuerSerial = field.uint32
                case (3, .lengthDelimited): key = Bytes(field.bytes)
                case (4, .varint): notBefore = field.uint
                case (5, .varint): notAfter = field.uint
                default: break
                }
            }
        } catch {
            throw .malformed
        }
    }

    var serialized: Bytes {
        var writer = ProtoWriter()
        writer.varint(1, UInt64(serial))
        writer.varint(2, UInt64(issuerSerial))
        writer.bytes(3, key)
        writer.varint(4, notBefore)
        writer.varint(5, notAfter)
        return writer.bytes
    }

    func isValid(at now: Int64) -> Bool {
        guard let now = UInt64(exactly: now) else { return false }
        return notBefore <= now && now <= notAfter
    }
}

/// Details as received, with their signature.
struct SignedCertificate {
    var details: Bytes
    var signature: Bytes
}

struct SignedChain {
    var leaf: SignedCertificate
    var intermediate: SignedCertificate

    init(leaf: SignedCertificate, intermediate: SignedCertificate) {
        self.leaf = leaf
        self.intermediate = intermediate
    }

    init(_ bytes: Bytes) throws(CertificateError) {
        var certificates: [Int: SignedCertificate] = [:]
        do {
            var reader = ProtoReader(bytes)
            while let field = try reader.next() {
                guard field.wireType == .lengthDelimited, field.number == 1 || field.number == 2 else { continue }
                certificates[field.number] = try SignedChain.certificate(field.bytes)
            }
        } catch {
            throw .malformed
        }
        guard let leaf = certificates[1], let intermediate = certificates[2] else { throw .malformed }
        self.init(leaf: leaf, intermediate: intermediate)
    }

    var serialized: Bytes {
        var writer = ProtoWriter()
        for (field, certificate) in [(1, leaf), (2, intermediate)] {
            writer.message(field) {
                $0.bytes(1, certificate.details)
                $0.bytes(2, certificate.signature)
            }
        }
        return writer.bytes
    }

    /// Nil when details or signature are missing or the signature has not 64 bytes.
    private static func certificate(_ bytes: ArraySlice<UInt8>) throws(ProtoError) -> SignedCertificate? {
        var details: Bytes?
        var signature: Bytes?
        var reader = ProtoReader(bytes)
        while let field = try reader.next() {
            switch (field.number, field.wireType) {
            case (1, .lengthDelimited): details = Bytes(field.bytes)
            case (2, .lengthDelimited): signature = Bytes(field.bytes)
            default: break
            }
        }
        guard let details, let signature, signature.count == 64 else { return nil }
        return SignedCertificate(details: details, signature: signature)
    }
}

/// The last chains whose signatures were found good, so that thousands of devices that connect to the same few servers
/// verify them once. Only signatures are remembered: issuers, validity and the key are checked each time.
private final class VerifiedChains: Sendable {
    private struct Entry {
        var chain: Bytes
        var root: Bytes
    }

    private static let capacity = 4

    private let entries = Mutex<[Entry]>([])

    func holds(_ chain: Bytes, _ trust: NoiseTrust) -> Bool {
        entries.withLock { $0.contains { $0.chain == chain && $0.root == trust.rootPublicKey } }
    }

    func remember(_ chain: Bytes, _ trust: NoiseTrust) {
        entries.withLock { entries in
            if entries.count == VerifiedChains.capacity { entries.removeFirst() }
            entries.append(Entry(chain: chain, root: trust.rootPublicKey))
        }
    }
}
