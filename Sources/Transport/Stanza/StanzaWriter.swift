/// Writes one stanza into memory that ``StanzaBound`` measured: the bound is an upper limit of what these methods write,
/// so none of them checks for room.
struct StanzaWriter {
    private var cursor: UnsafeMutablePointer<UInt8>
    private let start: UnsafeMutablePointer<UInt8>
    private let tokens: TokenTable

    /// - Parameter start: room for at least the bound of the stanza.
    init(start: UnsafeMutablePointer<UInt8>) {
        cursor = start
        self.start = start
        tokens = .shared
    }

    /// Bytes written so far.
    var count: Int { cursor - start }

    mutating func write(_ stanza: Stanza) {
        var size = 1
        // Empty text attributes are left out, as the reference client does.
        stanza.attributes.entries.withUnsafeBufferPointer { entries in
            for index in entries.indices where !entries[index].value.isEmptyText { size &+= 2 }
        }
        if case .none = stanza.content {} else { size &+= 1 }
        writeListHeader(size)
        write(stanza.tag)
        stanza.attributes.entries.withUnsafeBufferPointer { entries in
            for index in entries.indices {
                switch entries[index].value {
                case .text(let text):
                    guard !text.isEmpty else { continue }
                    write(entries[index].key)
                    write(text)
                case .jid(let jid):
                    write(entries[index].key)
                    write(jid)
                }
            }
        }
        switch stanza.content {
        case .none: break
        case .bytes(let bytes): write(bytes)
        case .text(let text): write(text)
        case .jid(let jid): write(jid)
        case .children(let children):
            writeListHeader(children.count)
            children.withUnsafeBufferPointer { children in
                for index in children.indices { write(children[index]) }
            }
        }
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        cursor.pointee = byte
        cursor += 1
    }

    private mutating func writeListHeader(_ size: Int) {
        if size == 0 {
            put(WireByte.empty)
        } else if size < 256 {
            put(WireByte.list8)
            put(UInt8(truncatingIfNeeded: size))
        } else {
            put(WireByte.list16)
            put(UInt8(truncatingIfNeeded: size >> 8))
            put(UInt8(truncatingIfNeeded: size))
        }
    }

    private mutating func writeBinaryHeader(_ count: Int) {
        if count < 1 << 8 {
            put(WireByte.binary8)
        } else if count < 1 << 20 {
            put(WireByte.binary20)
            put(UInt8(truncatingIfNeeded: count >> 16))
            put(UInt8(truncatingIfNeeded: count >> 8))
        } else {
            put(WireByte.binary32)
            put(UInt8(truncatingIfNeeded: count >> 24))
            put(UInt8(truncatingIfNeeded: count >> 16))
            put(UInt8(truncatingIfNeeded: count >> 8))
        }
        put(UInt8(truncatingIfNeeded: count))
    }

    private mutating func write(_ bytes: [UInt8]) {
        writeBinaryHeader(bytes.count)
        bytes.withUnsafeBufferPointer { bytes in
            guard let source = bytes.baseAddress else { return }
            cursor.update(from: source, count: bytes.count)
            cursor += bytes.count
        }
    }

    private mutating func write(_ text: String) {
        var text = text
        text.withUTF8 { write(characters: $0) }
    }

    /// Token, else packed, else raw (01-transport, section 9.4).
    @inline(__always)
    private mutating func write(characters: UnsafeBufferPointer<UInt8>) {
        guard let source = characters.baseAddress, !characters.isEmpty else {
            put(WireByte.nibble8)
            put(0)
            return
        }
        let index = tokens.index(of: source, count: characters.count)
        if index >= TokenTable.singleByteCount {
            let position = index &- TokenTable.singleByteCount
            put(WireByte.dictionary0 &+ UInt8(truncatingIfNeeded: position >> 8))
            put(UInt8(truncatingIfNeeded: position))
            return
        }
        if index >= 0 {
            put(UInt8(truncatingIfNeeded: index &+ 1))
            return
        }
        if characters.count <= WireByte.longestPacked, writePacked(source, characters.count) { return }
        writeBinaryHeader(characters.count)
        cursor.update(from: source, count: characters.count)
        cursor += characters.count
    }

    /// Writes the string packed if its characters allow it; else writes nothing and returns false.
    @inline(__always)
    private mutating func writePacked(_ source: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        var alphabets = PackedAlphabet.nibble | PackedAlphabet.hex
        let output = cursor + 2
        var position = 0
        while position &+ 1 < count {
            let high = PackedAlphabet.classify(source[position])
            let low = PackedAlphabet.classify(source[position &+ 1])
            alphabets &= high & low
            if alphabets == 0 { return false }
            output[position >> 1] = high << 4 | (low & 0x0F)
            position &+= 2
        }
        var length = UInt8(truncatingIfNeeded: count &+ 1) >> 1
        if position < count {
            let last = PackedAlphabet.classify(source[position])
            alphabets &= last
            if alphabets == 0 { return false }
            output[position >> 1] = last << 4 | 0x0F
            length |= 0x80
        }
        cursor[0] = alphabets & PackedAlphabet.nibble != 0 ? WireByte.nibble8 : WireByte.hex8
        cursor[1] = length
        cursor += 2 + Int(length & 0x7F)
        return true
    }

    /// Layout: 01-transport, section 9.7.
    private mutating func write(_ jid: JID) {
        switch jid.server {
        case .user, .lid:
            if jid.device > 0 {
                writeDeviceJID(jid)
            } else {
                put(WireByte.jidPair)
                writeUserOrNothing(jid.user)
                put(jid.server == .user ? 0x03 : 0x76)
            }
        case .hosted, .hostedLID:
            writeDeviceJID(jid)
        case .messenger:
            put(WireByte.messengerJID)
            write(jid.user)
            write(jid.device)
            write(jid.server.name)
        case .interop:
            put(WireByte.interopJID)
            write(jid.user)
            write(jid.device)
            write(jid.integrator)
            write(jid.server.name)
        case .group:
            put(WireByte.jidPair)
            writeUserOrNothing(jid.user)
            put(0x1C)
        case .legacyUser, .broadcast, .newsletter, .bot, .call, .other:
            put(WireByte.jidPair)
            writeUserOrNothing(jid.user)
            write(jid.server.name)
        }
    }

    private mutating func writeDeviceJID(_ jid: JID) {
        put(WireByte.deviceJID)
        put(jid.server.domain)
        put(UInt8(truncatingIfNeeded: jid.device))
        write(jid.user)
    }

    private mutating func writeUserOrNothing(_ user: String) {
        if user.isEmpty { put(WireByte.empty) } else { write(user) }
    }

    private mutating func write(_ number: UInt16) {
        put(UInt8(truncatingIfNeeded: number >> 8))
        put(UInt8(truncatingIfNeeded: number))
    }
}
