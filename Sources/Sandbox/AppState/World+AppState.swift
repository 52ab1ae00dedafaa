import Cryptography
import Foundation
import OrderedCollections
import Transport
import WhatsAppProtobuf

/// `xmlns="w:sync:app:state"`: the server orders patches and hands them out; it holds no key (09, section 11.6; 06, sections
/// 7, 9, 10, 22).
extension World {
    /// The collection of an account as it is now.
    func appState(_ name: String, of account: Account) -> AppStateCollection {
        appStates[account.phone]?[name] ?? AppStateCollection()
    }

    func answerAppState(_ request: IQRequest) throws -> Stanza {
        guard request.isSet, let sync = request.stanza.child("sync") else { throw IQError.notImplemented }
        let nodes = sync.children("collection")
        guard !nodes.isEmpty, nodes.allSatisfy({ $0["name"] != nil }) else { throw IQError.badRequest }
        return request.result(Stanza("sync", children: nodes.map { answer(collection: $0, request) }))
    }

    private func answer(collection node: Stanza, _ request: IQRequest) -> Stanza {
        let name = node["name"] ?? ""
        let account = request.account
        guard AppStateCollection.names.contains(name) else { return error(name, 0, .itemNotFound) }
        let collection = appState(name, of: account)
        let version = node.int("version") ?? 0
        if let patch = node.child("patch") {
            return upload(patch, to: name, version: version, request)
        }
        if node["return_snapshot"] == "true", collection.version > settings.appStateSnapshotAbove,
            let reference = snapshotReference(of: name, account)
        {
            return Stanza(
                "collection", ["name": .text(name), "version": .int(collection.version)],
                children: [Stanza("snapshot", bytes: reference)])
        }
        guard let page = collection.patches(after: version, limit: settings.appStatePageSize) else {
            return error(name, collection.version, .badRequest)
        }
        return Stanza("collection", pageAttributes(name, page, from: version), children: nodes(page))
    }

    private func pageAttributes(
        _ name: String, _ page: (patches: ArraySlice<SyncdPatch>, hasMore: Bool), from version: Int
    ) -> StanzaAttributes {
        [
            "name": .text(name), "version": .int(version + page.patches.count),
            "has_more_patches": page.hasMore ? "true" : nil,
        ]
    }

    /// `<patches>` is a wrapper that whatsmeow needs; nothing where there are none.
    private func nodes(_ page: (patches: ArraySlice<SyncdPatch>, hasMore: Bool)) -> [Stanza] {
        guard !page.patches.isEmpty else { return [] }
        return [Stanza("patches", children: page.patches.map { Stanza("patch", bytes: $0.bytes) })]
    }

    private func error(_ name: String, _ version: Int, _ error: IQError, _ more: [Stanza] = []) -> Stanza {
        Stanza(
            "collection", ["name": .text(name), "version": .int(version), "type": "error"],
            children: [Stanza("error", ["code": .int(error.code), "text": .text(error.text)])] + more)
    }

    // MARK: Writing

    private func upload(_ node: Stanza, to name: String, version: Int, _ request: IQRequest) -> Stanza {
        let account = request.account
        let current = appState(name, of: account)
        guard version == current.version else {
            events.emit(
                .appStateConflict, account: account.phone, device: Int(request.device.id),
                connection: request.device.connection?.id,
                ["collection": .string(name), "version": .number(version), "current": .number(current.version)])
            guard let page = current.patches(after: version, limit: settings.appStatePageSize) else {
                return error(name, current.version, .badRequest)
            }
            var answer = error(name, current.version, .conflict, nodes(page))
            if page.hasMore { answer["has_more_patches"] = "true" }
            return answer
        }
        do {
            let patch = try SyncdPatch(parsing: node.bytesContent ?? [])
            let stored = try appendPatch(patch, to: name, of: account, by: request.device)
            return Stanza(
                "collection",
                ["name": .text(name), "version": .int(Int(clamping: stored.version ?? 0)), "type": "result"])
        } catch {
            violation("app_state", "\(name): \(error)", device: request.device)
            return self.error(name, current.version, .badRequest)
        }
    }

