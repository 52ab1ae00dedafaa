import Transport

/// Decides, at fixed points of the server, what goes wrong (09, section 23). Implemented by the fault engine; a world
/// without one behaves faultlessly.
@SandboxActor
package protocol FaultInjector: AnyObject, Sendable {
    /// The actions of the rules that fire here, in creation order. Each call counts as one match of each rule asked.
    func fire(at point: FaultPoint) -> [FaultAction]
}

/// One occasion for a fault.
package struct FaultPoint: Sendable {
    package enum Stage: String, Sendable {
        /// A stanza arrived and was parsed, nothing was done yet.
        case inbound
        /// A stanza is about to be written.
        case outbound
        /// The Noise handshake is about to be answered.
        case handshake
        /// A login payload was accepted by all other checks.
        case login
        /// Key bundles, device lists and LIDs are put together for an answer.
        case prekeyFetch, usync
        /// A request to the media server is about to be answered.
        case upload, download
    }

    package let stage: Stage
    package let connection: Int?
    package let account: String?
    package let device: Int?
    package let stanza: Stanza?
}

/// What goes wrong. The server knows how to do each of these wherever it makes sense; elsewhere it is ignored.
package enum FaultAction: Sendable, Equatable {
    case drop
    case dropAnswer
    case delay(milliseconds: Int)
    case stall(milliseconds: Int)
    case duplicate(times: Int, gap: Int)
    case reorder(window: Int)
    case iqError(code: Int, text: String)
    case ackError(code: Int)
    case ackPhash(String)
    case end(with: Stanza, abrupt: Bool)
    case close(code: Int)
    case reset
    case corruptEnc
    case corruptFrame
    case corruptNode
    case truncate
    case oversize
    case badFlag
    case splitMessage(parts: Int)
    case replace(Stanza)
    case unavailable(type: String?)
    case noPrekeys
    case staleDevices
    case missingLID
    /// `notify`: the asking device is told of an identity change too.
    case wrongIdentity(account: String, notify: Bool)
    case badCertificate(CertificateFault)
    case clockSkew(seconds: Int)
    /// Every stanza of the direction comes this much later, order kept.
    case latency(milliseconds: Int, jitter: Int)
    /// The direction passes at most this many bytes a second.
    case throttle(bytesPerSecond: Int)
    /// At login: so many stanzas come into the queue first. `from`: texts of this account's phone instead of notices.
    case offlineFlood(count: Int, from: String?)
    case httpStatus(code: Int, retryAfter: Int?)
    /// The body ends early, before its announced length.
    case httpTruncate
    /// One byte of the body is turned over.
    case httpCorrupt
    case httpSlow(bytesPerSecond: Int)

    package enum CertificateFault: String, Sendable {
        case expired
        case notYet = "not_yet"
        case wrongRoot = "wrong_root"
        case wrongLeaf = "wrong_leaf"
        case serial
        case noSignature = "no_signature"
    }
    var notifiesOfIdentity: Bool {
        if case .wrongIdentity(_, notify: true) = self { true } else { false }
    }
}
