import Cryptography
import OrderedCollections
import Transport
import WhatsAppProtobuf

/// Files of a phone: uploading, reading what came, uploading again on request (09, sections 19.2, 19.6).
extension Phone {
    /// Encrypts `bytes` and puts them on the media server. `key`: a media key to use again, else a new one.
    func upload(_ bytes: Bytes, type: String, info: String, key: Bytes? = nil) throws -> StoredMedia {
        let key = key ?? random("media/keys").bytes(32)
        let file = try MediaCipher(key: key, info: info).encrypt(bytes)
        let path = world.path(of: world.storeMedia(file, type: type, owner: account.phone))
        return StoredMedia(
            key: key, directPath: path, url: "https://\(world.mediaHosts.first ?? "mmg.whatsapp.net")\(path)",
            sha256: SHA256Digest.hash(bytes), encryptedSHA256: SHA256Digest.hash(file), length: bytes.count)
    }

    /// The plaintext of a message's file; `nil` when it is no longer stored, or does not open with the message's key.
    func file(of content: MessageContent) -> Bytes? {
        guard let media = content.media, let file = world.mediaBytes(atPath: media.directPath) else { return nil }
        return try? MediaCipher(key: media.key, info: media.kind.info).decrypt(file)
    }

    // MARK: Media retry

    /// `MediaRetryNotification.result`.
    private enum RetryResult: UInt64 {
        case success = 1
        case notFound = 2
        case decryptionError = 3
    }

    /// `<receipt type="server-error">` of an own companion: a file could not be downloaded.
    func answerMediaRetry(_ receipt: Stanza) {
        guard let id = receipt.id, let from = receipt.from, let device = world.device(from), device.account === account
        else { return }
        emit(
            .phoneRequest,
            [
                "id": .string(id), "from_device": .number(device.id),
                "type": receipt["category"] == "peer" ? "history_reupload" : "media_retry",
            ])
        guard let rmr = receipt.child("rmr") else { return resendHistory(id, to: device) }
        let chat = rmr.jid("jid").map { world.account($0)?.lidJID ?? $0.bare }
        guard let message = chat.flatMap({ log.message(id, in: $0) }), let media = message.message.media else {
            return notifyMediaRetry(id, rmr, [Stanza("error", ["code": "2"])])
        }
        var answer = ProtoWriter()
        answer.string(1, id)
        if !isReadable(receipt.child("encrypt"), id: id, key: media.key) {
            answer.varint(3, RetryResult.decryptionError.rawValue)
        } else if let bytes = file(of: message.message),
            let again = try? upload(bytes, type: media.kind.uploadType, info: media.kind.info, key: media.key)
        {
            answer.string(2, again.directPath)
            answer.varint(3, RetryResult.success.rawValue)
        } else {
            answer.varint(3, RetryResult.notFound.rawValue)
        }
        let iv = random("media/retry").bytes(12)
        guard
            let sealed = try? AESGCM.seal(
                answer.bytes, key: Self.retryKey(media.key), nonce: iv, aad: Bytes(id.utf8))
        else { return }
        notifyMediaRetry(
            id, rmr,
            [
                Stanza("encrypt", children: [Stanza("enc_p", bytes: sealed), Stanza("enc_iv", bytes: iv)])
            ])
    }

    nonisolated static func retryKey(_ mediaKey: Bytes) -> Bytes {
        HKDFSHA256.derive(
            inputKeyMaterial: mediaKey, info: Bytes("WhatsApp Media Retry Notification".utf8), count: 32)
    }

    /// Whether the request was made with the message's media key and names the message.
    private func isReadable(_ encrypt: Stanza?, id: String, key: Bytes) -> Bool {
        guard let ciphertext = encrypt?.child("enc_p")?.bytesContent, let iv = encrypt?.child("enc_iv")?.bytesContent,
            let plaintext = try? AESGCM.open(ciphertext, key: Self.retryKey(key), nonce: iv, aad: Bytes(id.utf8))
        else { return false }
        return ProtoFields(lenient: plaintext).string(1) == id
    }

    private func notifyMediaRetry(_ id: String, _ rmr: Stanza, _ children: [Stanza]) {
        for device in account.companions {
            world.deliver(
                Stanza(
                    "notification",
                    [
                        "from": .jid(account.pn), "id": .text(id), "t": .int(world.clock.seconds),
                        "type": "mediaretry",
                    ], children: children + [Stanza("rmr", rmr.attributes)]),
                to: device)
        }
    }
}
