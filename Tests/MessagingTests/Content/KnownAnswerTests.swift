import Cryptography
import Testing
import Transport
import WhatsAppProtobuf

@testable import Messaging

/// Known answers of 05-message-content, section 27, and 04-message-pipeline, sections 4.4 and 10.2.
@Suite("Known answers of message secrets and hashes")
struct KnownAnswerTests {
    private let secret = MessageSecret((0..<32).map { UInt8($0) })!
    private let target = MessageSecret.Target(
        messageID: "3EB0A1B2C3D4E5F60718AA", author: .lid("100000012345678", device: 7),
        modifier: .lid("200000087654321", device: 3))
    private let iv: Bytes = (0x10...0x1B).map { UInt8($0) }

    @Test(
        "each use has its own key",
        arguments: [
            (MessageSecret.Use.pollVote, "487ce00f645754edf197f2d8a138d83452762fa56e0179bd15de209c65a86a67"),
            (.eventResponse, "9d9b1c88566853a1fe562b9e21fa763b2ccd58cc478af7286fba8c5b0413c5b5"),
            (.encryptedReaction, "c37199d92c681afa9b9cfd5d3203536b2d83e03efd6a0a3360e33c86088b8008"),
            (.encryptedComment, "e04e6fba1247b488fdfecaa4ef8a24caaab84bd8be6455857e03e506bac450dd"),
            (.eventEdit, "45d860e9f08419dc5451017abd4220f0de4a72362a7a5b45c0671b35d615da2d"),
            (.messageEdit, "151eb8851c2fe796f370fe5a4d2092390c3cc2dc61a903e70d57c285e581c2da"),
            (.pollEdit, "03828944d7a5cf534a4eb85f77d79f3bb66c3055243bddef86448763a7cb041f"),
            (.pollAddOption, "604a9178996ec8fb81a45a87c45122e9d1c51733c661e10acd6c9a0df8f68e9d"),
            (.reportToken, "75a82fba219394f41775fa80222c37ebc85d87ba39940c58c6843a2056b78789"),
        ])
    func keys(use: MessageSecret.Use, key: String) {
        #expect(Hex.encode(secret.key(use, target).bytes) == key)
    }

    @Test("a bot's answer is keyed by the secret that the bot got")
    func bot() {
        #expect(
            Hex.encode(secret.forBot.bytes) == "d1cbc04433bd046eb826f6c5bddee57b838b803f6577239a4d67676df1207839")
        var answer = target
        answer.modifier = JID(user: "867051314767696", server: .bot)
        #expect(
            Hex.encode(secret.forBot.key(.botAnswer, answer).bytes)
                == "fc0cbdaf6ba9ff8830269a1d8817fbdd76529299e1cf62b8013a0d023f5d2bbc")
        #expect(
            Hex.encode(MessageSecret.additionalData(.botAnswer, answer))
                == "334542304131423243334434453546363037313841410038363730353133313437363736393640626f74")
    }

    @Test("a vote for two options is encrypted as the reference does")
    func vote() throws {
        let sealed = try secret.seal(
            PollVote(["yes", "Ünïcode 🐈"]).serialized(), for: .pollVote, target, iv: iv)
        let expected =
            "8cb34fb895635b616591426bf3c28d24d04907f8525647435d37182c48c41188406e5a15ca496f439cf62e3aeb63500592e7c92a"
            + "f5569fb0ee19e1c0003bf7d6d176e85efc71aba32d04f7f231eb60b650fa213a"
        #expect(Hex.encode(sealed) == expected)
    }

    @Test("a reporting token covers text, flags and forwards, nothing else")
    func reporting() throws {
        let message = try #require(
            Hex.decode(
                "32160a0568656c6c6f3201788a01090a0141a80102b001019a02221a20000102030405060708090a0b0c0d0e0f1011121314"
                    + "15161718191a1b1c1d1e1f"))
        #expect(Hex.encode(ReportingToken.content(of: message)) == "32100a0568656c6c6f8a0106a80102b00101")
        let token = ReportingToken.make(
            message: message, secret: secret, messageID: target.messageID, sender: .lid("100000012345678"),
            chat: .lid("200000087654321"))
        #expect(Hex.encode(token) == "c0c6b32f7138ca23eff2f043d9b98eaa")
        #expect(ReportingToken.content(of: [0x0A, 0x05, 0x61]) == [])
    }

    @Test("a set of devices hashes the same in any order and either addressing")
    func participants() {
        let byNumber = [JID.user("4915112345678"), .user("4915112345678", device: 12), .user("4915198765432")]
        #expect(ParticipantHash.version2(byNumber.reversed()) == "2:mKjmY5rY")
        let byLID = [
            JID.lid("100000012345678"), .lid("100000012345678", device: 3), .lid("200000098765432"),
            .lid("200000098765432", device: 17),
        ]
        #expect(ParticipantHash.version2(byLID) == "2:sPu83/+0")
    }

    @Test("a cstoken is the recipient's LID under the account's salt")
    func csToken() {
        let salt = SHA256Digest.hash(Bytes("kat/nct-salt".utf8))
        #expect(
            Hex.encode(CSToken.make(for: .lid("100000012345678", device: 4), salt: salt))
                == "6254dfdad49e9014ccbb9f242f8f9e95b848bf6f8e785c32a15f08d3cc65eaa6")
    }
}
