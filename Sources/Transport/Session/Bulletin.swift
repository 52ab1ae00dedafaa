/// An `<ib>`: news about the connection, with exactly one child (01-transport, section 22).
package enum Bulletin: Sendable, Equatable {
    /// What waits in the offline queue.
    case offlinePreview(OfflinePreview)
    /// The offline queue is drained; `count` stanzas came.
    case offlineComplete(count: Int)
    /// The client's cached data of a kind is stale.
    case dirty(type: String, timestamp: Int64?)
    /// Bytes to send at the next connect, see ``Intro``.
    case edgeRouting([UInt8])
    /// The phone that scanned the code has no multi-device.
    case phoneWithoutMultiDevice
    /// This client version stops working at a time (Unix seconds): look for a newer one.
    case clientExpiration(at: Int64?)
    /// Anything else, by its tag; ignored.
    case other(String)

    package struct OfflinePreview: Sendable, Equatable {
        /// Stanzas of all kinds.
        package var count = 0
        package var messages = 0
        package var receipts = 0
        package var notifications = 0
        package var calls = 0
        package var appData = 0

        package init(
            count: Int = 0, messages: Int = 0, receipts: Int = 0, notifications: Int = 0, calls: Int = 0,
            appData: Int = 0
        ) {
            self.count = count
            self.messages = messages
            self.receipts = receipts
            self.notifications = notifications
            self.calls = calls
            self.appData = appData
        }
    }

    /// Nil when the stanza is no `<ib>` or has no child.
    package init?(_ stanza: Stanza) {
        guard stanza.tag == "ib", let child = stanza.firstChild else { return nil }
        switch child.tag {
        case "offline_preview":
            self = .offlinePreview(
                OfflinePreview(
                    count: child.int("count") ?? 0, messages: child.int("message") ?? 0,
                    receipts: child.int("receipt") ?? 0, notifications: child.int("notification") ?? 0,
                    calls: child.int("call") ?? 0, appData: child.int("appdata") ?? 0))
        case "offline": self = .offlineComplete(count: child.int("count") ?? 0)
        case "dirty":
            guard let type = child.type else { return nil }
            self = .dirty(type: type, timestamp: child.int("timestamp").map(Int64.init))
        case "edge_routing":
            guard let info = child.child("routing_info")?.bytesContent else { return nil }
            self = .edgeRouting(info)
        case "downgrade_webclient": self = .phoneWithoutMultiDevice
        case "client_expiration": self = .clientExpiration(at: child.int("t").map(Int64.init))
        case let tag: self = .other(tag)
        }
    }
}
