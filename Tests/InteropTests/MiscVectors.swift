import Cryptography
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

@Suite("Hashes, secrets, payloads and ids against the reference's vectors")
struct MiscVectors {
    @Test("every case of misc.json but the JIDs, which have a suite of their own")
    func vectors() throws {
        try VectorFile("misc").run(excluding: JIDVectors.names) { vector in
            switch vector.name {
            case "participant list hash v2": try participantHash(vector)
            case "message secret key": try secretKey(vector)
            case "bot message secret": #expect(try secret(vector).forBot.bytes == vector.hex("derived"))
            case "poll vote": try pollVote(vector)
            case "poll option hash":
                #expect(try PollVote.hash(vector.string("option")) == vector.hex("hash"))
            case "encrypted reaction":
                try addOn(vector, .encryptedReaction, author: "target_sender", by: "reactor", id: "target_id")
            case "encrypted comment":
                try addOn(vector, .encryptedComment, author: "target_sender", by: "commenter", id: "target_id")
            case "event response":
                try addOn(vector, .eventResponse, author: "event_sender", by: "responder", id: "event_id")
            case "secret encrypted message: event edit": try edit(vector, "EVENT_EDIT")
            case "secret encrypted message: message edit": try edit(vector, "MESSAGE_EDIT")
            case "reporting token": try reportingToken(vector)
            case "pad":
                let random = try #require(try vector.hex("random_byte").first)
                #expect(try MessagePadding.pad(vector.hex("plaintext"), random: random) == vector.hex("padded"))
            case "unpad": try unpad(vector)
            case "message and device-sent wrapper": try deviceSent(vector)
            case "registration client payload": try registration(vector)
            case "login client payload": try login(vector)
            case "prekey nodes": try preKeys(vector)
            case "message id":
                let user = try vector.string("user")
                let id = try MessageID.make(
                    seconds: Int64(vector.int("unix")), user: user.isEmpty ? nil : user,
                    random: vector.hex("random16"))
                #expect(try id == vector.string("id"))
            case "cstoken":
                #expect(try CSToken.make(for: jid(vector, "to"), salt: vector.hex("salt")) == vector.hex("token"))
            default: throw vector.unknown(vector.name)
            }
        }
    }

    private func jid(_ vector: VectorCase, _ key: String) throws -> JID {
        let text = try vector.string(key)
        guard let jid = JID(text) else { throw vector.unknown("\(text) is no JID") }
        return jid
    }

    private func secret(_ vector: VectorCase) throws -> MessageSecret {
        try #require(MessageSecret(vector.hex("message_secret")))
    }

    private func participantHash(_ vector: VectorCase) throws {
        let devices = try vector.strings("devices").compactMap { JID($0) }
        #expect(try devices.map(\.adDescription) == vector.strings("hashed_forms"))
        #expect(try ParticipantHash.version2(devices) == vector.string("phash"))
        #expect(try ParticipantHash.version2(devices.reversed()) == vector.string("phash"))
    }

    private func secretKey(_ vector: VectorCase) throws {
        guard let use = MessageSecret.Use(rawValue: try vector.string("use")) else {
            throw vector.unknown(try vector.string("use"))
        }
        let target = MessageSecret.Target(
            messageID: try vector.string("original_id"), author: try jid(vector, "original_sender"),
            modifier: try jid(vector, "modification_sender"))
        let (secret, iv, plaintext) = (try secret(vector), try vector.hex("iv"), try vector.hex("plaintext"))
        #expect(try secret.key(use, target).bytes == vector.hex("key"))
        #expect(try MessageSecret.additionalData(use, target) == vector.hex("additional_data"))
        let sealed = try secret.seal(plaintext, for: use, target, iv: iv)
        #expect(try sealed == vector.hex("encrypted"))
        #expect(try secret.open(sealed, for: use, target, iv: iv) == plaintext)
    }

