import Cryptography
import Testing

@testable import Messaging

@Suite("Media files against the reference's vectors")
struct MediaVectors {
    @Test("every upload, download, rejection and media retry of media.json")
    func vectors() throws {
        try VectorFile("media").run { vector in
            if vector.has("retry_key") {
                try retry(vector)
            } else if vector.has("uploaded"), vector.has("media_key") {
                try upload(vector)
            } else if vector.name == "newsletter image (not encrypted)" {
                try newsletter(vector)
            } else if vector.name.hasPrefix("reject download: ") {
                try rejectedDownload(vector)
            } else {
                throw vector.unknown(vector.name)
            }
        }
    }

    private func kind(_ vector: VectorCase) throws -> MediaKind {
        let info = try vector.string("media_type")
        guard let kind = MediaKind.allCases.first(where: { $0.keyInfo == info }) else { throw vector.unknown(info) }
        return kind
    }

    private func upload(_ vector: VectorCase) throws {
        let (kind, mediaKey, file) = (try kind(vector), try vector.hex("media_key"), try vector.hex("plaintext"))
        let keys = try MediaKeys(mediaKey: mediaKey, kind: kind)
        #expect(try keys.iv == vector.hex("iv"))
        #expect(try keys.cipherKey.bytes == vector.hex("cipher_key"))
        #expect(try keys.macKey.bytes == vector.hex("mac_key"))
        #expect(try keys.referenceKey.bytes == vector.hex("ref_key"))

        let media = try MediaCipher.encrypt(file, mediaKey: mediaKey, kind: kind)
        #expect(try media.body == vector.hex("uploaded"))
        #expect(media.body.count == MediaCipher.bodyCount(file.count))
        #expect(try media.fileSHA256 == vector.hex("file_sha256"))
        #expect(try media.fileEncSHA256 == vector.hex("file_enc_sha256"))
        #expect(try media.fileLength == vector.int("file_length"))
        let decrypted = try MediaCipher.decrypt(
            media.body, mediaKey: mediaKey, kind: kind, fileEncSHA256: media.fileEncSHA256,
            fileSHA256: media.fileSHA256)
        #expect(decrypted == file)

        #expect(try kind.serverType == vector.string("mms_type"))
        let request = MediaUploadRequest(encrypted: kind, hash: media.fileEncSHA256, auth: "auth-token")
        try check(request, vector)
        let headers = Dictionary(uniqueKeysWithValues: MediaUploadRequest.headers.map { ($0.name, $0.value) })
        #expect(try headers["Origin"] == vector.string("upload_origin"))
        #expect(try headers["Referer"] == vector.string("upload_referer"))
    }

    private func newsletter(_ vector: VectorCase) throws {
        let file = try vector.hex("plaintext")
        #expect(try vector.hex("uploaded") == file)
        let hash = SHA256Digest.hash(file)
        #expect(try hash == vector.hex("file_sha256"))
        #expect(try file.count == vector.int("file_length"))
        try check(MediaUploadRequest(newsletter: .image, hash: hash, auth: "auth-token"), vector)
    }

    private func check(_ request: MediaUploadRequest, _ vector: VectorCase) throws {
        #expect(try request.path == vector.string("upload_path"))
        let query = try vector.object("upload_query")
        #expect(try query.strings("token") == [request.token])
        #expect(try query.strings("auth") == [request.auth])
    }

    private func rejectedDownload(_ vector: VectorCase) throws {
        let (kind, mediaKey, body) = (try kind(vector), try vector.hex("media_key"), try vector.hex("downloaded"))
        let (encrypted, plain) = (try vector.hex("file_enc_sha256"), try vector.hex("file_sha256"))
        let (expected, text): (MediaError, String) =
            switch vector.name {
            case "reject download: mac", "reject download: ciphertext": (.macMismatch, "invalid media hmac")
            case "reject download: enc sha": (.encryptedHashMismatch, "hash of media ciphertext doesn't match")
            case "reject download: plain sha": (.hashMismatch, "hash of media plaintext doesn't match")
            case "reject download: too short": (.invalidLength(bytes: body.count), "file too short")
            default: throw vector.unknown(vector.name)
            }
        #expect(try vector.string("error").hasSuffix(text), "\(vector.name)")
        #expect(throws: expected) {
            try MediaCipher.decrypt(
                body, mediaKey: mediaKey, kind: kind, fileEncSHA256: encrypted, fileSHA256: plain)
        }
    }

    private func retry(_ vector: VectorCase) throws {
        let retry = try MediaRetry(mediaKey: vector.hex("media_key"), messageID: vector.string("message_id"))
        #expect(try retry.keyBytes == vector.hex("retry_key"))
        let receipt = try vector.object("receipt")
        #expect(try retry.requestPlaintext == receipt.hex("plaintext"))
        #expect(try retry.request(iv: receipt.hex("enc_iv")) == receipt.hex("enc_p"))

        let notification = try vector.object("notification")
        let answer = try retry.answer(payload: notification.hex("enc_p"), iv: notification.hex("enc_iv"))
        switch try notification.int("result") {
        case 0: #expect(answer == .generalError)
        case 1: #expect(try answer == .uploaded(directPath: notification.string("direct_path"), messageSecret: nil))
        case 2: #expect(answer == .notFound)
        case 3: #expect(answer == .decryptionError)
        default: throw notification.unknown("result")
        }
        let other = try MediaRetry(mediaKey: vector.hex("media_key"), messageID: "3EB0")
        #expect(throws: MediaError.malformedRetry) {
            try other.answer(payload: notification.hex("enc_p"), iv: notification.hex("enc_iv"))
        }
    }
}
