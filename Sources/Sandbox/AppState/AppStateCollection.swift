import Cryptography
import OrderedCollections
import WhatsAppProtobuf

/// One collection of one account as the server keeps it: the patches in order and the live records, all encrypted
/// (06, sections 1 and 22).
struct AppStateCollection: Sendable {
    static let names = ["critical_block", "critical_unblock_low", "regular_high", "regular", "regular_low"]

    /// Versions 1…N as sent to clients.
    private(set) var patches: [SyncdPatch] = []
    /// Index MAC → the last SET, in order of it.
    private(set) var live: OrderedDictionary<Bytes, SyncdMutation> = [:]
    /// The reference of the snapshot made last, and its version.
    var snapshot: (version: Int, reference: Bytes)?

    /// N; 0 is the empty collection.
    var version: Int { patches.count }

    /// Appends `patch` as the next version. `mutations`: its own, or those of its file.
    mutating func append(_ patch: SyncdPatch, mutations: [SyncdMutation]) -> SyncdPatch {
        let numbered = patch.numbered(UInt64(version + 1))
        patches.append(numbered)
        for mutation in mutations {
            live[mutation.indexMAC] = nil
            if mutation.operation == .set { live[mutation.indexMAC] = mutation }
        }
        return numbered
    }

    /// Patches after `version`, at most `limit`; `nil` for a version that does not exist.
    func patches(after version: Int, limit: Int) -> (patches: ArraySlice<SyncdPatch>, hasMore: Bool)? {
        guard (0...patches.count).contains(version) else { return nil }
        let rest = patches[version...]
        return (rest.prefix(max(1, limit)), rest.count > max(1, limit))
    }

    /// The serialized `SyncdSnapshot` of the newest version; `nil` while the collection is empty.
    var snapshotBytes: Bytes? {
        guard let last = patches.last else { return nil }
        var writer = ProtoWriter()
        writer.message(1) { $0.varint(1, UInt64(patches.count)) }
        for mutation in live.values { writer.message(2, mutation.record) }
        writer.bytes(3, last.snapshotMAC)
        writer.message(4) { $0.bytes(1, last.keyID) }
        return writer.bytes
    }

    /// Spoils the newest patch for tests: the snapshot MAC, the patch MAC, or the first value.
    mutating func corrupt(_ part: AppStateDamage) {
        guard var patch = patches.popLast() else { return }
        func flipped(_ bytes: Bytes) -> Bytes { bytes.isEmpty ? bytes : [bytes[0] ^ 1] + bytes.dropFirst() }
        var mutations = patch.mutations
        var (snapshotMAC, patchMAC, keyID) = (patch.snapshotMAC, patch.patchMAC, patch.keyID)
        switch part {
        case .lthash: snapshotMAC = flipped(snapshotMAC)
        case .patchMAC: patchMAC = flipped(patchMAC)
        case .missingKey: keyID = flipped(keyID)
        case .valueMAC:
            if let first = mutations.first {
                let value = Bytes(first.value.dropLast()) + [(first.value.last ?? 0) ^ 1]
                mutations[0] = SyncdMutation(
                    operation: first.operation, indexMAC: first.indexMAC, value: value, keyID: first.keyID)
                if live[first.indexMAC] != nil { live[first.indexMAC] = mutations[0] }
            }
        }
        patch = SyncdPatch(mutations: mutations, snapshotMAC: snapshotMAC, patchMAC: patchMAC, keyID: keyID)
        patches.append(patch.numbered(UInt64(patches.count + 1)))
        snapshot = nil
    }
}

/// What `POST /accounts/{a}/appstate/corrupt` can spoil.
enum AppStateDamage: String, Sendable, CaseIterable {
    case lthash
    case patchMAC = "patch_mac"
    case valueMAC = "value_mac"
    case missingKey = "missing_key"
}
