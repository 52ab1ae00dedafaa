import Cryptography
import WhatsAppProtobuf

/// The names of the collections (06-app-state-history, section 2).
package enum AppStateCollectionName: String, Sendable, CaseIterable {
    // In the order they are fetched.
    case criticalBlock = "critical_block"
    case criticalUnblockLow = "critical_unblock_low"
    case regularHigh = "regular_high"
    case regular = "regular"
    case regularLow = "regular_low"
}

/// A collection as far as it is known: enough to verify what comes next, not the content itself.
package struct AppStateCollection: Sendable, Equatable {
    package let name: String
    package private(set) var version: UInt64
    package private(set) var hash: LTHash

    /// An unsynced collection.
    package init(name: String) { self.init(name: name, version: 0, hash: LTHash()) }

    /// A stored one.
    package init(name: String, version: UInt64, hash: LTHash) {
        self.name = name
        self.version = version
        self.hash = hash
    }

    /// What to store after a patch or snapshot, and what it said.
    package struct Change: Sendable, Equatable {
        package var collection: AppStateCollection
        /// Value MACs by index MAC to store; the last SET of an index wins.
        package var set: [Bytes: Bytes]
        /// Index MACs to forget.
        package var removed: Set<Bytes>
        /// In order; for a snapshot all of them are SETs.
        package var mutations: [AppStateMutation]
    }

    /// Verifies and decrypts a patch; the collection itself does not change, the result holds the next one.
    ///
    /// - Parameters:
    ///   - valueMACs: the stored value MACs, at least those of the patch's index MACs.
    ///   - keys: the expanded keys by key id, at least those the patch names.
    /// - Throws: `AppStateError`.
    package func applying(
        _ patch: AppStatePatch, valueMACs: [Bytes: Bytes], keys: [Bytes: AppStateKeys]
    ) throws(AppStateError) -> Change {
        let version = patch.version ?? self.version + 1
        guard version == self.version + 1 else { throw .versionGap(expected: self.version + 1, actual: version) }
        guard let patchKeys = keys[patch.keyID] else { throw .missingKeys([patch.keyID]) }
        var next = self
        next.version = version
        next.hash.apply(patch.records, valueMACs: valueMACs)
        guard constantTimeEquals(next.snapshotMAC(patchKeys), patch.snapshotMAC) else { throw .stateMismatch }
        guard constantTimeEquals(next.patchMAC(patch.records, patch.snapshotMAC, patchKeys), patch.patchMAC) else {
            throw .patchMACMismatch
        }
        return try next.change(patch.records, keys: keys)
    }

    /// Verifies and decrypts a snapshot, which replaces everything known of the collection.
    package func applying(
        _ snapshot: AppStateSnapshot, keys: [Bytes: AppStateKeys]
    ) throws(AppStateError) -> Change {
        guard let snapshotKeys = keys[snapshot.keyID] else { throw .missingKeys([snapshot.keyID]) }
        var next = AppStateCollection(name: name, version: snapshot.version, hash: LTHash())
        for record in snapshot.records { next.hash.add(record.valueMAC) }
        guard constantTimeEquals(next.snapshotMAC(snapshotKeys), snapshot.mac) else { throw .stateMismatch }
        return try next.change(snapshot.records, keys: keys)
    }

    /// Builds the patch that carries `mutations`, to be sent without a version (06-app-state-history, section 9).
    package func patch(
        _ mutations: [AppStateMutation], valueMACs: [Bytes: Bytes], keyID: Bytes, keys: AppStateKeys,
        ivs: [Bytes]
    ) throws -> AppStatePatch {
        precondition(mutations.count == ivs.count, "one iv of 16 bytes per mutation")
        let records = try zip(mutations, ivs).map {
            try AppStateRecord(encrypting: $0, keyID: keyID, keys: keys, iv: $1)
        }
        var next = self
        next.version += 1
        next.hash.apply(records, valueMACs: valueMACs)
        let snapshotMAC = next.snapshotMAC(keys)
        return AppStatePatch(
            version: nil, records: records, snapshotMAC: snapshotMAC,
            patchMAC: next.patchMAC(records, snapshotMAC, keys), keyID: keyID)
    }

    private func change(
        _ records: [AppStateRecord], keys: [Bytes: AppStateKeys]
    ) throws(AppStateError) -> Change {
        let missing = Set(records.map(\.keyID)).filter { keys[$0] == nil }
        guard missing.isEmpty else { throw .missingKeys(missing.sorted { $0.lexicographicallyPrecedes($1) }) }
        var change = Change(collection: self, set: [:], removed: [], mutations: [])
        for record in records {
            guard let recordKeys = keys[record.keyID] else { throw .missingKeys([record.keyID]) }
            change.mutations.append(try record.decrypt(recordKeys))
            switch record.operation {
            case .set:
                change.set[record.indexMAC] = record.valueMAC
                change.removed.remove(record.indexMAC)
            case .remove:
                change.set[record.indexMAC] = nil
                change.removed.insert(record.indexMAC)
            }
        }
        return change
    }

    /// HMAC-SHA256(key, hash ‖ version, 8 bytes big-endian ‖ name).
    func snapshotMAC(_ keys: AppStateKeys) -> Bytes {
        HMACSHA256.authenticate(hash.bytes + bigEndian(version) + Bytes(name.utf8), key: keys.snapshotMAC)
    }

    /// HMAC-SHA256(key, snapshot MAC ‖ value MACs in order ‖ version, 8 bytes big-endian ‖ name).
    private func patchMAC(_ records: [AppStateRecord], _ snapshotMAC: Bytes, _ keys: AppStateKeys) -> Bytes {
        let input = snapshotMAC + records.flatMap(\.valueMAC) + bigEndian(version) + Bytes(name.utf8)
        return HMACSHA256.authenticate(input, key: keys.patchMAC)
    }
}

extension LTHash {
    /// Adds what the records set and subtracts what they replace: the nearest earlier record of the same index in the same
    /// patch, else the stored value.
    mutating func apply(_ records: [AppStateRecord], valueMACs: [Bytes: Bytes]) {
        var current = valueMACs
        for record in records {
            if let previous = current[record.indexMAC] { subtract(previous) }
            switch record.operation {
            case .set:
                add(record.valueMAC)
                current[record.indexMAC] = record.valueMAC
            case .remove:
                current[record.indexMAC] = nil
            }
        }
    }
}
