import Cryptography
import OrderedCollections
import Testing
import Transport
import WhatsAppProtobuf

@testable import Sandbox

@Suite("App state: the server's patches and the phone's copy")
struct AppStateTests {
    private static func sync(_ name: String, version: Int, snapshot: Bool = false, patch: Bytes? = nil) -> Stanza {
        var node = Stanza(
            "collection",
            [
                "name": .text(name), "version": .int(version), "return_snapshot": snapshot ? "true" : "false",
            ])
        if let patch { node.content = .children([Stanza("patch", bytes: patch)]) }
        return Stanza("sync", children: [node])
    }

    private static func collection(_ answer: Stanza) throws -> Stanza {
        try #require(answer.child("sync", "collection"))
    }

    /// The key that the phone shares, as the companion would have it.
    private func keys(_ home: LinkedSandbox, _ account: Account) async throws -> MutationKeys {
        let key = try #require(await home.phones.phone(of: account).appState.keys.last)
        return MutationKeys(keyID: key.id, data: key.data)
    }

    /// A patch of a companion on top of `base`.
    private func patch(
        _ index: [String], value: Bytes, on base: PhoneCollection, name: String, _ keys: MutationKeys
    ) throws -> SyncdPatch {
        let action = SyncAction(index: index, value: value, version: 2)
        let mutation = try keys.seal(
            .set, indexJSON: action.indexJSON, plaintext: action.serialized, iv: Bytes(repeating: 3, count: 16))
        return base.patch([mutation], name: name, keys: keys)
    }

    @Test("a new companion finds push name and locale in critical_block, and nothing elsewhere")
    func initial() async throws {
        try await LinkedSandbox.with { home in
            let (_, client, account) = try await home.link("12025550100")
            let answer = try await client.query("set", "w:sync:app:state", Self.sync("critical_block", version: 0))
            let node = try Self.collection(answer)
            #expect(node.int("version") == 1 && node["has_more_patches"] == nil)
            let patches = try #require(node.child("patches")).children("patch").compactMap(\.bytesContent)
            let patch = try SyncdPatch(parsing: try #require(patches.first))
            #expect(patches.count == 1 && patch.version == 1)
            let keys = try await keys(home, account)
            var copy = PhoneCollection()
            let changes = try copy.apply(patch, mutations: patch.mutations, name: "critical_block", verifies: true) {
                $0 == keys.keyID ? keys : nil
            }
            #expect(changes.map(\.action.index) == [["setting_pushName"], ["setting_locale"]])
            #expect(ProtoFields(lenient: changes[0].action.value).message(7)?.string(1) == "Ada")
            let empty = try await client.query(
                "set", "w:sync:app:state", Self.sync("regular", version: 0, snapshot: true))
            #expect(try Self.collection(empty).int("version") == 0)
            #expect(try Self.collection(empty).childrenContent.isEmpty)
        }
    }

    @Test(
        "a companion's patch is numbered, told to the others, decoded by the phone; one from an old version conflicts")
    func upload() async throws {
        try await LinkedSandbox.with { home in
            let (_, client, account) = try await home.link("12025550100")
            let (_, other) = try await home.link(to: account)
            let keys = try await keys(home, account)
            var value = ProtoWriter()
            value.int(1, 1_700_000_000_000)
            value.message(5) { $0.bool(1, true) }
            let patch = try patch(
                ["pin_v1", "1@lid"], value: value.bytes, on: PhoneCollection(), name: "regular_low", keys)
            let answer = try await client.query(
                "set", "w:sync:app:state", Self.sync("regular_low", version: 0, patch: patch.bytes))
            #expect(try Self.collection(answer).int("version") == 1)
            let notice = try await other.next("server_sync") { $0.type == "server_sync" }
            #expect(notice.child("collection")?["name"] == "regular_low")
            #expect(notice.child("collection")?.int("version") == 1)
            let mutation = try #require(
                await home.world.events.first(since: 0, timeout: 60_000) { $0.type == .appStateMutation })
            #expect(mutation.data["index"] == ["pin_v1", "1@lid"])
            #expect(mutation.data["value"]?["pinAction"]?["pinned"] == true)

            let late = try await other.query(
                "set", "w:sync:app:state", Self.sync("regular_low", version: 0, patch: patch.bytes))
            let conflict = try Self.collection(late)
            #expect(conflict.type == "error" && conflict.child("error")?["code"] == "409")
            #expect(conflict.child("patches")?.children("patch").count == 1)
            #expect(await home.violations("phone.app_state").isEmpty)
        }
    }

    @Test("a patch whose MACs are wrong is reported in a strict world")
    func strict() async throws {
        try await LinkedSandbox.with { home in
            let (_, client, account) = try await home.link("12025550100")
            let keys = try await keys(home, account)
            let patch = try patch(["mute", "1@lid"], value: [], on: PhoneCollection(), name: "wrong name", keys)
            _ = try await client.query(
                "set", "w:sync:app:state", Self.sync("regular_high", version: 0, patch: patch.bytes))
            _ = await home.world.events.first(since: 0, timeout: 60_000) {
                $0.type == .violation && $0.data["kind"] == "phone.app_state"
            }
            #expect(await home.violations("phone.app_state").count == 1)
        }
    }

