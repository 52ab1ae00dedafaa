import Cryptography
import Foundation
import WhatsAppProtobuf

/// The keys behind a world's Noise responder and the certificates that clients check (09, section 5.2).
///
/// Root, intermediate and static key come from the world's seed (`noise/root`, …), so that the root public key is a constant
/// of the test set-up; what was used once is kept in the store and stays even if the seed changes.
@SandboxActor
package final class SandboxTrust {
    private static let storeKey = "world/trust"
    private static let day: Int64 = 86_400

    private let root: KeyPair
    private let intermediate: KeyPair
    package let staticKey: KeyPair
    /// Chains by flaw, made once a day: validity is checked against the client's real clock.
    private var cache: [FaultAction.CertificateFault?: (day: Int64, chain: Bytes)] = [:]

    init(world: String, random: WorldRandom, store: any WorldStore) throws {
        if let stored = store.all(under: Self.storeKey).first?.value, stored.count == 96 {
            root = KeyPair(privateKey: try PrivateKey(raw: stored[..<32]))
            intermediate = KeyPair(privateKey: try PrivateKey(raw: stored[32..<64]))
            staticKey = KeyPair(privateKey: try PrivateKey(raw: stored[64...]))
            return
        }
        let secrets = ["noise/root", "noise/intermediate", "noise/static"].map { random.constant($0, 32) }
        root = KeyPair(privateKey: try PrivateKey(raw: secrets[0]))
        intermediate = KeyPair(privateKey: try PrivateKey(raw: secrets[1]))
        staticKey = KeyPair(privateKey: try PrivateKey(raw: secrets[2]))
        store.put(Self.storeKey, secrets[0] + secrets[1] + secrets[2])
    }

    /// 32 bytes: what a client has to be told.
    package var rootPublicKey: PublicKey { root.publicKey }

    /// The serialized `CertChain` to send now, or one with a flaw.
    package func chain(flaw: FaultAction.CertificateFault? = nil) -> Bytes {
        let now = Int64(Date().timeIntervalSince1970)
        let today = now / Self.day
        if let cached = cache[flaw], cached.day == today { return cached.chain }
        let chain = makeChain(now: now, flaw: flaw)
        cache[flaw] = (today, chain)
        return chain
    }

    private func makeChain(now: Int64, flaw: FaultAction.CertificateFault?) -> Bytes {
        var validity = (now - Self.day)...(now + 3650 * Self.day)
        if flaw == .expired { validity = (now - 10 * Self.day)...(now - Self.day) }
        if flaw == .notYet { validity = (now + Self.day)...(now + 10 * Self.day) }
        let signer = flaw == .wrongRoot ? staticKey : root
        let upper = certificate(
            serial: 1, issuer: flaw == .serial ? 7 : 0, key: intermediate.publicKey, validity: validity, signer: signer,
            signed: true)
        let leaf = certificate(
            serial: 2, issuer: 1, key: flaw == .wrongLeaf ? root.publicKey : staticKey.publicKey, validity: validity,
            signer: intermediate, signed: flaw != .noSignature)
        var writer = ProtoWriter()
        writer.bytes(1, leaf)
        writer.bytes(2, upper)
        return writer.bytes
    }

    /// `NoiseCertificate{details(1){serial(1), issuerSerial(2), key(3), notBefore(4), notAfter(5)}, signature(2)}`.
    private func certificate(
        serial: UInt64, issuer: UInt64, key: PublicKey, validity: ClosedRange<Int64>, signer: KeyPair, signed: Bool
    ) -> Bytes {
        var details = ProtoWriter()
        details.varint(1, serial)
        details.varint(2, issuer)
        details.bytes(3, key.raw)
        details.varint(4, UInt64(max(0, validity.lowerBound)))
        details.varint(5, UInt64(max(0, validity.upperBound)))
        var writer = ProtoWriter()
        writer.bytes(1, details.bytes)
        if signed { writer.bytes(2, signer.privateKey.sign(details.bytes)) }
        return writer.bytes
    }
}
