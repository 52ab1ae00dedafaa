/// A `<stream:error>`: the server ends the connection and says why (01-transport, section 20).
package enum StreamFault: Sendable, Equatable {
    /// 515: connect again at once; after pairing, and at any time.
    case restartRequired
    /// `<conflict type="device_removed"/>`, with code 401: unlinked by the phone or the server.
    case deviceRemoved
    /// `<conflict type="replaced"/>`: the same device connected elsewhere.
    case replaced
    /// 516: forced logout.
    case forcedLogout
    /// 503: the server shuts down.
    case shuttingDown
    /// 429: too many connects.
    case tooManyConnects
    /// `<ack/>`: the server never got an ack for this stanza.
    case missingAck(id: String?, class: String?)
    /// `<xml-not-well-formed/>`: we sent something malformed.
    case notWellFormed
    /// Anything else: its code, and the tag of its first child.
    case other(code: Int?, element: String?)

    /// Reads a `<stream:error>` stanza.
    package init(_ stanza: Stanza) {
        let code = stanza.int("code")
        switch (code, stanza.child("conflict")?.type) {
        case (_, "replaced"): self = .replaced
        case (_, "device_removed"): self = .deviceRemoved
        case (515, _): self = .restartRequired
        case (516, _): self = .forcedLogout
        case (503, _): self = .shuttingDown
        case (429, _): self = .tooManyConnects
        default:
            if let ack = stanza.child("ack") {
                self = .missingAck(id: ack.id, class: ack["class"])
            } else if stanza.child("xml-not-well-formed") != nil {
                self = .notWellFormed
            } else {
                self = .other(code: code, element: stanza.firstChild?.tag)
            }
        }
    }
}
