import Cryptography
import OrderedCollections
import Transport
import WhatsAppProtobuf

/// A mutation that a person at the phone causes.
struct AppStateChange: Sendable {
    var operation = SyncdMutation.Operation.set
    let index: [String]
    /// The serialized `SyncActionValue`, with its timestamp.
    let value: Bytes
    let version: Int64
}

/// The phone's own copy of app state: it writes patches, reads those of companions, and answers for lost collections
/// (09, section 19.5; 06, section 22).
extension Phone {
    func mutationKeys(_ id: Bytes) -> MutationKeys? {
        if let known = mutationKeyCache[id] { return known }
        guard let key = appState.keys.first(where: { $0.id == id }) else { return nil }
        let keys = MutationKeys(keyID: id, data: key.data)
        mutationKeyCache[id] = keys
        return keys
    }

    func collection(_ name: String) -> PhoneCollection { collections[name] ?? PhoneCollection() }

    /// What every account has from its beginning: its push name and its locale.
    func createAppState() {
        do {
            try change(
                "critical_block",
                [
                    AppStateChange(index: ["setting_pushName"], value: pushNameValue(account.pushName), version: 1),
                    AppStateChange(index: ["setting_locale"], value: localeValue(account.locale), version: 3),
                ])
            for contact in account.contacts { try addContact(contact.key, name: contact.value) }
        } catch {
            world.violation("phone.app_state", "the first patch failed: \(error)")
        }
    }

    func pushNameValue(_ name: String) -> Bytes { value { $0.message(7) { $0.string(1, name) } } }
    private func localeValue(_ locale: String) -> Bytes { value { $0.message(16) { $0.string(1, locale) } } }

    func value(_ build: (inout ProtoWriter) -> Void) -> Bytes {
        var writer = ProtoWriter()
        writer.int(1, world.clock.milliseconds)
        build(&writer)
        return writer.bytes
    }

    func addContact(_ phone: String, name: String) throws {
        let other = world.accounts[phone]
        let first = name.split(separator: " ").first.map(String.init) ?? name
        let jid = other?.pn ?? .user(phone)
        try change(
            "critical_unblock_low",
            [
                AppStateChange(
                    index: ["contact", jid.description],
                    value: value { writer in
                        writer.message(3) { contact in
                            contact.string(1, name)
                            contact.string(2, first)
                            if let other { contact.string(3, other.lidJID.description) }
                            contact.bool(4, true)
                        }
                    }, version: 2)
            ])
    }

    /// Writes a patch of the phone's own and returns the collection's new version. An index that an older key sealed is
    /// removed under that key in the same patch.
    @discardableResult
    func change(_ name: String, _ changes: [AppStateChange]) throws -> UInt64 {
        guard let newest = appState.keys.last, let keys = mutationKeys(newest.id) else { return 0 }
        var current = collection(name)
        var mutations: [SyncdMutation] = []
        for change in changes {
            let action = SyncAction(index: change.index, value: change.value, version: change.version)
            for record in current.records.values
            where record.action.indexJSON == action.indexJSON && record.keyID != newest.id {
                guard let old = mutationKeys(record.keyID) else { continue }
                mutations.append(
                    try old.seal(
                        .remove, indexJSON: record.action.indexJSON, plaintext: record.action.serialized,
                        iv: random("appstate/iv").bytes(16)))
            }
            mutations.append(
                try keys.seal(
                    change.operation, indexJSON: action.indexJSON, plaintext: action.serialized,
                    iv: random("appstate/iv").bytes(16)))
        }
        let patch = current.patch(mutations, name: name, keys: keys)
        _ = try current.apply(patch, mutations: mutations, name: name, verifies: false) { mutationKeys($0) }
        try world.appendPatch(patch, to: name, of: account, by: account.primary)
        collections[name] = current
        return current.version
    }

    /// A companion wrote: the phone decodes it, in strict worlds with every check.
    func receivePatch(_ patch: SyncdPatch, mutations: [SyncdMutation], to name: String, by device: Device) {
        var current = collection(name)
        do {
            let changes = try current.apply(
                patch, mutations: mutations, name: name, verifies: world.settings.strictAppState
            ) { mutationKeys($0) }
            collections[name] = current
            for change in changes {
                emit(
                    .appStateMutation,
                    [
                        "collection": .string(name), "version": .number(current.version),
                        "op": change.operation == .set ? "set" : "remove",
                        "index": .array((change.action.index ?? []).map { .string($0) }),
                        "value": change.action.json, "action_version": .int(change.action.version),
                        "from_device": .number(device.id),
                    ])
                if change.operation == .set { adopt(change.action) }
            }
        } catch {
            world.violation(
                "phone.app_state", "version \(current.version + 1) of \(name) does not verify: \(error)", device: device
            )
        }
    }

    /// Settings that the account itself shows to others.
    private func adopt(_ action: SyncAction) {
        guard action.index == ["setting_pushName"],
            let name = ProtoFields(lenient: action.value).message(7)?.string(1), !name.isEmpty,
            name != account.pushName
        else { return }
        account.pushName = name
        world.save(account)
    }

    /// Reads the collections back from what the server keeps.
    func loadCollections() {
        for name in AppStateCollection.names {
            var current = PhoneCollection()
            for patch in world.appState(name, of: account).patches {
                guard let mutations = try? world.mutations(of: patch),
                    (try? current.apply(patch, mutations: mutations, name: name, verifies: false) {
                        mutationKeys($0)
                    }) != nil
                else { break }
            }
            if current.version > 0 { collections[name] = current }
        }
    }

    /// The answer to a companion that cannot read a collection any more (06, section 11).
    func recoverySnapshot(of name: String) -> Bytes? {
        AppStateCollection.names.contains(name) ? collection(name).recovery(name: name) : nil
    }
}
