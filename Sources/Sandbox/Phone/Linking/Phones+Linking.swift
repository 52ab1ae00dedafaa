import Cryptography
import NIOCore
import OrderedCollections
import Transport

/// Why a phone does not link what it was shown.
package enum LinkingError: Error, Equatable {
    case unreadableQR(LinkingQRText.ParsingError)
    /// No open registration shows this reference.
    case unknownReference
    /// Noise or identity key are not those of the connection that shows the QR code.
    case keyMismatch(String)
    case tooManyCompanions
    case unreadableCode
    /// No companion waits for a code of this account.
    case noCodeExpected
    case cryptography(String)
}

/// How entering a code ended.
package enum CodeOutcome: Sendable, Equatable {
    case approved(LinkedCompanion)
    /// The companion must show a passkey first.
    case passkeyRequested(session: Int)
    case wrongCode
    case failed(String)
}

/// The companion that a phone approved; it becomes a device once its own signature arrived.
package struct LinkedCompanion: Sendable, Equatable {
    package let session: Int
    package let deviceID: UInt16
    package let keyIndex: UInt32
}

extension Phones {
    /// Scans a QR code with the phone of `account` (09-sandbox-server, section 7.2).
    ///
    /// `nil`: a passkey is demanded first, because the account requires it or this call does.
    package func scan(
        _ text: String, with account: Account, demandsPasskey: Bool = false
    ) throws -> LinkedCompanion? {
        let qr: LinkingQRText
        do {
            qr = try LinkingQRText(text)
        } catch {
            throw LinkingError.unreadableQR(error)
        }
        guard let session = world.pairing(ref: qr.reference) else { throw LinkingError.unknownReference }
        guard session.noiseKey.raw == qr.noisePublic else { throw LinkingError.keyMismatch("noise key") }
        guard session.registration.identityKey.raw == qr.identityPublic else {
            throw LinkingError.keyMismatch("identity key")
        }
        if demandsPasskey || account.passkey == .required {
            guard session.state == .waiting else { throw WorldError.pairingState(session.state.word) }
            world.demandPasskey(session, of: account, secret: qr.advSecret)
            return nil
        }
        return try approve(session, for: account, advSecret: qr.advSecret)
    }

    /// Signs the companion of `session` and lets the server send `pair-success`.
    func approve(
        _ session: PairingSession, for account: Account, advSecret: Bytes
    ) throws -> LinkedCompanion {
        let numbers: CompanionNumbers
        do {
            numbers = try world.nextCompanionNumbers(for: account)
        } catch WorldError.tooManyCompanions {
            world.sendDowngrade(session)
            throw LinkingError.tooManyCompanions
        }
        let phone = phone(of: account)
        let time = UInt64(clamping: world.clock.seconds)
        let signatures = phone.random("signatures")
        let approval = CompanionApproval(
            approving: .init(identityPublic: session.registration.identityKey.raw, advSecret: advSecret),
            details: .init(rawID: account.advRawID, timestamp: time, keyIndex: numbers.keyIndex),
            account: account.identity, random: signatures.bytes(64))
        let list = KeyIndexList(
            rawID: account.advRawID, timestamp: time, currentIndex: numbers.keyIndex,
            validIndexes: numbers.validIndexes
        ).signed(by: account.identity, random: signatures.bytes(64))
        try world.sendPairSuccess(
            session, to: account, numbers: numbers, approval: approval, keyIndexList: (list, Int64(clamping: time)))
        return LinkedCompanion(session: session.id, deviceID: numbers.deviceID, keyIndex: numbers.keyIndex)
    }

    // MARK: Code (09-sandbox-server, section 8)

