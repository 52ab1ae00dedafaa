import Cryptography
import OrderedCollections
import WhatsAppProtobuf

/// One collection as a phone holds it: everything decrypted, with the hash that its patches must match (06, section 6).
struct PhoneCollection: Sendable {
    struct Record: Sendable, Equatable {
        let action: SyncAction
        let valueMAC: Bytes
        let keyID: Bytes
    }

    private(set) var version: UInt64 = 0
    private(set) var hash = LTHash()
    /// By index MAC, in order of the last SET.
    private(set) var records: OrderedDictionary<Bytes, Record> = [:]

    enum Failure: Error, Equatable {
        case unknownKey
        case snapshotMAC
        case patchMAC
        case record(String)
    }

    /// The hash after `mutations`: every previous value of a set or removed index goes, every set value comes.
    private func hash(after mutations: [SyncdMutation]) -> LTHash {
        var hash = hash
        for (position, mutation) in mutations.enumerated() {
            if mutation.operation == .set { hash.add(mutation.valueMAC) }
            let earlier = mutations[..<position].last { $0.indexMAC == mutation.indexMAC }
            let previous: Bytes?
            if let earlier {
                previous = earlier.operation == .set ? earlier.valueMAC : nil
            } else {
                previous = records[mutation.indexMAC]?.valueMAC
            }
            if let previous { hash.subtract(previous) }
        }
        return hash
    }

    /// A patch with the next version of this collection, sealed with `keys`.
    func patch(_ mutations: [SyncdMutation], name: String, keys: MutationKeys) -> SyncdPatch {
        let next = version + 1
        let snapshotMAC = keys.snapshotMAC(hash(after: mutations), version: next, collection: name)
        return SyncdPatch(
            mutations: mutations, snapshotMAC: snapshotMAC,
            patchMAC: keys.patchMAC(
                snapshotMAC: snapshotMAC, valueMACs: mutations.map(\.valueMAC), version: next, collection: name),
            keyID: keys.keyID)
    }

    /// Takes a patch in and returns what it did. With `verifies`, MACs are checked and nothing changes on a failure.
    mutating func apply(
        _ patch: SyncdPatch, mutations: [SyncdMutation], name: String, verifies: Bool,
        keys: (Bytes) -> MutationKeys?
    ) throws -> [(operation: SyncdMutation.Operation, action: SyncAction)] {
        let next = version + 1
        let newHash = hash(after: mutations)
        guard let patchKeys = keys(patch.keyID) else { throw Failure.unknownKey }
        if verifies {
            guard patchKeys.snapshotMAC(newHash, version: next, collection: name) == patch.snapshotMAC else {
                throw Failure.snapshotMAC
            }
            guard
                patchKeys.patchMAC(
                    snapshotMAC: patch.snapshotMAC, valueMACs: mutations.map(\.valueMAC), version: next,
                    collection: name) == patch.patchMAC
            else { throw Failure.patchMAC }
        }
        var changes: [(operation: SyncdMutation.Operation, action: SyncAction)] = []
        for mutation in mutations {
            guard let recordKeys = keys(mutation.keyID) else { throw Failure.unknownKey }
            do {
                changes.append((mutation.operation, try recordKeys.open(mutation)))
            } catch {
                throw Failure.record("\(error)")
            }
        }
        for (mutation, change) in zip(mutations, changes) {
            records[mutation.indexMAC] = nil
            guard mutation.operation == .set else { continue }
            records[mutation.indexMAC] = Record(
                action: change.action, valueMAC: mutation.valueMAC, keyID: mutation.keyID)
        }
        version = next
        hash = newHash
        return changes
    }

    /// The serialized `SyncdSnapshotRecovery`.
    func recovery(name: String) -> Bytes {
        var writer = ProtoWriter()
        writer.message(1) { $0.varint(1, version) }
        writer.string(2, name)
        for record in records.values {
            writer.message(3) { node in
                node.message(1, record.action.serialized)
                node.bytes(2, record.keyID)
                node.bytes(3, record.valueMAC)
            }
        }
        writer.bytes(4, hash.bytes)
        return writer.bytes
    }
}
