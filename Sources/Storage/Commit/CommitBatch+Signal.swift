import Cryptography
import Database
import Messaging

extension CommitBatch {
    mutating func addCredentials() throws {
        for device in devices {
            switch device.credentials {
            case .store(let credentials): append(try store(credentials, did: device.did))
            case .paired(let credentials):
                for statement in SignalCommitStatements.eraseOtherNumber {
                    append(statement(.int(device.did), .text(credentials.jid ?? "")))
                }
                append(try store(credentials, did: device.did))
            case .erase:
                for statement in SignalCommitStatements.erase { append(statement(.int(device.did))) }
            case nil: break
            }
        }
        var next = RowSet()
        for device in devices {
            if let id = device.nextPreKeyID { next.append(.int(device.did), SQLValue(id)) }
        }
        append(SignalCommitStatements.raiseNextPreKeyID, next)
    }

    private func store(_ row: DeviceCredentials, did: Int64) throws -> BoundStatement {
        func sealed(_ secret: SecretBytes, _ column: String) throws -> SQLValue {
            .bytes(try envelope.seal(secret, context: SealingContext.credential(column, did: did)))
        }
        let previous = row.previousSignedPreKey
        return BoundStatement(
            SignalCommitStatements.storeCredentials,
            [
                .int(did), SQLValue(row.registrationID), try sealed(row.noiseKey, "noise_key"),
                try sealed(row.identityKey, "identity_key"), .bytes(row.identityPublic), SQLValue(row.signedPreKey.id),
                try sealed(row.signedPreKey.privateKey, "signed_prekey"), .bytes(row.signedPreKey.signature),
                SQLValue(row.signedPreKey.createdAt), SQLValue(previous?.id),
                try previous.map { try sealed($0.privateKey, "prev_signed_prekey") } ?? .null,
                SQLValue(previous?.signature), SQLValue(previous?.createdAt), try sealed(row.advSecret, "adv_secret"),
                SQLValue(row.account?.details), SQLValue(row.account?.accountSignature),
                SQLValue(row.account?.accountSignatureKey), SQLValue(row.account?.deviceSignature), SQLValue(row.jid),
                SQLValue(row.lid), SQLValue(row.nextPreKeyID), .int(row.lidMigrationTimestamp), SQLValue(row.nctSalt),
                SQLValue(row.serverStatic), SQLValue(row.routingInfo), SQLValue(row.pairedAt),
            ])
    }

    mutating func addSessions() throws {
        var (wipes, deletions, upserts, archives, drops) = (RowSet(), RowSet(), RowSet(), RowSet(), RowSet())
        for device in devices {
            let did = SQLValue.int(device.did)
            for (address, state) in device.sessions {
                let (name, rev) = (SQLValue.text(address), SQLValue.int(state.rev))
                if state.wipesArchive { wipes.append(did, name, rev) }
                guard let record = state.record else {
                    deletions.append(did, name, rev)
                    continue
                }
                let context = SealingContext.session(did: device.did, address: address)
                upserts.append(did, name, rev, .bytes(try envelope.storedRecord(record, context: context)))
                for (baseKey, change) in state.archive {
                    if let record = change.record {
                        let context = SealingContext.archive(did: device.did, address: address)
                        archives.append(
                            did, name, .bytes(baseKey), rev,
                            .bytes(try envelope.storedRecord(record, context: context)), SQLValue(change.order))
                    } else {
                        drops.append(did, name, .bytes(baseKey), rev)
                    }
                }
            }
        }
        append(SignalCommitStatements.wipeArchives, wipes)
        append(SignalCommitStatements.deleteSessions, deletions)
        append(SignalCommitStatements.upsertSessions, upserts)
        append(SignalCommitStatements.upsertArchives, archives)
        append(SignalCommitStatements.dropArchives, drops)
    }

    mutating func addSenderKeys() throws {
        var (upserts, deletions, removals, marks) = (RowSet(), RowSet(), RowSet(), RowSet())
        for device in devices {
            let did = SQLValue.int(device.did)
            for image in device.senderKeys.values {
                guard let record = image.record else {
                    deletions.append(did, .text(image.group), .text(image.sender), .int(image.rev))
                    continue
                }
                let context = SealingContext.senderKey(did: device.did, group: image.group, sender: image.sender)
                upserts.append(
                    did, .text(image.group), .text(image.sender), .int(image.rev),
                    .bytes(try envelope.storedRecord(record, context: context)))
            }
            for removal in device.markRemovals {
                switch removal {
                case .group(let group): removals.append(did, .text(group), .null)
                case .address(let address): removals.append(did, .null, .text(address))
                case .device(let group, let address): removals.append(did, .text(group), .text(address))
                }
            }
            for (key, keyID) in device.marks {
                marks.append(did, .text(key.group), .text(key.address), SQLValue(keyID))
            }
        }
        append(SignalCommitStatements.upsertSenderKeys, upserts)
        append(SignalCommitStatements.deleteSenderKeys, deletions)
        append(SignalCommitStatements.removeMarks, removals)
        append(SignalCommitStatements.upsertMarks, marks)
    }

    mutating func addKeys() throws {
        var (trusted, forgotten, new, uploaded, used, appState) =
            (RowSet(), RowSet(), RowSet(), RowSet(), RowSet(), RowSet())
        for device in devices {
            let did = SQLValue.int(device.did)
            for (address, identity) in device.identities {
                if let identity {
                    trusted.append(did, .text(address), .bytes(identity))
                } else {
                    forgotten.append(did, .text(address))
                }
            }
            for (id, state) in device.preKeys {
                switch state {
                case .new(let key):
                    let context = SealingContext.preKey(did: device.did, id: id)
                    new.append(
                        did, SQLValue(id), .bytes(try envelope.seal(key.privateKey, context: context)),
                        .bool(key.uploaded))
                case .uploaded: uploaded.append(did, SQLValue(id))
                case .used: used.append(did, SQLValue(id))
                }
            }
            for key in device.appStateKeys.values {
                let context = SealingContext.appStateKey(did: device.did)
                appState.append(
                    did, .bytes(key.keyID), .bytes(try envelope.storedRecord(key.keyData.bytes, context: context)),
                    .bytes(key.fingerprint), .int(key.timestamp))
            }
        }
        append(SignalCommitStatements.upsertIdentities, trusted)
        append(SignalCommitStatements.deleteIdentities, forgotten)
        append(SignalCommitStatements.insertPreKeys, new)
        append(SignalCommitStatements.markPreKeysUploaded, uploaded)
        append(SignalCommitStatements.deletePreKeys, used)
        append(SignalCommitStatements.upsertAppStateKeys, appState)
    }
}
