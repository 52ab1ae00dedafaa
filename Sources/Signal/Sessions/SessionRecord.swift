import Cryptography

/// Everything kept about one remote device: the current session and the archived ones.
///
/// A value: operations work on it in place and leave it unchanged when they throw. What must be stored, and when, is told
/// by `imageForStorage` and the ciphertext's `cover` (16-performance-durability, section 1).
package struct SessionRecord: Sendable {
    /// The session that sends. Nil before the first, and after `archiveCurrent`.
    package internal(set) var current: SessionState?
    /// Sessions that still decrypt, newest first, at most `SignalLimits.archivedStates`.
    package internal(set) var archived: [SessionState] = []
    /// What the archive's rows lack.
    var archiveChanges = ArchiveChanges()

    /// A record of a device that nothing is known of.
    package init() {}

    /// Whether a message can be encrypted. Callers ask this, not whether a row exists.
    package var hasCurrent: Bool { current.map { !$0.sender.chain.isSpent } ?? false }

    /// Whether anything can be decrypted or encrypted with it.
    package var isEmpty: Bool { current == nil && archived.isEmpty }

    /// Whether the session of this base key is here, so that a pkmsg of it needs no prekeys.
    package func knows(baseKey: PublicKey) -> Bool {
        current?.baseKey == baseKey || archived.contains { $0.baseKey == baseKey }
    }

    /// The remote device's registration id and identity, as of the current session.
    package var remoteRegistrationID: UInt32? { current?.remoteRegistrationID }
    package var remoteIdentity: PublicKey? { current?.remoteIdentity }
    /// The initiator's base key of the current session.
    package var baseKey: PublicKey? { current?.baseKey }

    /// Takes the current session out of service: it still decrypts, and sends no more.
    package mutating func archiveCurrent() {
        guard var state = current else { return }
        current = nil
        state.sender.chain.retire()
        archived.insert(state, at: 0)
        archiveChanges.stored(state.baseKey)
        trimArchive()
    }

    /// Makes `state` current; the session that was is archived.
    mutating func replaceCurrent(with state: SessionState) {
        archiveCurrent()
        current = state
    }

    /// Puts an archived session back in service with the state it has reached.
    mutating func promote(archivedAt index: Int, as state: SessionState) {
        let previous = archived.remove(at: index)
        archiveChanges.removed(previous.baseKey)
        replaceCurrent(with: state)
    }

    /// Appends another record's sessions behind this one's, as when a phone number's record meets its LID's
    /// (03-signal, section 12.3).
    package mutating func absorb(_ other: SessionRecord) {
        var other = other
        other.archiveCurrent()
        for state in other.archived where !knows(baseKey: state.baseKey) {
            archived.append(state)
            archiveChanges.stored(state.baseKey)
        }
        trimArchive()
    }

    /// Forgets that any part was stored, as when the record moves to another address: the next image carries everything.
    package mutating func forgetStorage() {
        forgetDurability()
        for state in archived { archiveChanges.stored(state.baseKey) }
    }

    private mutating func trimArchive() {
        while archived.count > SignalLimits.archivedStates {
            archiveChanges.removed(archived.removeLast().baseKey)
        }
    }
}

/// The archived states whose rows differ from what storage is known to hold.
struct ArchiveChanges: Sendable {
    private(set) var entries: [(baseKey: PublicKey, stored: Bool, sequence: UInt64)] = []
    private(set) var sequence: UInt64 = 0

    mutating func stored(_ baseKey: PublicKey) { note(baseKey, stored: true) }
    mutating func removed(_ baseKey: PublicKey) { note(baseKey, stored: false) }

    /// Forgets the changes that an image of `sequence` carried, once it is durable.
    mutating func committed(_ sequence: UInt64) { entries.removeAll { $0.sequence <= sequence } }

    private mutating func note(_ baseKey: PublicKey, stored: Bool) {
        sequence += 1
        entries.removeAll { $0.baseKey == baseKey }
        entries.append((baseKey, stored, sequence))
    }
}
