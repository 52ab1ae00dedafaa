/// Reads one stanza from memory. Every length is checked against what is left before anything is read or allocated.
struct StanzaReader {
    private var cursor: UnsafePointer<UInt8>
    private let end: UnsafePointer<UInt8>
    private let tokens: TokenTable
    /// Where the attributes of the elements read next go.
    private var attributes: AttributeBuffer?
    /// Elements and attributes that may still come.
    private var elementBudget = StanzaLimits.elements

    /// - Parameter bytes: the stanza without flag byte; must outlive the reader.
    init?(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let start = bytes.baseAddress else { return nil }
        cursor = start
        end = start + bytes.count
        tokens = .shared
    }

    /// Reads the element that fills the memory.
    mutating func readAll() throws(StanzaError) -> Stanza {
        let stanza = try readElement(depth: 1)
        guard cursor == end else { throw .trailingBytes(remaining) }
        return stanza
    }

    @inline(__always)
    private var remaining: Int { end - cursor }

    @inline(__always)
    private mutating func readByte() throws(StanzaError) -> UInt8 {
        guard cursor < end else { throw .truncated }
        let byte = cursor.pointee
        cursor += 1
        return byte
    }

    private mutating func readUInt16() throws(StanzaError) -> UInt16 {
        guard remaining >= 2 else { throw .truncated }
        let number = UInt16(cursor[0]) << 8 | UInt16(cursor[1])
        cursor += 2
        return number
    }

    // MARK: Elements

    private mutating func readElement(depth: Int) throws(StanzaError) -> Stanza {
        guard depth <= StanzaLimits.depth else { throw .limitExceeded(.depth) }
        let size: Int
        switch try readByte() {
        case WireByte.list8: size = Int(try readByte())
        case WireByte.list16: size = Int(try readUInt16())
        case WireByte.empty: throw .emptyElement
        case let byte: throw .unexpectedByte(byte)
        }
        guard size > 0 else { throw .emptyElement }
        let tag = try readName()
        guard !tag.isEmpty else { throw .emptyElement }
        let attributes = try readAttributes(count: (size - 1) / 2)
        let content: Stanza.Content = size & 1 == 0 ? try readContent(depth: depth) : .none
        return Stanza(tag, attributes, content: content)
    }

    private mutating func readAttributes(count: Int) throws(StanzaError) -> StanzaAttributes {
        try spend(1 + count)
        guard count > 0 else { return StanzaAttributes() }
        // An attribute takes two bytes at least, so the reservation is bounded by the frame.
        guard remaining / 2 >= count else { throw .truncated }
        let buffer = attributeBuffer(roomFor: count)
        let start = buffer.count
        guard count <= StanzaReader.fewAttributes else {
            try readManyAttributes(count: count, into: buffer, start: start)
            return StanzaAttributes(buffer, from: start)
        }
        var seen = SeenKeys()
        for _ in 0..<count {
            guard cursor < end else { throw .truncated }
            let first = cursor.pointee
            let key = try readName()
            let value = try readAttributeValue()
            if seen.mayHold(first), let earlier = (start..<buffer.count).first(where: { buffer.entries[$0].key == key })
            {
                buffer.entries[earlier].value = value
            } else {
                buffer.append(key: key, value: value)
            }
        }
        return StanzaAttributes(buffer, from: start)
    }

    /// Up to so many attributes are searched one by one for a repeated key.
    private static let fewAttributes = 32

    private mutating func readManyAttributes(count: Int, into buffer: AttributeBuffer, start: Int) throws(StanzaError) {
        var positions: [String: Int] = [:]
        for _ in 0..<count {
            let key = try readName()
            let value = try readAttributeValue()
            if let earlier = positions[key] {
                buffer.entries[earlier].value = value
            } else {
                positions[key] = buffer.count
                buffer.append(key: key, value: value)
            }
        }
    }

    /// The buffer for the next `count` attributes: the current one while it has room, so that the elements of a frame share
    /// few. They start small and stay small enough that an element kept for long keeps little of its frame.
    private mutating func attributeBuffer(roomFor count: Int) -> AttributeBuffer {
        if let attributes, attributes.capacity - attributes.count >= count { return attributes }
        let usual = attributes == nil ? min(8, remaining / 8) : 64
        let buffer = AttributeBuffer.make(capacity: max(count, usual))
        attributes = buffer
        return buffer
    }

