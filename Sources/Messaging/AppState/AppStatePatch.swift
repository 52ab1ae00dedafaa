import Cryptography
import WhatsAppProtobuf

/// A `SyncdPatch`: changes of one collection, from one version to the next.
package struct AppStatePatch: Sendable, Equatable {
    /// The version after the patch; nil as the client sends it, the server fills it in.
    package var version: UInt64?
    package var records: [AppStateRecord]
    package var snapshotMAC: Bytes
    package var patchMAC: Bytes
    package var keyID: Bytes
    /// Where the records are when they were uploaded as a file: an `ExternalBlobReference`.
    package var external: ProtoMessage?

    /// Parses a patch. Throws `AppStateError.malformed` or `.exitCode`.
    package init(parsing bytes: Bytes) throws(AppStateError) {
        guard let patch = try? ProtoMessage(.syncdPatch, parsing: bytes, limits: .bulk) else {
            throw .malformed("no SyncdPatch")
        }
        if let code = patch[message: "exitCode"]?[uint: "code"], code != 0 { throw .exitCode(code) }
        guard let snapshotMAC = patch[bytes: "snapshotMAC"], let patchMAC = patch[bytes: "patchMAC"],
            let keyID = patch[message: "keyID"]?[bytes: "ID"]
        else { throw .malformed("patch without MACs or key id") }
        version = patch[message: "version"]?[uint: "version"]
        records = try AppStatePatch.records(patch[messages: "mutations"])
        external = patch[message: "externalMutations"]
        self.snapshotMAC = snapshotMAC
        self.patchMAC = patchMAC
        self.keyID = keyID
    }

    init(version: UInt64?, records: [AppStateRecord], snapshotMAC: Bytes, patchMAC: Bytes, keyID: Bytes) {
        self.version = version
        self.records = records
        self.snapshotMAC = snapshotMAC
        self.patchMAC = patchMAC
        self.keyID = keyID
    }

    /// Takes the records of a downloaded `SyncdMutations` file in place of the patch's own.
    ///
    /// Throws `AppStateError.malformed`, also for an empty file.
    package mutating func takeExternal(_ file: Bytes) throws(AppStateError) {
        guard let list = try? ProtoMessage(.syncdMutations, parsing: file, limits: .bulk) else {
            throw .malformed("no SyncdMutations")
        }
        let mutations = list[messages: "mutations"]
        guard !mutations.isEmpty else { throw .malformed("external mutations are empty") }
        records = try AppStatePatch.records(mutations)
        external = nil
    }

    package func serialized() -> Bytes {
        ProtoMessage(.syncdPatch) { patch in
            if let version { patch.update("version") { $0[uint: "version"] = version } }
            patch[messages: "mutations"] = records.map { record in
                ProtoMessage(.syncdMutation) { mutation in
                    mutation[enumName: "operation"] = record.operation == .set ? "SET" : "REMOVE"
                    mutation[message: "record"] = record.protobuf
                }
            }
            patch[message: "externalMutations"] = external
            patch[bytes: "snapshotMAC"] = snapshotMAC
            patch[bytes: "patchMAC"] = patchMAC
            patch.update("keyID") { $0[bytes: "ID"] = keyID }
        }.serialized()
    }

    private static func records(_ mutations: [ProtoMessage]) throws(AppStateError) -> [AppStateRecord] {
        var records: [AppStateRecord] = []
        records.reserveCapacity(mutations.count)
        for mutation in mutations {
            guard let record = mutation[message: "record"] else { throw .malformed("mutation without record") }
            switch mutation[int: "operation"] ?? 0 {
            case 0: records.append(try AppStateRecord(operation: .set, protobuf: record))
            case 1: records.append(try AppStateRecord(operation: .remove, protobuf: record))
            default: throw .malformed("unknown operation")
            }
        }
        return records
    }
}

/// A `SyncdSnapshot`: a whole collection at one version.
package struct AppStateSnapshot: Sendable, Equatable {
    package var version: UInt64
    package var records: [AppStateRecord]
    package var mac: Bytes
    package var keyID: Bytes

    /// Parses a snapshot. Throws `AppStateError.malformed`.
    package init(parsing bytes: Bytes) throws(AppStateError) {
        guard let snapshot = try? ProtoMessage(.syncdSnapshot, parsing: bytes, limits: .bulk),
            let mac = snapshot[bytes: "mac"], let keyID = snapshot[message: "keyID"]?[bytes: "ID"]
        else { throw .malformed("no SyncdSnapshot") }
        version = snapshot[message: "version"]?[uint: "version"] ?? 0
        self.mac = mac
        self.keyID = keyID
        records = []
        for record in snapshot[messages: "records"] {
            records.append(try AppStateRecord(operation: .set, protobuf: record))
        }
    }
}
