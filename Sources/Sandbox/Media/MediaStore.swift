import Cryptography
import Foundation
import NIOCore
import OrderedCollections

/// The files of one world's media server (09, section 20; 05, section 26.8): an index that the world's store keeps, and the
/// bytes in memory up to a budget, beyond it and in worlds on disk in files.
@SandboxActor
package final class MediaStore {
    /// One uploaded file.
    package struct Blob: Sendable, Equatable, Codable {
        /// `<world>_<24 hex digits>`: the file name in its path.
        package let name: String
        /// As in the path of the upload: `image`, `md-msg-hist`, `newsletter-image` …
        package let type: String
        /// SHA-256 of the bytes, hex.
        package let hash: String
        package let size: Int
        /// Phone number of who uploaded it.
        package let owner: String
        /// World time, Unix seconds.
        package let created: Int64
        package var isDeleted = false
    }

    private enum Content {
        case memory(Bytes)
        case file(String)
    }

    private static let prefix = "media/"

    private let store: any WorldStore
    private var blobs: OrderedDictionary<String, Blob> = [:]
    /// Name of the newest live file of a type and hash.
    private var names: [String: String] = [:]
    private var contents: [String: Content] = [:]
    private var memoryUsed = 0
    /// Where files are put; `nil` keeps them in memory, and beyond the budget in a temporary folder.
    package var directory: String?
    private var temporary: String?

    init(store: any WorldStore) { self.store = store }

    package var count: Int { blobs.count }
    package func blob(_ name: String) -> Blob? { blobs[name] }

    /// The live file with these bytes, if there is one.
    func find(type: String, hash: String) -> Blob? { names[Self.key(type, hash)].flatMap { blobs[$0] } }

    private static func key(_ type: String, _ hash: String) -> String { "\(type)/\(hash)" }

    /// Takes a file in. `budget`: bytes of all files together that may be in memory.
    func put(_ blob: Blob, _ bytes: Bytes, budget: Int) {
        contents[blob.hash] = contents[blob.hash] ?? write(bytes, named: blob.hash, budget: budget)
        blobs[blob.name] = blob
        names[Self.key(blob.type, blob.hash)] = blob.name
        save(blob)
    }

    private func write(_ bytes: Bytes, named name: String, budget: Int) -> Content {
        if let directory, let path = Self.write(bytes, to: directory, named: name) { return .file(path) }
        if memoryUsed + bytes.count > budget, let folder = temporaryFolder(),
            let path = Self.write(bytes, to: folder, named: name)
        {
            return .file(path)
        }
        memoryUsed += bytes.count
        return .memory(bytes)
    }

    private static func write(_ bytes: Bytes, to directory: String, named name: String) -> String? {
        let path = "\(directory)/\(name)"
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            try Data(bytes).write(to: URL(filePath: path), options: .atomic)
            return path
        } catch {
            return nil
        }
    }

    private func temporaryFolder() -> String? {
        if let temporary { return temporary }
        temporary = FileManager.default.temporaryDirectory.appending(path: "sandbox-media-\(UUID().uuidString)").path
        return temporary
    }

    /// The bytes of a file, deleted ones included; `nil` when they are lost.
    func bytes(of blob: Blob) -> Bytes? {
        switch contents[blob.hash] ?? directory.map({ .file("\($0)/\(blob.hash)") }) {
        case .memory(let bytes): return bytes
        case .file(let path): return (try? Data(contentsOf: URL(filePath: path))).map { Bytes($0) }
        case nil: return nil
        }
    }

    /// Makes a file unreachable. Its bytes stay: a phone may upload them again.
    func delete(_ name: String) {
        guard var blob = blobs[name], !blob.isDeleted else { return }
        blob.isDeleted = true
        blobs[name] = blob
        if names[Self.key(blob.type, blob.hash)] == name { names[Self.key(blob.type, blob.hash)] = nil }
        save(blob)
    }

    func deleteAll(of owner: String) {
        for blob in blobs.values where blob.owner == owner { delete(blob.name) }
    }

    /// Forgets what was uploaded before `time`, Unix seconds.
    func drop(before time: Int64) {
        while let oldest = blobs.values.first, oldest.created < time {
            blobs.removeFirst()
            store.delete(Self.prefix + oldest.name)
            if names[Self.key(oldest.type, oldest.hash)] == oldest.name {
                names[Self.key(oldest.type, oldest.hash)] = nil
            }
            guard !blobs.values.contains(where: { $0.hash == oldest.hash }) else { continue }
            switch contents.removeValue(forKey: oldest.hash) ?? directory.map({ .file("\($0)/\(oldest.hash)") }) {
            case .memory(let bytes): memoryUsed -= bytes.count
            case .file(let path): try? FileManager.default.removeItem(atPath: path)
            case nil: break
            }
        }
    }

    /// Reads the index back.
    func load() {
        let decoder = JSONDecoder()
        let stored = store.all(under: Self.prefix).compactMap { try? decoder.decode(Blob.self, from: Data($0.value)) }
        for blob in stored.sorted(by: { ($0.created, $0.name) < ($1.created, $1.name) }) {
            blobs[blob.name] = blob
            if !blob.isDeleted { names[Self.key(blob.type, blob.hash)] = blob.name }
        }
    }

    /// Removes what was written for the life of the process only.
    func close() {
        if let temporary { try? FileManager.default.removeItem(atPath: temporary) }
    }

    private func save(_ blob: Blob) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        if let data = try? encoder.encode(blob) { store.put(Self.prefix + blob.name, Bytes(data)) }
    }
}
