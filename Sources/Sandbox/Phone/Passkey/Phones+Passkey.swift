import Cryptography
import OrderedCollections
import Transport

/// How confirming a passkey code ended.
package enum PasskeyOutcome: Sendable, Equatable {
    case confirmed
    case wrongCode
}

/// The phone's part of pairing by passkey (09, section 9).
extension Phones {
    /// The person at the phone says that both show the same code. Throws ``LinkingError/noCodeExpected`` while no companion of
    /// `account` shows one.
    package func confirmPasskey(_ code: String?, with account: Account) throws -> (
        outcome: PasskeyOutcome, session: PairingSession
    ) {
        guard
            let session = world.pairingSessions.last(where: {
                $0.state == .passkeyCode && $0.passkey?.account === account
            }), let shown = session.passkey?.code
        else { throw LinkingError.noCodeExpected }
        if let code, LinkCode(typed: code) != LinkCode(typed: shown) { return (.wrongCode, session) }
        session.passkey?.isConfirmed = true
        passkeyAnswered(session)
        return (.confirmed, session)
    }

    /// Opens the companion's request once it is there and the person, or the proof, has vouched for it.
    package func passkeyAnswered(_ session: PairingSession) {
        guard let exchange = session.passkey, let request = exchange.waitingRequest,
            exchange.isConfirmed || exchange.isProven, !session.state.isOver
        else { return }
        session.passkey?.waitingRequest = nil
        do {
            let secret = try exchange.openRequest(
                request, noiseKey: session.noiseKey.raw, identityKey: session.registration.identityKey.raw)
            _ = try approve(session, for: exchange.account, advSecret: secret)
        } catch {
            world.violation("passkey", "\(error)", connection: session.connection)
            world.failPairing(session, reason: "passkey_refused")
        }
    }
}
