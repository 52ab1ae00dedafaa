import Cryptography
import Sandbox
import Testing

@Suite struct LinkingTextTests {
    private let noise = Bytes(repeating: 0xFB, count: 32)
    private let identity = Bytes(repeating: 0xFF, count: 32)
    private let secret = Bytes(repeating: 0x3F, count: 32)

    private func text(_ encode: (Bytes) -> String, ref: String = "2@abc", type: String? = "1", prefix: String = "")
        -> String
    {
        prefix
            + ([ref, encode(noise), encode(identity), encode(secret)] + (type.map { [$0] } ?? [])).joined(
                separator: ",")
    }

    @Test("a QR text is read with and without URL, with four or five parts, in both base64 alphabets")
    func forms() throws {
        let forms = [
            text({ Base64.encode($0) }), text({ Base64.encode($0) }, type: nil),
            text({ Base64.encodeURLSafe($0) }), text({ Base64.encode($0) }, prefix: LinkingQRText.urlPrefix),
            text({ Base64.encode($0) }, type: nil, prefix: LinkingQRText.urlPrefix),
            text({ Base64.encodeURLSafe($0) }, prefix: "HTTPS://wa.me/settings/linked_devices#"),
            "\n " + text({ Base64.encode($0) }) + " \n", text({ Base64.encode($0) }, type: ""),
        ]
        for form in forms {
            let qr = try LinkingQRText(form)
            #expect(qr.reference == "2@abc")
            #expect(qr.noisePublic == noise)
            #expect(qr.identityPublic == identity)
            #expect(qr.advSecret == secret)
        }
        #expect(try LinkingQRText(text({ Base64.encode($0) }, ref: "a,b,c")).reference == "a,b,c")
    }

    @Test("texts that are no linking QR codes are refused with the reason")
    func refusals() {
        #expect(throws: LinkingQRText.ParsingError.partCount(1)) { try LinkingQRText("https://example.org") }
        #expect(throws: LinkingQRText.ParsingError.emptyReference) {
            try LinkingQRText(text({ Base64.encode($0) }, ref: ""))
        }
        #expect(throws: LinkingQRText.ParsingError.invalidKey("ADV secret")) {
            try LinkingQRText("a,\(Base64.encode(noise)),\(Base64.encode(identity)),AAAA,1")
        }
        #expect(throws: LinkingQRText.ParsingError.invalidKey("noise key")) {
            try LinkingQRText("a,zzz,\(Base64.encode(identity)),\(Base64.encode(secret)),1")
        }
    }

    @Test(
        "codes are typed in any case, with dashes and blanks",
        arguments: [("vtpv-xvr2", "VTPVXVR2"), (" VTPV XVR2\n", "VTPVXVR2"), ("bottest1", "BOTTEST1")])
    func codes(_ typed: String, _ characters: String) {
        #expect(LinkCode(typed: typed)?.characters == characters)
    }

    @Test("the codes of known random bytes, and texts that are no codes")
    func codeExamples() {
        #expect(LinkCode(random: [0, 1, 2, 3, 4])?.characters == "111H51R5")
        #expect(LinkCode(random: [255, 255, 255, 255, 255])?.characters == "ZZZZZZZZ")
        #expect(LinkCode(random: [0xDE, 0xAD, 0xBE, 0xEF, 1])?.shown == "VTPV-XVR2")
        for wrong in ["", "1234567", "123456789", "ÄBCDEFGH"] { #expect(LinkCode(typed: wrong) == nil) }
    }
}