    private func addOn(
        _ vector: VectorCase, _ use: MessageSecret.Use, author: String, by modifier: String, id: String
    ) throws {
        let target = MessageSecret.Target(
            messageID: try vector.string(id), author: try jid(vector, author), modifier: try jid(vector, modifier))
        let (secret, iv) = (try secret(vector), try vector.hex("enc_iv"))
        let plaintext = try vector.hex("plaintext")
        #expect(try secret.open(vector.hex("enc_payload"), for: use, target, iv: iv) == plaintext)
        #expect(try secret.seal(plaintext, for: use, target, iv: iv) == vector.hex("enc_payload"))
        #expect(throws: CryptographyError.authenticationFailed) {
            try secret.open(vector.hex("enc_payload"), for: .reportToken, target, iv: iv)
        }
    }

    private func pollVote(_ vector: VectorCase) throws {
        let options = try vector.strings("options")
        let vote = PollVote(options)
        #expect(try vote.hashes == vector.hexes("option_hashes"))
        #expect(try vote.serialized() == vector.hex("vote_plaintext"))
        #expect(try PollVote(parsing: vector.hex("vote_plaintext")) == vote)

        let keyProtobuf = try vector.protobuf("poll_creation_key", as: .messageKey)
        let key = try #require(MessageKey(keyProtobuf))
        #expect(key.protobuf == keyProtobuf)
        let (voter, secret) = (try jid(vector, "voter"), try secret(vector))
        #expect(try key.author(sender: voter) == jid(vector, "poll_sender"))
        let message = try EncryptedAddOn.pollVote(
            options, poll: key, secret: secret, voter: voter, iv: vector.hex("enc_iv"), time: 1)
        let sent = try #require(message[message: "pollUpdateMessage"]?[message: "vote"])
        #expect(try sent[bytes: "encPayload"] == vector.hex("enc_payload"))
        let target = MessageSecret.Target(
            messageID: try vector.string("poll_id"), author: try jid(vector, "poll_sender"), modifier: voter)
        let opened = try secret.open(
            vector.hex("enc_payload"), for: .pollVote, target, iv: vector.hex("enc_iv"))
        #expect(opened == vote.serialized())
    }

    private func edit(_ vector: VectorCase, _ type: String) throws {
        let use = try #require(EncryptedAddOn.use(ofSecretType: type))
        #expect(try use.rawValue == vector.string("use"))
        try addOn(vector, use, author: "target_sender", by: "sender", id: "target_id")
        let parsed = try ProtoMessage(.message, parsing: vector.hex("message"))
        let key = try #require(parsed[message: "secretEncryptedMessage"]?[message: "targetMessageKey"])
        #expect(try key[string: "ID"] == vector.string("target_id"))
        let built = try EncryptedAddOn.edit(
            ProtoMessage(.message, parsing: vector.hex("plaintext")), of: key, type: type,
            target: MessageSecret.Target(
                messageID: vector.string("target_id"), author: jid(vector, "target_sender"),
                modifier: jid(vector, "sender")),
            secret: secret(vector), iv: vector.hex("enc_iv"))
        #expect(try built.serialized() == vector.hex("message"))
    }

    private func reportingToken(_ vector: VectorCase) throws {
        let (message, secret) = (try vector.hex("message"), try secret(vector))
        #expect(try vector.protobuf("message_json", as: .message).serialized() == message)
        let (id, sender, chat) = (try vector.string("id"), try jid(vector, "sender"), try jid(vector, "remote"))
        #expect(try ReportingToken.content(of: message) == vector.hex("hashed_content"))
        let key = ReportingToken.key(secret: secret, messageID: id, sender: sender, chat: chat)
        #expect(try key.bytes == vector.hex("key"))
        let token = ReportingToken.make(message: message, secret: secret, messageID: id, sender: sender, chat: chat)
        #expect(try token == vector.hex("token"))
        #expect(try String(ReportingToken.version) == vector.string("version"))
    }

    private func unpad(_ vector: VectorCase) throws {
        let (padded, version) = (try vector.hex("padded"), try vector.int("v"))
        switch try vector.optionalString("error") {
        case nil: #expect(try MessagePadding.unpad(padded, version: version) == vector.hex("plaintext"))
        case "plaintext is empty":
            #expect(throws: MessagePadding.Error.empty) { try MessagePadding.unpad(padded, version: version) }
        case "plaintext doesn't have expected padding":
            #expect(throws: MessagePadding.Error.malformed) { try MessagePadding.unpad(padded, version: version) }
        case let error?: throw vector.unknown(error)
        }
    }

    private func deviceSent(_ vector: VectorCase) throws {
        let message = try vector.protobuf("message_json", as: .message)
        #expect(try message.serialized() == vector.hex("plaintext"))
        let copy = MessagePlaintext.deviceSent(message, to: try jid(vector, "to"))
        #expect(try (copy?.serialized() ?? []) == vector.hex("device_sent_plaintext"))
    }

    private func registration(_ vector: VectorCase) throws {
        let version = try #require(ClientVersion(vector.string("app_version")))
        #expect(try version.buildHash == vector.hex("build_hash_is_md5_of_version"))
        let props = try vector.protobuf("device_props_json", as: .deviceProps)
        #expect(try props.serialized() == vector.hex("device_props"))
        let properties = CompanionProperties(name: "whatsmeow", version: ClientVersion(0, 1, 0), platform: "UNKNOWN")
        #expect(try properties.serialized() == vector.hex("device_props"))

        let signed = try vector.object("signed_prekey")
        let keys = DevicePublicKeys(
            registrationID: UInt32(try vector.int("registration_id")),
            identity: try PublicKey(raw: vector.object("identity").hex("public")),
            signedPreKeyID: UInt32(try signed.int("id")), signedPreKey: try PublicKey(raw: signed.hex("public")),
            signedPreKeySignature: try signed.hex("signature"))
        let payload = ClientPayload.registration(keys, properties: properties, version: version)
        #expect(try payload == vector.hex("payload"))
        #expect(try vector.protobuf("payload_json", as: .clientPayload).serialized() == payload)
    }

    private func login(_ vector: VectorCase) throws {
        let json = try vector.protobuf("payload_json", as: .clientPayload)
        let number = try #require(json[message: "userAgent"]?[message: "appVersion"])
        let version = ClientVersion(
            UInt32(number[uint: "primary"] ?? 0), UInt32(number[uint: "secondary"] ?? 0),
            UInt32(number[uint: "tertiary"] ?? 0))
        #expect(try ClientPayload.login(jid(vector, "jid"), version: version) == vector.hex("payload"))
        #expect(try json.serialized() == vector.hex("payload"))
    }

    private func preKeys(_ vector: VectorCase) throws {
        let nodes = try vector.objects("nodes").map(StanzaVector.stanza)
        let ids = try vector.list("ids").compactMap { ($0 as? Int).map { UInt32($0) } }
        #expect(nodes.count == ids.count)
        for (node, id) in zip(nodes, ids) {
            let key = try PublicKey(raw: #require(node.child("value")?.bytesContent))
            #expect(PreKeyStanzas.key(id: id, key) == node)
        }
        let signed = try StanzaVector.stanza(vector.object("signed"))
        let key = try PublicKey(raw: #require(signed.child("value")?.bytesContent))
        let signature = try #require(signed.child("signature")?.bytesContent)
        #expect(PreKeyStanzas.signedKey(id: 1, key, signature: signature) == signed)
    }
}
