// The device's own row and its caches (14-storage, sections 3.2, 3.3 and 3.6).

/// Stored status of a device (10-rest-api, section 6).
package enum DeviceStatus: String, Sendable {
    case pending, active, disconnected
    case loggedOut = "logged_out"
}

/// What the cluster should do with a device. `held`: the server ended it in a way that waits (replaced, banned, outdated).
package enum DeviceWish: String, Sendable {
    case run, held, stopped
}

/// Live state in the lease row, for the status endpoints of other nodes.
package enum LiveState: String, Sendable {
    case none, loading, connecting, connected
    case loggedIn = "logged_in"
}

/// A change of the device row; only the fields that are set change.
package struct DeviceRowUpdate: Sendable, Equatable {
    package var status: DeviceStatus?
    package var wish: DeviceWish?
    /// Word of how it ended (``SessionEnd/word``), also for a device that was logged out; `.some(nil)` clears it together
    /// with `endCode` and `endText`.
    package var heldReason: String??
    package var heldUntil: Timestamp??
    /// The number that WhatsApp gave with the end, and its text or the version it refused. Count where `heldReason` is set.
    package var endCode: Int?
    package var endText: String?
    package var jid: String?
    package var lid: String?
    package var pushName: String?
    package var platform: String?
    package var businessName: String?
    package var lastActiveAt: Timestamp?
    package var liveState: LiveState?
    package var liveError: String?

    package init() {}

    package var isEmpty: Bool { self == DeviceRowUpdate() }

    /// This update followed by `later`, as one.
    package func merging(_ later: DeviceRowUpdate) -> DeviceRowUpdate {
        var merged = self
        if let value = later.status { merged.status = value }
        if let value = later.wish { merged.wish = value }
        if let value = later.heldReason {
            merged.heldReason = .some(value)
            (merged.endCode, merged.endText) = (later.endCode, later.endText)
        }
        if let value = later.heldUntil { merged.heldUntil = .some(value) }
        if let value = later.jid { merged.jid = value }
        if let value = later.lid { merged.lid = value }
        if let value = later.pushName { merged.pushName = value }
        if let value = later.platform { merged.platform = value }
        if let value = later.businessName { merged.businessName = value }
        if let value = later.lastActiveAt { merged.lastActiveAt = value }
        if let value = later.liveState { merged.liveState = value }
        if let value = later.liveError { merged.liveError = value }
        return merged
    }
}

/// A change of `wa_credentials`.
package enum CredentialsChange: Sendable, Equatable {
    /// The whole row, inserted or replaced.
    case store(DeviceCredentials)
    /// Pairing succeeded: as `store`; when another number was paired before, contacts, chats and messages go
    /// (14-storage, section 4.1).
    case paired(DeviceCredentials)
    /// Logged out: credentials and every Signal and session table of the device (02, section 18.3). The device row,
    /// chats, messages and webhooks stay.
    case erase
}

/// The devices of one user, as the server listed them (02, section 17.1).
package struct UserDeviceList: Sendable, Equatable {
    /// Bare JID as asked (`…@s.whatsapp.net` or `…@lid`).
    package var user: String
    package var devices: [UInt16]
    /// Those of `devices` that live on a hosted server.
    package var hosted: [UInt16]
    /// `2:` + 8 characters, when known.
    package var hash: String?
    package var rawID: UInt32?
    package var keyIndex: UInt32?
    package var timestamp: Int64?
    package var fetchedAt: Timestamp

    package init(
        user: String, devices: [UInt16], hosted: [UInt16] = [], hash: String? = nil, rawID: UInt32? = nil,
        keyIndex: UInt32? = nil, timestamp: Int64? = nil, fetchedAt: Timestamp
    ) {
        self.user = user
        self.devices = devices
        self.hosted = hosted
        self.hash = hash
        self.rawID = rawID
        self.keyIndex = keyIndex
        self.timestamp = timestamp
        self.fetchedAt = fetchedAt
    }
}

/// Trusted-contact token of a user: theirs to us, and when we last issued ours (04, section 10.1).
package struct PrivacyTokenRow: Sendable, Equatable {
    package var user: String
    /// Empty while only ours was issued.
    package var token: [UInt8]
    /// Unix seconds. The newest wins.
    package var timestamp: Int64
    package var senderTimestamp: Int64?

    package init(user: String, token: [UInt8], timestamp: Int64, senderTimestamp: Int64? = nil) {
        self.user = user
        self.token = token
        self.timestamp = timestamp
        self.senderTimestamp = senderTimestamp
    }
}

/// Cached metadata of a group; `info == nil` forgets it.
package struct GroupCacheRow: Sendable, Equatable {
    package var group: String
    /// JSON object of `GroupInfo`.
    package var info: [UInt8]?
    package var fetchedAt: Timestamp

    package init(group: String, info: [UInt8]?, fetchedAt: Timestamp) {
        self.group = group
        self.info = info
        self.fetchedAt = fetchedAt
    }
}

/// Work that a received stanza asks for and that outlives the connection: kept in the commit that precedes the receipt
/// (04, section 14; 16, section 2.1).
package struct JobRow: Sendable, Equatable {
    package enum Kind: String, Sendable { case historySync = "history_sync", appStateSync = "app_state_sync" }

    package var kind: Kind
    /// Unique with `kind`; a repeated insert changes nothing.
    package var key: String
    /// Serialized protobuf of the request.
    package var payload: [UInt8]
    package var createdAt: Timestamp

    package init(kind: Kind, key: String, payload: [UInt8], createdAt: Timestamp) {
        self.kind = kind
        self.key = key
        self.payload = payload
        self.createdAt = createdAt
    }
}
