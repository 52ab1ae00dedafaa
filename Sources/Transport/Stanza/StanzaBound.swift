/// Measures a stanza before it is written: checks its limits and gives an upper bound of its encoded size, so that the
/// writer needs one allocation and no checks.
enum StanzaBound {
    /// Bytes that open a list, a raw string or data, at most.
    private static let header = 5
    /// Bytes of an address besides its strings: form byte, device, integrator.
    private static let addressHeader = 5

    /// Upper bound of the encoded size of `stanza`, without flag byte.
    ///
    /// - Throws: ``StanzaError/emptyElement`` for an empty tag or key, ``StanzaError/limitExceeded(_:)``.
    static func bytes(of stanza: Stanza, depth: Int = 1) throws(StanzaError) -> Int {
        guard depth <= StanzaLimits.depth else { throw .limitExceeded(.depth) }
        guard !stanza.tag.isEmpty else { throw .emptyElement }
        let entries = stanza.attributes.entries
        guard entries.count < StanzaLimits.listSize / 2 else { throw .limitExceeded(.listSize) }
        var total = header + header + stanza.tag.utf8.count
        for index in entries.indices {
            guard !entries[index].key.isEmpty else { throw .emptyElement }
            total += header + entries[index].key.utf8.count
            switch entries[index].value {
            case .text(let text): total += header + text.utf8.count
            case .jid(let jid): total += try bytes(of: jid)
            }
        }
        switch stanza.content {
        case .none: break
        case .bytes(let bytes): total += header + bytes.count
        case .text(let text): total += header + text.utf8.count
        case .jid(let jid): total += try bytes(of: jid)
        case .children(let children):
            guard children.count <= StanzaLimits.listSize else { throw .limitExceeded(.listSize) }
            total += header
            for index in children.indices {
                total += try bytes(of: children[index], depth: depth + 1)
            }
        }
        return total
    }

    private static func bytes(of jid: JID) throws(StanzaError) -> Int {
        switch jid.server {
        case .user, .lid, .hosted, .hostedLID:
            guard jid.device <= 255 else { throw .limitExceeded(.device) }
            return addressHeader + header + jid.user.utf8.count
        case .other(let name):
            guard !name.isEmpty else { throw .invalidJID }
            return addressHeader + 2 * header + jid.user.utf8.count + name.utf8.count
        default:
            return addressHeader + 2 * header + jid.user.utf8.count + 16
        }
    }
}
