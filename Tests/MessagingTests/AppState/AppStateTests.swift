import Cryptography
import Testing
import WhatsAppProtobuf

@testable import Messaging

/// Known answers of 06-app-state-history, section 23, and what a collection refuses.
@Suite("App state collections")
struct AppStateTests {
    private let keyID: Bytes = [0, 0, 0, 0, 0x2A, 0x01]
    private let keys = AppStateKeys(keyData: (0..<32).map { UInt8($0) })

    private func mute(_ json: String, _ operation: AppStateMutation.Operation = .set) throws -> AppStateMutation {
        AppStateMutation(
            operation: operation, index: ["mute", "12025550123@s.whatsapp.net"],
            value: try ProtoMessage(.syncActionValue, json: json), version: 2)
    }

    private func iv(_ first: UInt8) -> Bytes { (0..<16).map { first + $0 } }

    /// A collection with its value MACs, as a store holds them.
    private struct Stored {
        var collection = AppStateCollection(name: AppStateCollectionName.regularHigh.rawValue)
        var valueMACs: [Bytes: Bytes] = [:]

        mutating func store(_ change: AppStateCollection.Change) {
            collection = change.collection
            valueMACs.merge(change.set) { $1 }
            for index in change.removed { valueMACs[index] = nil }
        }
    }

    private func send(_ mutations: [AppStateMutation], _ ivs: [Bytes], to state: inout Stored) throws -> AppStatePatch {
        let patch = try state.collection.patch(
            mutations, valueMACs: state.valueMACs, keyID: keyID, keys: keys, ivs: ivs)
        state.store(try state.collection.applying(patch, valueMACs: state.valueMACs, keys: [keyID: keys]))
        return patch
    }

    @Test("setting, replacing and removing a record gives the documented MACs and ends at the empty hash")
    func knownAnswers() throws {
        var state = Stored()
        let first = try send(
            [try mute(#"{"timestamp":1700000000000,"muteAction":{"muted":true,"muteEndTimestamp":-1}}"#)], [iv(0x10)],
            to: &state)
        #expect(Hex.encode(first.snapshotMAC) == "e3c6aa03b89fe9f7ce8b434150de0a7153e959a29edc0ed43768c935f399b19e")
        #expect(Hex.encode(first.patchMAC) == "eebb7945e7cf5d73f34fc42a5ea7a9e4c1c6be8cc3efb7c4a11afe72874c8448")
        let second = try send(
            [try mute(#"{"timestamp":1700000001000,"muteAction":{"muted":false}}"#)], [iv(0x20)], to: &state)
        #expect(Hex.encode(second.snapshotMAC) == "6b607eab9fa2b2de934e47e3c12f48c57d89797d6aab6f508c9d7456f6a44186")
        let third = try send([try mute(#"{"timestamp":1700000002000}"#, .remove)], [iv(0x30)], to: &state)
        #expect(Hex.encode(third.patchMAC) == "0deeef70cc9ef613e0003e2eaf5205df6c68e2086f88643206da2e13bfff817f")
        #expect(state.collection.hash == LTHash())
        #expect(state.collection.version == 3)
        #expect(state.valueMACs.isEmpty)
    }

    @Test("a record set and removed in one patch leaves nothing behind")
    func setAndRemove() throws {
        var state = Stored()
        let set = try mute(#"{"timestamp":1}"#)
        let removed = try mute(#"{"timestamp":2}"#, .remove)
        let patch = try send([set, removed], [iv(1), iv(2)], to: &state)
        #expect(state.collection.hash == LTHash())
        #expect(state.valueMACs.isEmpty)
        #expect(try AppStatePatch(parsing: patch.serialized()) == patch)
    }

    @Test("a gap, an old version, a missing key and a phone's exit code are told apart")
    func refusals() throws {
        var state = Stored()
        var patch = try send([try mute(#"{"timestamp":1}"#)], [iv(1)], to: &state)
        patch.version = 1
        #expect(throws: AppStateError.versionGap(expected: 2, actual: 1)) {
            try state.collection.applying(patch, valueMACs: state.valueMACs, keys: [keyID: keys])
        }
        patch.version = 9
        #expect(throws: AppStateError.versionGap(expected: 2, actual: 9)) {
            try state.collection.applying(patch, valueMACs: state.valueMACs, keys: [keyID: keys])
        }
        #expect(throws: AppStateError.missingKeys([keyID])) {
            try Stored().collection.applying(patch.at(version: 1), valueMACs: [:], keys: [:])
        }
        let exit = ProtoMessage(.syncdPatch) { $0.update("exitCode") { $0[uint: "code"] = 3 } }
        #expect(throws: AppStateError.exitCode(3)) { try AppStatePatch(parsing: exit.serialized()) }
        #expect(throws: AppStateError.self) { try AppStatePatch(parsing: [0xFF]) }
        #expect(throws: AppStateError.self) { try AppStateSnapshot(parsing: [0x0A]) }
    }

    @Test("mutations uploaded as a file take the place of the patch's own")
    func external() throws {
        var state = Stored()
        let inline = try send([try mute(#"{"timestamp":1}"#)], [iv(1)], to: &state)
        let parsed = try ProtoMessage(.syncdPatch, parsing: inline.serialized())
        let file = ProtoMessage(.syncdMutations) { $0[messages: "mutations"] = parsed[messages: "mutations"] }
        var patch = inline
        patch.records = []
        try patch.takeExternal(file.serialized())
        #expect(patch == inline)
        #expect(throws: AppStateError.malformed("external mutations are empty")) { try patch.takeExternal([]) }
    }

    @Test("an index is a JSON list of strings, or nothing")
    func index() throws {
        var mutation = try mute("{}")
        #expect(mutation.index == ["mute", "12025550123@s.whatsapp.net"])
        for text in ["[]", "{}", "[1]", #"["a""#, ""] {
            mutation.indexJSON = Bytes(text.utf8)
            #expect(mutation.index == nil)
        }
    }
}

extension AppStatePatch {
    fileprivate func at(version: UInt64) -> AppStatePatch {
        var copy = self
        copy.version = version
        return copy
    }
}
