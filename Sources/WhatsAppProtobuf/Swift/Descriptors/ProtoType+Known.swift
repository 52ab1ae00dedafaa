/// The types that the gateway names in code; every other one is reached by `ProtoType.named`.
extension ProtoType {
    // Noise handshake and login.
    package static let handshakeMessage = known("WAWebProtobufsWa6.HandshakeMessage")
    package static let clientPayload = known("WAWebProtobufsWa6.ClientPayload")
    package static let certChain = known("WACert.CertChain")
    package static let noiseCertificateDetails = known("WACert.CertChain.NoiseCertificate.Details")

    // Pairing.
    package static let deviceProps = known("WACompanionReg.DeviceProps")
    package static let clientPairingProps = known("WACompanionReg.ClientPairingProps")
    package static let companionEphemeralIdentity = known("WACompanionReg.CompanionEphemeralIdentity")
    package static let primaryEphemeralIdentity = known("WACompanionReg.PrimaryEphemeralIdentity")
    package static let prologuePayload = known("WACompanionReg.ProloguePayload")
    package static let pairingRequest = known("WACompanionReg.PairingRequest")
    package static let encryptedPairingRequest = known("WACompanionReg.EncryptedPairingRequest")
    package static let advSignedDeviceIdentityHMAC = known("WAAdv.ADVSignedDeviceIdentityHMAC")
    package static let advSignedDeviceIdentity = known("WAAdv.ADVSignedDeviceIdentity")
    package static let advDeviceIdentity = known("WAAdv.ADVDeviceIdentity")
    package static let advSignedKeyIndexList = known("WAAdv.ADVSignedKeyIndexList")
    package static let advKeyIndexList = known("WAAdv.ADVKeyIndexList")

    // Signal.
    package static let signalMessage = known("textsecure.SignalMessage")
    package static let preKeySignalMessage = known("textsecure.PreKeySignalMessage")
    package static let senderKeyMessage = known("textsecure.SenderKeyMessage")
    package static let senderKeyDistributionMessage = known("textsecure.SenderKeyDistributionMessage")
    package static let sessionStructure = known("textsecure.SessionStructure")
    package static let recordStructure = known("textsecure.RecordStructure")
    package static let senderKeyRecordStructure = known("textsecure.SenderKeyRecordStructure")

    // Message content.
    package static let message = known("WAWebProtobufsE2E.Message")
    package static let contextInfo = known("WAWebProtobufsE2E.ContextInfo")
    package static let messageContextInfo = known("WAWebProtobufsE2E.MessageContextInfo")
    package static let extendedTextMessage = known("WAWebProtobufsE2E.ExtendedTextMessage")
    package static let protocolMessage = known("WAWebProtobufsE2E.ProtocolMessage")
    package static let deviceSentMessage = known("WAWebProtobufsE2E.DeviceSentMessage")
    package static let senderKeyDistribution = known("WAWebProtobufsE2E.SenderKeyDistributionMessage")
    package static let futureProofMessage = known("WAWebProtobufsE2E.FutureProofMessage")
    package static let pollVoteMessage = known("WAWebProtobufsE2E.PollVoteMessage")
    package static let pollEncValue = known("WAWebProtobufsE2E.PollEncValue")
    package static let eventResponseMessage = known("WAWebProtobufsE2E.EventResponseMessage")
    package static let reactionMessage = known("WAWebProtobufsE2E.ReactionMessage")
    package static let messageKey = known("WACommon.MessageKey")
    package static let webMessageInfo = known("WAWebProtobufsWeb.WebMessageInfo")

    // History, app state, media retry and the rest.
    package static let historySync = known("WAWebProtobufsHistorySync.HistorySync")
    package static let syncdPatch = known("WAWebProtobufsServerSync.SyncdPatch")
    package static let syncdSnapshot = known("WAWebProtobufsServerSync.SyncdSnapshot")
    package static let syncdMutation = known("WAWebProtobufsServerSync.SyncdMutation")
    package static let syncdMutations = known("WAWebProtobufsServerSync.SyncdMutations")
    package static let syncdRecord = known("WAWebProtobufsServerSync.SyncdRecord")
    package static let externalBlobReference = known("WAWebProtobufsServerSync.ExternalBlobReference")
    package static let syncActionData = known("WAWebProtobufSyncAction.SyncActionData")
    package static let syncActionValue = known("WAWebProtobufSyncAction.SyncActionValue")
    package static let syncdSnapshotRecovery = known("WAWebProtobufsSyncdSnapshotRecovery.SyncdSnapshotRecovery")
    package static let mediaRetryNotification = known("WAMmsRetry.MediaRetryNotification")
    package static let serverErrorReceipt = known("WAMmsRetry.ServerErrorReceipt")
    package static let verifiedNameCertificate = known("WAWebProtobufsVnameCert.VerifiedNameCertificate")
    package static let verifiedNameDetails = known("WAWebProtobufsVnameCert.VerifiedNameCertificate.Details")
    package static let lidMigrationMapping =
        known("WAWebProtobufLidMigrationSyncPayload.LIDMigrationMappingSyncPayload")

    private static func known(_ fullName: String) -> ProtoType {
        guard let type = named(fullName) else { preconditionFailure("the schema has no \(fullName)") }
        return type
    }
}
