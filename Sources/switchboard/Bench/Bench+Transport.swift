import Cryptography
import NIOCore
import Transport

extension Benchmark {
    /// Stanza codec, Noise and the way to an open connection.
    static let transport: [Benchmark] =
        [
            encode("direct message", .directMessage), decode("direct message", .directMessage),
            encode("group of 512", .groupMessage), decode("group of 512", .groupMessage),
            encode("ack", .acknowledgement), decode("ack", .acknowledgement),
            encode("usync answer of 500", .usyncAnswer), decode("usync answer of 500", .usyncAnswer),
            encode("blob of 60 KB", .blob), decode("blob of 60 KB", .blob),
        ] + [200, 600, 1500, 65_536].flatMap { [seal($0), open($0)] } + [
            .repeating("stanza of a direct message to websocket bytes and back") {
                let key = SecretBytes(SystemRandom().bytes(32))
                var (sending, receiving) = (try NoiseCipher(key: key), try NoiseCipher(key: key))
                let stanza = Stanza.directMessage
                return {
                    var buffer = ByteBuffer()
                    try FrameEncoder.encode(stanza, with: &sending, into: &buffer)
                    buffer.moveReaderIndex(forwardBy: 3)
                    try receiving.open(&buffer)
                    keep(try StanzaCodec.decode(frame: buffer))
                }
            },
            .repeating("noise handshake, both roles, no socket") {
                let server = try HandshakeResponder()
                let client = KeyPair.generate()
                return { try server.handshake(with: client) }
            },
            connectAndHandshake, lookUp("in the dictionary", words), lookUp("of ids and addresses", names),
        ]

    /// Words that every stanza has.
    private static let words = [
        "message", "participants", "device-identity", "receipt", "participant", "notification", "enc", "type", "text",
        "to",
        "id", "s.whatsapp.net", "g.us", "media", "retry", "read", "result", "xmlns", "w:profile:picture", "usync",
    ]

    /// What is no word: 10,000 message ids and users, of the lengths that stanzas have.
    private static let names: [String] = (0..<5_000).flatMap { (number: Int) -> [String] in
        let id = String(number * 7919 + 16_777_216, radix: 16)
        return ["3EB0C767D0971F" + id, "\(15_551_000_000 + number)"]
    }

    /// The writer's question for each string: is it a word of the dictionary, and which?
    private static func lookUp(_ name: String, _ strings: [String]) -> Benchmark {
        Benchmark("token lookup \(name)") {
            let bytes = strings.map { Bytes($0.utf8) }
            let table = TokenTable.shared
            return { count in
                {
                    var found = 0
                    for number in 0..<count {
                        bytes[number % bytes.count].withUnsafeBufferPointer { text in
                            if let start = text.baseAddress { found &+= table.index(of: start, count: text.count) }
                        }
                    }
                    keep(found)
                }
            }
        }
    }

    private static func encode(_ name: String, _ stanza: Stanza) -> Benchmark {
        .repeating("stanza encode, \(name)") {
            var buffer = ByteBufferAllocator().buffer(capacity: 1 << 17)
            return {
                buffer.clear()
                try StanzaCodec.encodeFrame(stanza, into: &buffer)
            }
        }
    }

    private static func decode(_ name: String, _ stanza: Stanza) -> Benchmark {
        .repeating("stanza decode, \(name)") {
            let frame = ByteBuffer(bytes: try StanzaCodec.encodeFrame(stanza))
            return { keep(try StanzaCodec.decode(frame: frame)) }
        }
    }

    private static func seal(_ size: Int) -> Benchmark {
        Benchmark("noise seal \(size) B in place", unit: "MB/s", bytes: size) {
            let fresh = try NoiseCipher(key: SecretBytes(SystemRandom().bytes(32)))
            return { count in
                {
                    var cipher = fresh
                    var buffer = ByteBuffer(repeating: 7, count: size)
                    buffer.reserveCapacity(size + NoiseCipher.tagCount)
                    for _ in 0..<count {
                        buffer.moveWriterIndex(to: size)
                        try cipher.seal(&buffer, from: 0)
                    }
                }
            }
        }
    }

