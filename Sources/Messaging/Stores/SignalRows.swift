import Cryptography
import Signal

// Rows of the Signal tables (14-storage, section 3.3). Addresses are canonical texts `user[_domain]:device`
// (03-signal, section 12.1) and groups are JID texts: a store keeps them and does not interpret them.

/// The newest image of one session: the current state, and the archived states that changed with it.
///
/// `record == nil` is a tombstone: the row and its archived states go. A store applies an image only where the stored
/// `rev` is lower (16-performance-durability, section 1.6), so a repeated batch never puts an older image back.
package struct SessionImage: Sendable, Equatable {
    package var address: String
    /// (lease epoch << 40) + sequence of the device; only grows.
    package var rev: Int64
    package var record: [UInt8]?
    /// States newly archived by this change, or whose bytes changed.
    package var archived: [ArchivedSessionState]
    /// Base keys of archived states that are gone (promoted, trimmed beyond 40).
    package var droppedArchive: [[UInt8]]

    package init(
        address: String, rev: Int64, record: [UInt8]?, archived: [ArchivedSessionState] = [],
        droppedArchive: [[UInt8]] = []
    ) {
        self.address = address
        self.rev = rev
        self.record = record
        self.archived = archived
        self.droppedArchive = droppedArchive
    }
}

/// One archived session state, named by the initiator's base key.
package struct ArchivedSessionState: Sendable, Equatable {
    package var baseKey: [UInt8]
    package var record: [UInt8]
    /// What the store may have lost since this was written, when it was read.
    package var loss: SessionRecord.StoredLoss?

    package init(baseKey: [UInt8], record: [UInt8], loss: SessionRecord.StoredLoss? = nil) {
        self.baseKey = baseKey
        self.record = record
        self.loss = loss
    }
}

/// What a store returns for one address: the current state and the archive, newest first.
package struct StoredSession: Sendable, Equatable {
    package var rev: Int64
    package var record: [UInt8]
    package var archived: [ArchivedSessionState]
    /// What the store may have lost since the current state was written.
    package var loss: SessionRecord.StoredLoss?

    package init(
        rev: Int64, record: [UInt8], archived: [ArchivedSessionState], loss: SessionRecord.StoredLoss? = nil
    ) {
        self.rev = rev
        self.record = record
        self.archived = archived
        self.loss = loss
    }
}

/// The newest image of one sender-key record; `record == nil` deletes it.
package struct SenderKeyImage: Sendable, Equatable {
    package var group: String
    package var sender: String
    package var rev: Int64
    package var record: [UInt8]?

    package init(group: String, sender: String, rev: Int64, record: [UInt8]?) {
        self.group = group
        self.sender = sender
        self.rev = rev
        self.record = record
    }
}

package struct StoredSenderKey: Sendable, Equatable {
    package var rev: Int64
    package var record: [UInt8]
    /// What the store may have lost since it was written.
    package var loss: SessionRecord.StoredLoss?

    package init(rev: Int64, record: [UInt8], loss: SessionRecord.StoredLoss? = nil) {
        self.rev = rev
        self.record = record
        self.loss = loss
    }
}

/// "This device holds our sender key `keyID` of the group": written after the server's ack (03, section 10.3).
package struct SenderKeyMark: Sendable, Hashable {
    package var group: String
    package var address: String
    package var keyID: UInt32

    package init(group: String, address: String, keyID: UInt32) {
        self.group = group
        self.address = address
        self.keyID = keyID
    }
}

/// Removal of sender-key marks.
package enum SenderKeyMarkRemoval: Sendable, Hashable {
    /// All marks of a group: its key was rotated.
    case group(String)
    /// One device in every group: its identity changed.
    case address(String)
    /// One device in one group: it asked again.
    case device(group: String, address: String)
}

/// Trusted identity of an address: 32 bytes, or nil to forget it.
package struct IdentityRow: Sendable, Equatable {
    package var address: String
    package var identity: [UInt8]?

    package init(address: String, identity: [UInt8]?) {
        self.address = address
        self.identity = identity
    }
}

/// A one-time prekey.
package struct PreKeyRow: Sendable, Equatable {
    package var id: UInt32
    package var privateKey: SecretBytes
    /// Keys in retry receipts are born uploaded (02, section 15.1).
    package var uploaded: Bool

    package init(id: UInt32, privateKey: SecretBytes, uploaded: Bool) {
        self.id = id
        self.privateKey = privateKey
        self.uploaded = uploaded
    }
}

/// A pair learnt by this device: users without server or device (04, section 5.1). Last writer wins, for both halves.
package struct LIDPair: Sendable, Hashable {
    package var lid: String
    package var pn: String

    package init(lid: String, pn: String) {
        self.lid = lid
        self.pn = pn
    }
}

/// An app-state key received from the phone (04, section 14).
package struct AppStateKeyRow: Sendable, Equatable {
    package var keyID: [UInt8]
    package var keyData: SecretBytes
    package var fingerprint: [UInt8]
    package var timestamp: Int64

    package init(keyID: [UInt8], keyData: SecretBytes, fingerprint: [UInt8], timestamp: Int64) {
        self.keyID = keyID
        self.keyData = keyData
        self.fingerprint = fingerprint
        self.timestamp = timestamp
    }
}
