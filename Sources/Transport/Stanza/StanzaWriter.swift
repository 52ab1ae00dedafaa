/// Writes stanzas into memory that grows as needed. A stanza that cannot be written leaves ``failure`` and nothing
/// sensible in the memory.
struct StanzaWriter: ~Copyable {
    private var start: UnsafeMutablePointer<UInt8>
    private var cursor: UnsafeMutablePointer<UInt8>
    private var end: UnsafeMutablePointer<UInt8>
    /// Whether `start` is a heap block of ours rather than the memory we were given.
    private var ownsMemory = false
    private let tokens: TokenTable
    /// The first reason why the stanza cannot be written.
    private(set) var failure: StanzaError?

    /// - Parameter memory: memory to use first; must outlive the writer.
    init(_ memory: UnsafeMutableBufferPointer<UInt8>) {
        if let base = memory.baseAddress, !memory.isEmpty {
            start = base
            end = base + memory.count
        } else {
            start = .allocate(capacity: 1024)
            end = start + 1024
            ownsMemory = true
        }
        cursor = start
        tokens = .shared
    }

    deinit {
        if ownsMemory { start.deallocate() }
    }

    /// What was written.
    var written: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: start, count: cursor - start) }

    /// Writes one byte.
    mutating func write(byte: UInt8) {
        reserve(1)
        put(byte)
    }

    /// Writes an element with all that is in it. Layout: 01-transport, section 9.2.
    mutating func write(_ stanza: Stanza, depth: Int = 1) {
        guard depth <= StanzaLimits.depth else { return fail(.limitExceeded(.depth)) }
        guard !stanza.tag.isEmpty else { return fail(.emptyElement) }
        // A historical marker of the reference client: the tag "0" is written as an empty list, and nothing else with it.
        guard stanza.tag != "0" else {
            reserve(2)
            put(WireByte.list8)
            return put(WireByte.empty)
        }
        let hasContent = if case .none = stanza.content { false } else { true }
        stanza.attributes.withEntries { entries in
            // Empty text attributes are left out, as the reference client does.
            var size = hasContent ? 2 : 1
            for position in entries.indices where !entries[position].value.isEmptyText { size &+= 2 }
            writeListHeader(size)
            write(stanza.tag)
            if let first = entries.baseAddress {
                for position in 0..<entries.count { write(attribute: first + position) }
            }
        }
        switch stanza.content {
        case .none: break
        case .bytes(let bytes): write(bytes)
        case .text(let text): write(text)
        case .jid(let jid): write(jid)
        case .children(let children):
            writeListHeader(children.count)
            for position in children.indices { write(children[position], depth: depth + 1) }
        }
    }

    @inline(__always)
    private mutating func write(attribute: UnsafePointer<AttributeEntry>) {
        switch attribute.pointee.value {
        case .text(let text):
            guard !text.isEmpty else { return }
            write(key: attribute.pointee.key)
            write(text)
        case .jid(let jid):
            write(key: attribute.pointee.key)
            write(jid)
        }
    }

    @inline(__always)
    private mutating func write(key: String) {
        if key.isEmpty { fail(.emptyElement) }
        write(key)
    }

    private mutating func fail(_ error: StanzaError) {
        if failure == nil { failure = error }
    }

    // MARK: Memory

    /// Makes room for `count` bytes.
    @inline(__always)
    private mutating func reserve(_ count: Int) {
        if end - cursor < count { grow(by: count) }
    }

    @inline(never)
    private mutating func grow(by count: Int) {
        let used = cursor - start
        let capacity = max((end - start) * 2, used + count)
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        memory.update(from: start, count: used)
        if ownsMemory { start.deallocate() }
        ownsMemory = true
        start = memory
        cursor = memory + used
        end = memory + capacity
    }

    /// Writes a byte for which there is room.
    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        cursor.pointee = byte
        cursor += 1
    }

    @inline(__always)
    private mutating func put(_ number: UInt16) {
        put(UInt8(truncatingIfNeeded: number >> 8))
        put(UInt8(truncatingIfNeeded: number))
    }

    // MARK: Values

    private mutating func writeListHeader(_ size: Int) {
        reserve(3)
        if size == 0 {
            put(WireByte.empty)
        } else if size < 256 {
            put(WireByte.list8)
            put(UInt8(truncatingIfNeeded: size))
        } else {
            if size > StanzaLimits.listSize { fail(.limitExceeded(.listSize)) }
            put(WireByte.list16)
            put(UInt16(truncatingIfNeeded: size))
        }
    }

    private mutating func putBinaryHeader(_ count: Int) {
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

    private mutating func putBinary(_ source: UnsafePointer<UInt8>?, _ count: Int) {
        putBinaryHeader(count)
        guard let source else { return }
        cursor.update(from: source, count: count)
        cursor += count
    }

    private mutating func write(_ bytes: [UInt8]) {
        guard bytes.count <= StanzaLimits.encodedBytes else { return fail(.limitExceeded(.bytes)) }
        reserve(5 + bytes.count)
        bytes.withUnsafeBufferPointer { putBinary($0.baseAddress, $0.count) }
    }

    private mutating func write(_ text: String) {
        if text.utf8.withContiguousStorageIfAvailable({ write(characters: $0) }) != nil { return }
        var native = text
        native.withUTF8 { write(characters: $0) }
    }

    /// Token, else packed, else raw (01-transport, section 9.4).
    @inline(__always)
    private mutating func write(characters: UnsafeBufferPointer<UInt8>) {
        guard characters.count <= StanzaLimits.encodedBytes else { return fail(.limitExceeded(.bytes)) }
        reserve(5 + characters.count)
        guard let source = characters.baseAddress, !characters.isEmpty else {
            put(WireByte.nibble8)
            put(0 as UInt8)
            return
        }
        let index = tokens.index(of: source, count: characters.count)
        if index >= TokenTable.singleByteCount {
            let position = index &- TokenTable.singleByteCount
            put(WireByte.dictionary0 &+ UInt8(truncatingIfNeeded: position >> 8))
            put(UInt8(truncatingIfNeeded: position))
        } else if index >= 0 {
            put(UInt8(truncatingIfNeeded: index &+ 1))
        } else if characters.count > WireByte.longestPacked || !putPacked(source, characters.count) {
            putBinary(source, characters.count)
        }
    }

    /// Writes the string packed if its characters allow it; else writes nothing and returns false.
    @inline(__always)
    private mutating func putPacked(_ source: UnsafePointer<UInt8>, _ count: Int) -> Bool {
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

    // MARK: Addresses

    /// Layout: 01-transport, section 9.7.
    private mutating func write(_ jid: JID) {
        reserve(8)
        switch jid.server {
        case .user, .lid:
            guard jid.device == 0 else { return writeDeviceJID(jid) }
            put(WireByte.jidPair)
            writeUserOrNothing(jid.user)
            write(byte: jid.server == .user ? WireByte.userServer : WireByte.lidServer)
        case .hosted, .hostedLID:
            writeDeviceJID(jid)
        case .messenger:
            put(WireByte.messengerJID)
            write(jid.user)
            reserve(2)
            put(jid.device)
            write(jid.server.name)
        case .interop:
            put(WireByte.interopJID)
            write(jid.user)
            reserve(4)
            put(jid.device)
            put(jid.integrator)
            write(jid.server.name)
        case .group:
            put(WireByte.jidPair)
            writeUserOrNothing(jid.user)
            write(byte: WireByte.groupServer)
        case .legacyUser, .broadcast, .newsletter, .bot, .call, .other:
            let server = jid.server.name
            if server.isEmpty { fail(.invalidJID) }
            put(WireByte.jidPair)
            writeUserOrNothing(jid.user)
            write(server)
        }
    }

    private mutating func writeDeviceJID(_ jid: JID) {
        if jid.device > 255 { fail(.limitExceeded(.device)) }
        reserve(3)
        put(WireByte.deviceJID)
        put(jid.server.domain)
        put(UInt8(truncatingIfNeeded: jid.device))
        write(jid.user)
    }

    private mutating func writeUserOrNothing(_ user: String) {
        if user.isEmpty { put(WireByte.empty) } else { write(user) }
    }
}
