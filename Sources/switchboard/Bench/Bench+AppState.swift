import Cryptography
import Messaging
import WhatsAppProtobuf

extension Benchmark {
    /// App state: the hash of a collection, a patch, and a snapshot of a large account.
    static let appState: [Benchmark] = [
        .repeating("app state hash of 812 values") {
            let values = (0..<812).map { _ in SystemRandom().bytes(AppStateRecord.macCount) }
            return {
                var hash = LTHash()
                for value in values { hash.add(value) }
                keep(hash)
            }
        },
        patch(of: 50), patch(of: 1_000), snapshot(of: 50_000),
    ]

    private static let keyID: Bytes = [0, 0, 0, 0, 0, 1]

    private static func patch(of count: Int) -> Benchmark {
        .repeating("app state patch of \(count), verified and decrypted") {
            let keys = AppStateKeys(keyData: SystemRandom().bytes(32))
            let collection = AppStateCollection(name: AppStateCollectionName.regular.rawValue)
            let patch = try collection.patch(
                mutations(count), valueMACs: [:], keyID: keyID, keys: keys,
                ivs: (0..<count).map { _ in SystemRandom().bytes(16) })
            let bytes = patch.serialized()
            return {
                keep(try collection.applying(AppStatePatch(parsing: bytes), valueMACs: [:], keys: [keyID: keys]))
            }
        }
    }

    /// The server's form of `count` records, from its bytes to the collection.
    private static func snapshot(of count: Int) -> Benchmark {
        .repeating("app state snapshot of \(count), verified and decrypted") {
            let keys = AppStateKeys(keyData: SystemRandom().bytes(32))
            let collection = AppStateCollection(name: AppStateCollectionName.regular.rawValue)
            let patch = try collection.patch(
                mutations(count), valueMACs: [:], keyID: keyID, keys: keys,
                ivs: (0..<count).map { _ in SystemRandom().bytes(16) })
            // At version 1 a collection that came by one patch and one that came as a snapshot have the same MAC.
            let bytes = snapshotBytes(patch)
            let empty = AppStateCollection(name: collection.name)
            return { keep(try empty.applying(AppStateSnapshot(parsing: bytes), keys: [keyID: keys])) }
        }
    }

    private static func mutations(_ count: Int) -> [AppStateMutation] {
        (0..<count).map { number in
            let value = ProtoMessage(.syncActionValue) { value in
                value[int: "timestamp"] = 1_767_323_045_000
                value.update("contactAction") { $0[string: "fullName"] = "Contact number \(number)" }
            }
            return AppStateMutation(
                operation: .set, index: ["contact", "\(15_551_000_000 + number)@s.whatsapp.net"], value: value,
                version: 2)
        }
    }

    private static func snapshotBytes(_ patch: AppStatePatch) -> Bytes {
        ProtoMessage(.syncdSnapshot) { snapshot in
            snapshot.update("version") { $0[uint: "version"] = 1 }
            snapshot[messages: "records"] = patch.records.map(\.protobuf)
            snapshot[bytes: "mac"] = patch.snapshotMAC
            snapshot.update("keyID") { $0[bytes: "ID"] = patch.keyID }
        }.serialized()
    }
}