    private static func open(_ size: Int) -> Benchmark {
        Benchmark("noise open \(size) B, copied in", unit: "MB/s", bytes: size) {
            let fresh = try NoiseCipher(key: SecretBytes(SystemRandom().bytes(32)))
            var sealing = fresh
            var sealed = ByteBuffer(repeating: 7, count: size)
            try sealing.seal(&sealed, from: 0)
            let frame = sealed
            return { count in
                {
                    var buffer = ByteBufferAllocator().buffer(capacity: size + NoiseCipher.tagCount)
                    for _ in 0..<count {
                        // The same frame each time, so the counter starts over with it.
                        var cipher = fresh
                        buffer.clear()
                        buffer.writeImmutableBuffer(frame)
                        try cipher.open(&buffer)
                    }
                }
            }
        }
    }
}

extension Stanza {
    /// A text to two devices of the recipient and one of ours: 592 bytes.
    static let directMessage = Stanza(
        "message",
        [
            "id": "3EB0C767D0971FF8F7AB", "to": .jid(.lid("123456789012345")), "type": "text", "phash": "2:9jUvXGpB",
            "addressing_mode": "lid", "t": "1700000000",
        ],
        children: [
            Stanza(
                "participants",
                children: [
                    recipient(.lid("123456789012345"), "msg", 99),
                    recipient(.lid("123456789012345", device: 5), "msg", 99),
                    recipient(.lid("987654321098765"), "pkmsg", 99),
                ]),
            Stanza("device-identity", bytes: Bytes(repeating: 3, count: 130)),
        ])

    /// A message that brings a sender key's distribution to 512 devices in the smallest form: 20 KB.
    static let groupMessage = Stanza(
        "message",
        [
            "id": "3EB0C767D0971FF8F7AB", "to": .jid(.group("120363041234567890")), "type": "text",
            "phash": "2:9jUvXGpB", "addressing_mode": "lid",
        ],
        children: [
            Stanza(
                "participants",
                children: (0..<512).map { number in
                    recipient(.lid(String(123_456_789_012_345 + number * 7919), device: UInt16(number % 64)), "msg", 12)
                }), Stanza("enc", ["v": "2", "type": "skmsg"], bytes: Bytes(repeating: 9, count: 150)),
        ])

    static let acknowledgement = Stanza(
        "ack",
        [
            "class": "receipt", "id": "3EB0C767D0971FF8F7AB", "to": .jid(.user("15551234567")),
            "participant": .jid(.lid("123456789012345", device: 7)), "type": "read",
        ])

    static let usyncAnswer = Stanza(
        "iq", ["from": .jid(.serverJID), "id": "12.34-567", "type": "result"],
        children: [
            Stanza(
                "usync", ["mode": "query", "sid": "12.34-566"],
                children: [
                    Stanza(
                        "list",
                        children: (0..<500).map { number in
                            Stanza(
                                "user", ["jid": .jid(.user(String(15_551_000_000 + number)))],
                                children: [
                                    Stanza(
                                        "devices",
                                        children: [
                                            Stanza(
                                                "device-list",
                                                children: [
                                                    Stanza("device", ["id": "0"]),
                                                    Stanza("device", ["id": "7", "key-index": "3"]),
                                                ]),
                                            Stanza("key-index-list", ["ts": "1700000000"]),
                                        ])
                                ])
                        })
                ])
        ])

    static let blob = Stanza("iq", ["id": "1", "type": "set"], bytes: Bytes(repeating: 5, count: 60_000))

    private static func recipient(_ jid: JID, _ type: String, _ count: Int) -> Stanza {
        Stanza(
            "to", ["jid": .jid(jid)],
            children: [Stanza("enc", ["v": "2", "type": .text(type)], bytes: Bytes(repeating: 7, count: count))])
    }
}