    @Test("many patches come as a snapshot that opens and adds up, or in pages")
    func snapshot() async throws {
        try await LinkedSandbox.with({ $0.settings.appStatePageSize = 10 }) { home in
            let (_, client, account) = try await home.link("12025550100")
            let phone = await home.phones.phone(of: account)
            for number in 0..<25 {
                let change = await AppStateChange(
                    index: ["label_edit", String(number % 20)],
                    value: phone.value { writer in writer.message(14) { $0.string(1, "label \(number)") } }, version: 3)
                _ = try await phone.change("regular", [change])
            }
            let full = try Self.collection(
                try await client.query("set", "w:sync:app:state", Self.sync("regular", version: 0, snapshot: true)))
            #expect(full.int("version") == 25 && full.child("patches") == nil)
            let reference = ProtoFields(lenient: try #require(full.child("snapshot")?.bytesContent))
            let key = try #require(reference.bytes(1))
            let path = try #require(reference.string(2))
            let file = try #require(await home.world.mediaBytes(atPath: path))
            let bytes = try MediaCipher(key: key, info: World.appStateInfo).decrypt(file)
            let snapshot = try ProtoFields(bytes)
            var hash = LTHash()
            let records = snapshot.messages(2).compactMap { SyncdMutation(record: $0, operation: .set) }
            for record in records { hash.add(record.valueMAC) }
            let keys = try await keys(home, account)
            #expect(records.count == 20)
            #expect(keys.snapshotMAC(hash, version: 25, collection: "regular") == snapshot.bytes(3))
            let labels = try records.map { try keys.open($0) }
            #expect(labels.count == 20)

            let page = try Self.collection(
                try await client.query("set", "w:sync:app:state", Self.sync("regular", version: 3)))
            #expect(page.int("version") == 13 && page["has_more_patches"] == "true")
        }
    }

    @Test("after a key rotation the phone removes under the old key what it sets under the new one")
    @SandboxActor
    func rotation() throws {
        let home = try PhoneWorld()
        let phone = try home.phone("12025550100")
        phone.shareRotatedKey()
        try phone.rename("Countess")
        let patch = try #require(home.world.appState("critical_block", of: phone.account).patches.last)
        #expect(patch.mutations.map(\.operation) == [.remove, .set])
        #expect(patch.mutations[0].keyID != patch.mutations[1].keyID)
        var copy = PhoneCollection()
        for patch in home.world.appState("critical_block", of: phone.account).patches {
            _ = try copy.apply(patch, mutations: patch.mutations, name: "critical_block", verifies: true) {
                phone.mutationKeys($0)
            }
        }
        #expect(copy.hash == phone.collection("critical_block").hash)
        #expect(copy.records.count == 2)
    }

    @Test("app state outlives a restart of the world")
    @SandboxActor
    func persistence() throws {
        let store = MemoryStore()
        let before = try PhoneWorld(store: store)
        let phone = try before.phone("12025550100")
        try phone.addContact("12025550101", name: "Bob Builder")
        let after = try PhoneWorld(store: store)
        after.world.load()
        let account = try after.world.account(named: "12025550100")
        let restored = after.phones.phone(of: account)
        #expect(restored.collection("critical_block").version == 1)
        #expect(
            restored.collection("critical_unblock_low").hash == phone.collection("critical_unblock_low").hash)
        #expect(restored.collection("critical_unblock_low").records.count == 1)
    }

    @Test("the control API changes, shows and spoils app state")
    func control() async throws {
        try await ControlClient.with { control in
            _ = try await control.post("/accounts", ["phone": "12025550100", "push_name": "Ada"])
            _ = try await control.post("/accounts", ["phone": "12025550101"])
            let path = "/accounts/12025550100/appstate"
            #expect(try await control.post(path, ["mute": ["chat": "12025550101"]])["version"] == 1)
            #expect(try await control.post(path, ["archive": ["chat": "12025550101"]])["version"] == 1)
            #expect(try await control.post(path, ["contact": ["phone": "12025550101", "name": "Bob"]])["version"] == 1)
            #expect(try await control.post(path, ["push_name": "Countess"])["version"] == 2)
            let custom: JSONValue = [
                "collection": "regular",
                "mutations": [
                    [
                        "op": "set", "index": ["quick_reply", "1"], "value": ["quickReplyAction": ["shortcut": "hi"]],
                        "version": 2,
                    ]
                ],
            ]
            #expect(try await control.post(path, custom)["version"] == 1)
            let names = try await control.get("\(path)/critical_block")
            #expect(names["version"] == 2)
            let shown = names["records"]?.arrayValue?.compactMap { $0["value"]?["pushNameSetting"]?["name"] }
            #expect(shown == ["Countess"])
            let archive = try await control.get("\(path)/regular_low")
            #expect(archive["records"]?.arrayValue?.count == 2)
            let rotated = try await control.post("\(path)/rotate-key")
            #expect(rotated["key_id"]?.stringValue?.count == 12)
            _ = try await control.post("\(path)/corrupt", ["what": "patch_mac", "collection": "regular"])
            #expect(try await control.call("GET", "\(path)/nowhere").status == 404)
            #expect(try await control.call("POST", path, ["mute": ["on": true]]).status == 422)
        }
    }
}
