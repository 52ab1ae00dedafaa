import Cryptography
import Transport

/// Requests about app state collections (06-app-state-history, sections 7.1, 9).
package enum AppStateStanzas {
    /// Fetches what is newer than `version`; nil asks for a snapshot.
    package static func fetch(id: String, name: String, version: UInt64?) -> Stanza {
        sync(
            id: id,
            Stanza(
                "collection",
                [
                    "name": .text(name), "return_snapshot": .bool(version == nil),
                    "version": version.map { .int($0) },
                ]))
    }

    /// Sends a patch that follows `version`.
    package static func send(id: String, name: String, version: UInt64, patch: Bytes) -> Stanza {
        sync(
            id: id,
            Stanza(
                "collection", ["name": .text(name), "version": .int(version), "return_snapshot": false],
                children: [Stanza("patch", bytes: patch)]))
    }

    private static func sync(id: String, _ collection: Stanza) -> Stanza {
        Stanza(
            "iq", ["id": .text(id), "xmlns": "w:sync:app:state", "type": "set", "to": .jid(.serverJID)],
            children: [Stanza("sync", children: [collection])])
    }
}