    /// Types a code into the phone of `account` and waits until the companion's bundle was opened or the session ended, at
    /// most `timeout` milliseconds of real time (then nil). The newest companion that waits for a code is meant.
    ///
    /// Throws ``LinkingError`` and ``WorldError/pairingState(_:)``. The key derivation runs beside the world's thread; its
    /// random input is drawn before, so the result does not depend on when it ends.
    package func enterCode(
        _ text: String, with account: Account, demandsPasskey: Bool = false, timeout: Int
    ) async throws -> CodeOutcome? {
        guard let code = LinkCode(typed: text) else { throw LinkingError.unreadableCode }
        guard let session = world.pairings(waitingFor: account).last, let request = session.linkCode else {
            throw LinkingError.noCodeExpected
        }
        let source = phone(of: account).random("link-code")
        let randomness = LinkCodePairing.Randomness(
            ephemeral: KeyPair.generate(random: source), salt: source.bytes(32), iv: source.bytes(16))
        let pairing: LinkCodePairing
        do {
            pairing = try await Task.detached {
                try LinkCodePairing(
                    code: code, wrappedCompanionEphemeral: request.wrappedEphemeral, randomness: randomness)
            }.value
        } catch {
            throw LinkingError.cryptography(String(describing: error))
        }
        guard session.linkCode?.ref == request.ref else { throw LinkingError.noCodeExpected }
        try world.sendPrimaryHello(
            session, wrappedEphemeral: pairing.wrappedEphemeral, identity: account.identity.publicKey)
        let earlier = codePairings[session.id]
        earlier?.outcome.give(.failed("replaced_by_another_code"))
        let outcome = CodeOutcomeBox()
        codePairings[session.id] = CodePairing(
            account: account, pairing: pairing, outcome: outcome,
            demandsPasskey: demandsPasskey || account.passkey == .required,
            unanswered: (earlier?.unanswered ?? 0) + 1)
        return await outcome.value(timeout: timeout)
    }

    package func linkCodeFinished(_ session: PairingSession, wrappedBundle: Bytes, companionIdentity: Bytes) {
        guard let entry = codePairings.removeValue(forKey: session.id) else { return }
        do {
            let secret = try entry.pairing.finish(
                wrappedBundle: wrappedBundle, companionIdentity: companionIdentity, account: entry.account.identity)
            guard companionIdentity == session.registration.identityKey.raw else {
                throw LinkCodePairing.FinishError.identityMismatch
            }
            if entry.demandsPasskey {
                world.demandPasskey(session, of: entry.account, secret: secret)
                return entry.outcome.give(.passkeyRequested(session: session.id))
            }
            entry.outcome.give(.approved(try approve(session, for: entry.account, advSecret: secret)))
        } catch LinkCodePairing.FinishError.wrongCode where entry.unanswered > 1 {
            // The answer to a code that was typed before: the one to the present code is on its way.
            codePairings[session.id] = CodePairing(
                account: entry.account, pairing: entry.pairing, outcome: entry.outcome,
                demandsPasskey: entry.demandsPasskey, unanswered: entry.unanswered - 1)
        } catch LinkCodePairing.FinishError.wrongCode {
            world.rejectCode(session)
            entry.outcome.give(.wrongCode)
        } catch {
            world.failPairing(session, reason: "identity_mismatch")
            entry.outcome.give(.failed(String(describing: error)))
        }
    }

    package func pairingEnded(_ session: PairingSession) {
        codePairings.removeValue(forKey: session.id)?.outcome.give(.failed(session.state.word))
    }
}

/// A code pairing whose `primary_hello` was sent.
struct CodePairing {
    let account: Account
    let pairing: LinkCodePairing
    let outcome: CodeOutcomeBox
    let demandsPasskey: Bool
    /// Hellos, also of codes typed before, whose bundle is still to come.
    let unanswered: Int
}

/// Holds one outcome for one waiter.
@SandboxActor
final class CodeOutcomeBox {
    private var outcome: CodeOutcome?
    private var waiter: CheckedContinuation<CodeOutcome?, Never>?

    func give(_ outcome: CodeOutcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        waiter?.resume(returning: outcome)
        waiter = nil
    }

    /// The outcome, or nil after `timeout` milliseconds of real time.
    func value(timeout: Int) async -> CodeOutcome? {
        if let outcome { return outcome }
        let expiry = SandboxActor.loop.scheduleTask(in: .milliseconds(Int64(timeout))) {
            SandboxActor.run { self.giveUp() }
        }
        defer { expiry.cancel() }
        return await withCheckedContinuation { waiter = $0 }
    }

    private func giveUp() {
        waiter?.resume(returning: nil)
        waiter = nil
    }
}
