import Cryptography
import Foundation
import Logging
import NIOCore

/// A world's store in one file: an append-only journal of puts and deletes, rewritten when most of it is history.
///
/// Layout of a record: CRC-32 (IEEE, of the rest) 4 bytes big-endian ‖ kind 1 byte (1 put, 2 delete, 3 delete all under) ‖
/// key length 4 ‖ value length 4 ‖ key ‖ value. The file begins with `SBXJ1\n`. Each turn's records go to the operating
/// system in one write before the turn's frames leave, which is what outlives a killed process; the disk follows within
/// ``syncInterval``, which is what outlives a power cut. A torn record at the end (and anything behind it) is cut off when
/// the file is opened.
@SandboxActor
package final class JournalStore: WorldStore {
    package enum Failure: Error, Equatable {
        case cannotOpen(path: String, errno: Int32)
        /// Another process holds the file.
        case inUse(path: String)
        case notAJournal(path: String)
    }

    private enum Kind: UInt8 {
        case put = 1
        case delete = 2
        case deleteAll = 3
    }

    static let magic = Bytes("SBXJ1\n".utf8)
    /// Milliseconds between a write and its `fsync`.
    static let syncInterval = 100
    /// Smallest file that is worth rewriting.
    static let compactionFloor = 8 << 20

    package var whenDirty: (@SandboxActor () -> Void)?
    private let path: String
    private let logger: Logger
    private var file: Int32
    private var live: [String: Bytes] = [:]
    /// The keys of `live` in order, as long as none came or went: a world that loads asks for many prefixes in a row.
    private var order: [String]?
    private var pending: Bytes = []
    private var fileSize = 0
    private var liveSize = 0
    private var syncIsDue = false
    private static let syncQueue = DispatchQueue(label: "sandbox.journal.sync")

    /// Opens or creates `<directory>/world.journal` and locks it. Throws ``Failure``.
    package init(directory: String, logger: Logger) throws {
        self.logger = logger
        try? FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        path = directory + "/world.journal"
        file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Failure.cannotOpen(path: path, errno: errno) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            Self.closeFile(file)
            throw Failure.inUse(path: path)
        }
        do { try replay() } catch {
            Self.closeFile(file)
            throw error
        }
    }

    package func all(under prefix: String) -> [(key: String, value: Bytes)] {
        keys(under: prefix).compactMap { key in live[key].map { (key: key, value: $0) } }
    }

    package func put(_ key: String, _ value: Bytes) {
        append(.put, key, value)
        let old = live.updateValue(value, forKey: key)
        if old == nil { order = nil }
        account(for: key, replacing: old, by: value)
    }

    package func delete(_ key: String) {
        guard let old = live.removeValue(forKey: key) else { return }
        order = nil
        append(.delete, key, [])
        account(for: key, replacing: old, by: nil)
    }

    package func deleteAll(under prefix: String) {
        let keys = live.keys.filter { $0.hasPrefix(prefix) }
        guard !keys.isEmpty else { return }
        order = nil
        append(.deleteAll, prefix, [])
        for key in keys { account(for: key, replacing: live.removeValue(forKey: key), by: nil) }
    }

    package func commit() {
        guard !pending.isEmpty else { return }
        writePending()
        if fileSize > Self.compactionFloor, fileSize > 3 * liveSize {
            compact()
        } else {
            syncSoon()
        }
    }

    package func close() {
        guard file >= 0 else { return }
        writePending()
        fsync(file)
        Self.closeFile(file)
        file = -1
    }

    /// The keys that begin with `prefix`, in order.
    private func keys(under prefix: String) -> ArraySlice<String> {
        let order = order ?? live.keys.sorted()
        self.order = order
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if order[middle] < prefix { low = middle + 1 } else { high = middle }
        }
        return order[low...].prefix { $0.hasPrefix(prefix) }
    }

    private func account(for key: String, replacing old: Bytes?, by new: Bytes?) {
        let overhead = 13 + key.utf8.count
        if let old { liveSize -= overhead + old.count }
        if let new { liveSize += overhead + new.count }
    }

    private func append(_ kind: Kind, _ key: String, _ value: Bytes) {
        if pending.isEmpty { whenDirty?() }
        Self.encode(kind.rawValue, key, value, into: &pending)
    }

    private static func encode(_ kind: UInt8, _ key: String, _ value: Bytes, into buffer: inout Bytes) {
        var body: Bytes = [kind]
        body.reserveCapacity(9 + key.utf8.count + value.count)
        appendBigEndian(UInt32(key.utf8.count), to: &body)
        appendBigEndian(UInt32(value.count), to: &body)
        body.append(contentsOf: key.utf8)
        body.append(contentsOf: value)
        appendBigEndian(CRC32.checksum(body), to: &buffer)
        buffer.append(contentsOf: body)
    }

    private static func appendBigEndian(_ value: UInt32, to buffer: inout Bytes) {
        for shift in [24, 16, 8, 0] as [UInt32] { buffer.append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    private func writePending() {
        guard file >= 0, !pending.isEmpty else { return }
        if !Self.writeAll(pending, to: file) {
            logger.error("sandbox journal: write failed", metadata: ["errno": "\(errno)"])
        }
        fileSize += pending.count
        pending.removeAll(keepingCapacity: pending.count < 1 << 20)
    }

    private func syncSoon() {
        guard !syncIsDue else { return }
        syncIsDue = true
        SandboxActor.loop.scheduleTask(in: .milliseconds(Int64(Self.syncInterval))) { [weak self] in
            SandboxActor.run { self?.sync() }
        }
    }

    private func sync() {
        syncIsDue = false
        guard file >= 0 else { return }
        // A duplicate, so that closing the journal meanwhile cannot hit another file of the same number.
        let copy = dup(file)
        guard copy >= 0 else { return }
        Self.syncQueue.async {
            fsync(copy)
            Self.closeFile(copy)
        }
    }

    /// Writes the live records to a new file and puts it in place of the old one.
    private func compact() {
        let temporary = path + ".new"
        let copy = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard copy >= 0, flock(copy, LOCK_EX | LOCK_NB) == 0 else { return }
        var buffer = Self.magic
        var size = 0
        var complete = true
        for (key, value) in live {
            Self.encode(Kind.put.rawValue, key, value, into: &buffer)
            if buffer.count > 1 << 20 {
                complete = complete && Self.writeAll(buffer, to: copy)
                size += buffer.count
                buffer.removeAll(keepingCapacity: true)
            }
        }
        complete = complete && Self.writeAll(buffer, to: copy)
        size += buffer.count
        guard complete, fsync(copy) == 0, rename(temporary, path) == 0 else {
            Self.closeFile(copy)
            logger.error("sandbox journal: could not be rewritten", metadata: ["errno": "\(errno)"])
            return
        }
        Self.closeFile(file)
        file = copy
        fileSize = size
    }

    private func replay() throws {
        let data = try FileHandle(fileDescriptor: file, closeOnDealloc: false).readToEnd() ?? Data()
        let bytes = Bytes(data)
        if bytes.isEmpty {
            guard Self.writeAll(Self.magic, to: file) else { throw Failure.cannotOpen(path: path, errno: errno) }
            fileSize = Self.magic.count
            return
        }
        guard bytes.starts(with: Self.magic) else { throw Failure.notAJournal(path: path) }
        var position = Self.magic.count
        while let record = JournalRecord(bytes, at: position) {
            switch Kind(rawValue: record.kind) {
            case .put:
                account(
                    for: record.key, replacing: live.updateValue(record.value, forKey: record.key), by: record.value)
            case .delete:
                account(for: record.key, replacing: live.removeValue(forKey: record.key), by: nil)
            case .deleteAll:
                for key in live.keys.filter({ $0.hasPrefix(record.key) }) {
                    account(for: key, replacing: live.removeValue(forKey: key), by: nil)
                }
            case nil: break
            }
            position = record.end
        }
        if position < bytes.count {
            logger.warning(
                "sandbox journal: the end of the file was torn and is cut off",
                metadata: ["kept": "\(position)", "dropped": "\(bytes.count - position)"])
            ftruncate(file, off_t(position))
        }
        lseek(file, off_t(position), SEEK_SET)
        fileSize = position
    }

    private static func writeAll(_ bytes: Bytes, to file: Int32) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var offset = 0
            while offset < buffer.count {
                guard let base = buffer.baseAddress else { return true }
                let written = write(file, base + offset, buffer.count - offset)
                if written < 0 {
                    if errno == EINTR { continue }
                    return false
                }
                offset += written
            }
            return true
        }
    }

    private static nonisolated func closeFile(_ file: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(file)
        #else
            _ = Darwin.close(file)
        #endif
    }
}