    /// Appends a patch and tells the account's other devices. `device` `nil` and device 0 stand for the phone.
    @discardableResult
    func appendPatch(
        _ patch: SyncdPatch, to name: String, of account: Account, by device: Device?
    ) throws -> SyncdPatch {
        let mutations = try mutations(of: patch)
        var collection = appState(name, of: account)
        let stored = collection.append(patch, mutations: mutations)
        appStates[account.phone, default: [:]][name] = collection
        store.put(Self.patchKey(account, name, collection.version), stored.bytes)
        events.emit(
            .appStateUploaded, account: account.phone, device: Int(device?.id ?? 0),
            connection: device?.connection?.id,
            [
                "collection": .string(name), "version": .number(collection.version),
                "mutations": .number(mutations.count),
            ])
        notifySync(name, collection.version, of: account, except: device)
        if let device, !device.isPhone {
            afterwards { [weak self] in
                self?.phones?.appStateUploaded(stored, mutations: mutations, to: name, by: device)
            }
        }
        return stored
    }

    /// Its own mutations, or those of the file it refers to.
    func mutations(of patch: SyncdPatch) throws -> [SyncdMutation] {
        guard let external = patch.external, patch.mutations.isEmpty else { return patch.mutations }
        let reference = ProtoFields(lenient: external)
        guard let key = reference.bytes(1), let path = reference.string(2), let file = mediaBytes(atPath: path) else {
            throw SyncdPatch.Failure.malformed("the file of the mutations is not stored")
        }
        let list = try ProtoFields(MediaCipher(key: key, info: Self.appStateInfo).decrypt(file))
        let mutations = list.messages(1).compactMap { SyncdMutation($0) }
        guard !mutations.isEmpty else { throw SyncdPatch.Failure.malformed("the file holds no mutations") }
        return mutations
    }

    nonisolated static let appStateInfo = "WhatsApp App State Keys"

    /// `server_sync`, at most one waiting per device and collection.
    private func notifySync(_ name: String, _ version: Int, of account: Account, except device: Device?) {
        for other in account.companions where other !== device {
            dequeueWaiting(for: other) { stanza in
                stanza.type == "server_sync" && stanza.child("collection")?["name"] == name
            }
            enqueue(
                Stanza(
                    "notification",
                    [
                        "from": .jid(.serverJID), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                        "type": "server_sync",
                    ],
                    children: [Stanza("collection", ["name": .text(name), "version": .int(version)])]),
                for: other)
        }
    }

    // MARK: Snapshots

    /// The serialized `ExternalBlobReference` of a snapshot of the newest version; `nil` where no media server runs.
    private func snapshotReference(of name: String, _ account: Account) -> Bytes? {
        guard mediaHost != nil || !settings.mediaHosts.isEmpty else { return nil }
        let collection = appState(name, of: account)
        if let snapshot = collection.snapshot, snapshot.version == collection.version { return snapshot.reference }
        let key = random.stream("appstate/snapshots").bytes(32)
        guard let bytes = collection.snapshotBytes,
            let file = try? MediaCipher(key: key, info: Self.appStateInfo).encrypt(bytes)
        else { return nil }
        let blob = storeMedia(file, type: "md-app-state", owner: account.phone)
        var writer = ProtoWriter()
        writer.bytes(1, key)
        writer.string(2, path(of: blob))
        writer.string(3, blob.name)
        writer.varint(4, UInt64(file.count))
        writer.bytes(5, SHA256Digest.hash(bytes))
        writer.bytes(6, SHA256Digest.hash(file))
        appStates[account.phone]?[name]?.snapshot = (collection.version, writer.bytes)
        return writer.bytes
    }

    // MARK: Keeping

    private static func patchPrefix(_ account: Account) -> String { "appstate/\(account.phone)/" }
    private static func patchKey(_ account: Account, _ name: String, _ version: Int) -> String {
        patchPrefix(account) + "\(name)/\(padded(UInt64(version)))"
    }

    func loadAppState(of account: Account) {
        for entry in store.all(under: Self.patchPrefix(account)) {
            let parts = entry.key.split(separator: "/").map(String.init)
            guard parts.count == 4, let patch = try? SyncdPatch(parsing: entry.value) else { continue }
            let mutations = (try? self.mutations(of: patch)) ?? []
            _ = appStates[account.phone, default: [:]][parts[2], default: AppStateCollection()]
                .append(patch, mutations: mutations)
        }
    }

    func forgetAppState(of account: Account) {
        appStates[account.phone] = nil
        store.deleteAll(under: Self.patchPrefix(account))
    }

    /// Spoils the newest patch of a collection, for tests of clients.
    func corruptAppState(_ name: String, of account: Account, _ part: AppStateDamage) {
        appStates[account.phone]?[name]?.corrupt(part)
        let collection = appState(name, of: account)
        if let patch = collection.patches.last {
            store.put(Self.patchKey(account, name, collection.version), patch.bytes)
        }
    }
}
