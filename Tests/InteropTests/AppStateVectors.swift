import Cryptography
import Testing
import WhatsAppProtobuf

@testable import Messaging

@Suite("App state against the reference's vectors")
struct AppStateVectors {
    @Test("every key expansion, LTHash, patch, snapshot and rejection of app-state.json")
    func vectors() throws {
        try VectorFile("app-state").run { vector in
            switch vector.name {
            case "key expansion": try expansion(AppStateKeys(keyData: vector.hex("key_data")), vector)
            case "lthash": try hash(vector)
            default: try collection(vector)
            }
        }
    }

    private func expansion(_ keys: AppStateKeys, _ vector: VectorCase) throws {
        #expect(try keys.index.bytes == vector.hex("index_key"))
        #expect(try keys.valueEncryption.bytes == vector.hex("value_encryption_key"))
        #expect(try keys.valueMAC.bytes == vector.hex("value_mac_key"))
        #expect(try keys.snapshotMAC.bytes == vector.hex("snapshot_mac_key"))
        #expect(try keys.patchMAC.bytes == vector.hex("patch_mac_key"))
    }

    private func hash(_ vector: VectorCase) throws {
        var hash = try #require(LTHash(vector.hex("base")))
        for mac in try vector.hexes("subtract") { hash.subtract(mac) }
        for mac in try vector.hexes("add") { hash.add(mac) }
        #expect(try hash.bytes == vector.hex("result"))
    }

    /// A collection as a store holds it.
    private struct Stored {
        var collection: AppStateCollection
        var valueMACs: [Bytes: Bytes] = [:]

        mutating func store(_ change: AppStateCollection.Change, replacing: Bool = false) {
            collection = change.collection
            if replacing { valueMACs = [:] }
            valueMACs.merge(change.set) { $1 }
            for index in change.removed { valueMACs[index] = nil }
        }
    }

    private func collection(_ vector: VectorCase) throws {
        let keyID = try vector.hex("key_id")
        let key = AppStateKeys(keyData: try vector.hex("key_data"))
        try expansion(key, vector.object("expanded"))
        var stored: Stored?
        for step in try vector.objects("steps") {
            let name = try step.string("collection")
            var state = stored ?? Stored(collection: AppStateCollection(name: name))
            #expect(name == state.collection.name)
            switch try step.string("op") {
            case "encode", "remove": try patch(step, &state, keyID, key)
            case "snapshot": try snapshot(step, &state, [keyID: key])
            case "reject": try rejection(step, state, [keyID: key])
            default: throw step.unknown(try step.string("op"))
            }
            stored = state
        }
    }

    private func patch(_ step: VectorCase, _ state: inout Stored, _ keyID: Bytes, _ key: AppStateKeys) throws {
        #expect(try state.collection.version == UInt64(step.int("version_before")))
        #expect(try state.collection.hash.bytes == step.hex("lthash_before"))
        let expected = try step.objects("mutations")
        let mutations = try expected.map(mutation)

        let built = try state.collection.patch(
            mutations, valueMACs: state.valueMACs, keyID: keyID, keys: key, ivs: expected.map { try $0.hex("iv") })
        #expect(try built.snapshotMAC == step.hex("snapshot_mac"))
        #expect(try built.patchMAC == step.hex("patch_mac"))
        if let uploaded = try step.optionalHex("patch_as_uploaded") { #expect(built.serialized() == uploaded) }
        for (record, vector) in zip(built.records, expected) {
            #expect(try record.indexMAC == vector.hex("index_mac"))
            #expect(try record.valueMAC == vector.hex("value_mac"))
            #expect(try Bytes(record.valueBlob.dropFirst(16).dropLast(32)) == vector.hex("ciphertext"))
            #expect(try record.keyID == vector.hex("key_id"))
        }

        let parsed = try AppStatePatch(parsing: step.hex("patch"))
        #expect(try parsed.serialized() == step.hex("patch"))
        #expect(try parsed.version == UInt64(step.int("version")))
        let change = try state.collection.applying(parsed, valueMACs: state.valueMACs, keys: [keyID: key])
        #expect(change.mutations == mutations)
        #expect(try change.collection.version == UInt64(step.int("version")))
        #expect(try change.collection.hash.bytes == step.hex("lthash_after"))
        state.store(change)
    }

    private func mutation(_ vector: VectorCase) throws -> AppStateMutation {
        let operation: AppStateMutation.Operation
        switch try vector.string("operation") {
        case "SET": operation = .set
        case "REMOVE": operation = .remove
        default: throw vector.unknown(try vector.string("operation"))
        }
        let action = try vector.protobuf("action", as: .syncActionValue)
        let mutation = AppStateMutation(
            operation: operation, indexJSON: Bytes(try vector.string("index_json").utf8), value: action,
            version: Int32(try vector.int("action_version")))
        #expect(try mutation.plaintext == vector.hex("plaintext"))
        let index = try #require(mutation.index)
        #expect(
            AppStateMutation(operation: operation, index: index, value: action, version: mutation.version) == mutation)
        return mutation
    }

    private func snapshot(_ step: VectorCase, _ state: inout Stored, _ keys: [Bytes: AppStateKeys]) throws {
        let snapshot = try AppStateSnapshot(parsing: step.hex("snapshot"))
        #expect(try snapshot.version == UInt64(step.int("version")))
        #expect(try snapshot.records.count == step.int("records"))
        #expect(try snapshot.mac == step.hex("mac"))
        let change = try AppStateCollection(name: state.collection.name).applying(snapshot, keys: keys)
        #expect(try change.collection.hash.bytes == step.hex("lthash"))
        #expect(change.set == state.valueMACs)
        #expect(change.collection == state.collection)
        var damaged = snapshot
        damaged.mac[0] ^= 1
        #expect(throws: AppStateError.stateMismatch) { try state.collection.applying(damaged, keys: keys) }
        state.store(change, replacing: true)
    }

    private func rejection(_ step: VectorCase, _ state: Stored, _ keys: [Bytes: AppStateKeys]) throws {
        #expect(try state.collection.version == UInt64(step.int("version_before")))
        #expect(try state.collection.hash.bytes == step.hex("lthash_before"))
        let patch = try AppStatePatch(parsing: step.hex("patch"))
        let reason = try step.string("error")
        let expected: AppStateError
        switch reason {
        case _ where reason.contains("verify patch v3: mismatching LTHash"):
            // The reference takes any version and finds the MAC wrong; we look at the version first.
            expected = .versionGap(expected: 2, actual: 3)
        case _ where reason.contains("mismatching LTHash"): expected = .stateMismatch
        case _ where reason.contains("mismatching patch MAC"): expected = .patchMACMismatch
        case _ where reason.contains("mismatching content MAC"): expected = .valueMACMismatch
        case _ where reason.contains("mismatching index MAC"): expected = .indexMACMismatch
        case _ where reason.contains("didn't find app state key"): expected = .missingKeys([patch.keyID])
        default: throw step.unknown(reason)
        }
        #expect(throws: expected) {
            try state.collection.applying(patch, valueMACs: state.valueMACs, keys: keys)
        }
    }
}