    private mutating func readContent(depth: Int) throws(StanzaError) -> Stanza.Content {
        let byte = try readByte()
        switch byte {
        case WireByte.empty: return .none
        case WireByte.list8: return .children(try readChildren(count: Int(try readByte()), depth: depth))
        case WireByte.list16: return .children(try readChildren(count: Int(try readUInt16()), depth: depth))
        case WireByte.binary8, WireByte.binary20, WireByte.binary32:
            let bytes = try readBinary(byte)
            return .bytes(Array(bytes))
        case WireByte.interopJID, WireByte.messengerJID, WireByte.deviceJID, WireByte.jidPair:
            return .jid(try readJID(byte))
        default:
            return .text(try readString(byte))
        }
    }

    private mutating func readChildren(count: Int, depth: Int) throws(StanzaError) -> [Stanza] {
        // An element takes two bytes at least.
        guard remaining / 2 >= count else { throw .truncated }
        var children: [Stanza] = []
        children.reserveCapacity(min(count, 1024))
        for _ in 0..<count {
            children.append(try readElement(depth: depth + 1))
        }
        return children
    }

    private mutating func spend(_ elements: Int) throws(StanzaError) {
        guard elements <= elementBudget else { throw .limitExceeded(.elements) }
        elementBudget -= elements
    }

    // MARK: Values

    /// A tag or an attribute key: a string and nothing else.
    @inline(__always)
    private mutating func readName() throws(StanzaError) -> String {
        let byte = try readByte()
        switch byte {
        case WireByte.empty, WireByte.list8, WireByte.list16, WireByte.interopJID, WireByte.messengerJID,
            WireByte.deviceJID, WireByte.jidPair:
            throw .notAString
        case WireByte.binary8, WireByte.binary20, WireByte.binary32:
            guard let text = String(validating: try readBinary(byte), as: UTF8.self) else { throw .invalidText }
            return text
        default:
            return try readString(byte)
        }
    }

    private mutating func readAttributeValue() throws(StanzaError) -> AttributeValue {
        let byte = try readByte()
        switch byte {
        case WireByte.empty: return .text("")
        case WireByte.list8, WireByte.list16: throw .unexpectedByte(byte)
        case WireByte.interopJID, WireByte.messengerJID, WireByte.deviceJID, WireByte.jidPair:
            return .jid(try readJID(byte))
        default:
            return .text(try readString(byte))
        }
    }

    /// A token, a packed or a raw string that begins with `byte`.
    private mutating func readString(_ byte: UInt8) throws(StanzaError) -> String {
        switch byte {
        case 1...WireByte.lastSingleToken:
            return tokens.text(at: Int(byte) - 1)
        case WireByte.dictionary0...WireByte.dictionary3:
            let position = Int(byte - WireByte.dictionary0) << 8 | Int(try readByte())
            return tokens.text(at: TokenTable.singleByteCount + position)
        case WireByte.nibble8, WireByte.hex8:
            return try readPacked(byte)
        case WireByte.binary8, WireByte.binary20, WireByte.binary32:
            return String(decoding: try readBinary(byte), as: UTF8.self)
        default:
            throw .unexpectedByte(byte)
        }
    }

    private mutating func readBinary(_ byte: UInt8) throws(StanzaError) -> UnsafeBufferPointer<UInt8> {
        let count: Int
        switch byte {
        case WireByte.binary8:
            count = Int(try readByte())
        case WireByte.binary20:
            guard remaining >= 3 else { throw .truncated }
            count = Int(cursor[0] & 0x0F) << 16 | Int(cursor[1]) << 8 | Int(cursor[2])
            cursor += 3
        default:
            guard remaining >= 4 else { throw .truncated }
            count = Int(cursor[0]) << 24 | Int(cursor[1]) << 16 | Int(cursor[2]) << 8 | Int(cursor[3])
            cursor += 4
        }
        guard count <= remaining else { throw .truncated }
        let bytes = UnsafeBufferPointer(start: cursor, count: count)
        cursor += count
        return bytes
    }