/// One record found in a journal; `nil` from the first byte that is no complete record with a right checksum.
private struct JournalRecord {
    let kind: UInt8
    let key: String
    let value: Bytes
    let end: Int

    init?(_ bytes: Bytes, at start: Int) {
        func number(_ at: Int) -> UInt32 { bytes[at..<at + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } }
        guard bytes.count - start >= 13 else { return nil }
        let keyLength = Int(number(start + 5))
        let valueLength = Int(number(start + 9))
        let (size, overflow) = keyLength.addingReportingOverflow(valueLength)
        guard !overflow, bytes.count - start - 13 >= size else { return nil }
        end = start + 13 + size
        guard number(start) == CRC32.checksum(bytes[(start + 4)..<end]) else { return nil }
        kind = bytes[start + 4]
        key = String(decoding: bytes[(start + 13)..<(start + 13 + keyLength)], as: UTF8.self)
        value = Bytes(bytes[(start + 13 + keyLength)..<end])
    }
}

/// CRC-32 (IEEE 802.3, reflected), against torn writes.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    static func checksum(_ bytes: some Collection<UInt8>) -> UInt32 {
        ~bytes.reduce(0xFFFF_FFFF as UInt32) { value, byte in
            table[Int((value ^ UInt32(byte)) & 0xFF)] ^ value >> 8
        }
    }
}