    /// Layout: 01-transport, section 9.5.
    private mutating func readPacked(_ byte: UInt8) throws(StanzaError) -> String {
        let header = try readByte()
        let count = Int(header & 0x7F)
        let isOdd = header & 0x80 != 0
        guard count > 0 || !isOdd else { throw .invalidPackedString }
        guard count <= remaining else { throw .truncated }
        let source = cursor
        cursor += count
        let length = count * 2 - (isOdd ? 1 : 0)
        var isValid = true
        // A capacity of the exact length keeps strings of up to 15 characters out of the heap.
        let text = String(unsafeUninitializedCapacity: length) { output in
            let isHex = byte == WireByte.hex8
            for position in 0..<length {
                let value = position & 1 == 0 ? source[position >> 1] >> 4 : source[position >> 1] & 0x0F
                if isHex {
                    output[position] = PackedAlphabet.hexCharacter(value)
                } else if let character = PackedAlphabet.nibbleCharacter(value) {
                    output[position] = character
                } else {
                    isValid = false
                    return 0
                }
            }
            return length
        }
        guard isValid else { throw .invalidPackedString }
        return text
    }

    // MARK: Addresses

    /// Layout: 01-transport, section 9.7.
    private mutating func readJID(_ byte: UInt8) throws(StanzaError) -> JID {
        switch byte {
        case WireByte.deviceJID:
            let domain = try readByte()
            let device = UInt16(try readByte())
            guard let user = try readJIDText() else { throw .invalidJID }
            guard let server = JIDServer(domain: domain) else {
                return JID(user: user, server: .user, device: device, agent: domain)
            }
            return JID(user: user, server: server, device: device)
        case WireByte.jidPair:
            let user = try readJIDText() ?? ""
            return JID(user: user, server: try readServer())
        case WireByte.messengerJID:
            guard let user = try readJIDText() else { throw .invalidJID }
            let device = try readUInt16()
            guard try readServer() == .messenger else { throw .invalidJID }
            return JID(user: user, server: .messenger, device: device)
        default:
            guard let user = try readJIDText() else { throw .invalidJID }
            let device = try readUInt16()
            let integrator = try readUInt16()
            guard try readServer() == .interop else { throw .invalidJID }
            return JID(user: user, server: .interop, device: device, integrator: integrator)
        }
    }

    private mutating func readServer() throws(StanzaError) -> JIDServer {
        guard cursor < end else { throw .truncated }
        // The three servers of nearly all addresses, by their tokens.
        switch cursor.pointee {
        case WireByte.userServer:
            cursor += 1
            return .user
        case WireByte.groupServer:
            cursor += 1
            return .group
        case WireByte.lidServer:
            cursor += 1
            return .lid
        default:
            guard let name = try readJIDText(), !name.isEmpty else { throw .invalidJID }
            return JIDServer(name)
        }
    }

    /// A part of an address: a string, or nothing.
    private mutating func readJIDText() throws(StanzaError) -> String? {
        let byte = try readByte()
        switch byte {
        case WireByte.empty: return nil
        case WireByte.list8, WireByte.list16, WireByte.interopJID, WireByte.messengerJID, WireByte.deviceJID,
            WireByte.jidPair:
            throw .invalidJID
        default: return try readString(byte)
        }
    }
}

/// Which attribute keys of an element were read, by their single-byte token: a quick "certainly new" before the search
/// for an earlier attribute of the same name. A key in any other form could be any string, so it may repeat and be
/// repeated by every other.
private struct SeenKeys {
    private var bits: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    private var hasOther = false

    /// Notes the key that begins with `byte` and says whether the same key may have been noted before.
    @inline(__always)
    mutating func mayHold(_ byte: UInt8) -> Bool {
        guard byte <= WireByte.lastSingleToken, !hasOther else {
            hasOther = true
            return true
        }
        let bit = UInt64(1) << UInt64(byte & 63)
        switch byte >> 6 {
        case 0: return SeenKeys.note(bit, in: &bits.0)
        case 1: return SeenKeys.note(bit, in: &bits.1)
        case 2: return SeenKeys.note(bit, in: &bits.2)
        default: return SeenKeys.note(bit, in: &bits.3)
        }
    }

    @inline(__always)
    private static func note(_ bit: UInt64, in word: inout UInt64) -> Bool {
        let held = word & bit != 0
        word |= bit
        return held
    }
}
