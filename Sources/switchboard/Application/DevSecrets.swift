import Cryptography
import Foundation

/// The secrets of a `dev` data directory: made once, readable by their owner only.
struct DevSecrets: Codable {
    var adminSecret: String
    var tokenKey: String
    var dataKey: String
    var sandboxSeed: String
    var nodeID: UUID

    /// Reads `secrets.json` of `directory`, which is made if it is not there.
    static func load(in directory: String) throws -> DevSecrets {
        let files = FileManager.default
        try files.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let path = directory + "/secrets.json"
        if let data = files.contents(atPath: path) { return try JSONDecoder().decode(DevSecrets.self, from: data) }
        let random = SystemRandom()
        let secrets = DevSecrets(
            adminSecret: Hex.encode(random.bytes(24)), tokenKey: Hex.encode(random.bytes(32)),
            dataKey: Base64.encode(random.bytes(32)), sandboxSeed: Hex.encode(random.bytes(16)), nodeID: UUID())
        try write(try JSONEncoder().encode(secrets), to: path)
        return secrets
    }

    /// Writes `dev.env` of `directory`, an `ENV_FILE` for commands beside the running one; shells read it too.
    static func write(settings: [String: String], in directory: String) throws {
        let lines = settings.sorted { $0.key < $1.key }.map { "\($0.key)='\($0.value)'\n" }
        try write(Data(lines.joined().utf8), to: directory + "/dev.env")
    }

    /// Readable by the owner only, and through another name: a crash while writing must not leave half a file.
    private static func write(_ data: Data, to path: String) throws {
        let draft = path + ".new"
        guard
            FileManager.default.createFile(atPath: draft, contents: data, attributes: [.posixPermissions: 0o600])
        else {
            throw CocoaError(.fileWriteNoPermission, userInfo: [NSFilePathErrorKey: draft])
        }
        guard rename(draft, path) == 0 else {
            throw CocoaError(.fileWriteUnknown, userInfo: [NSFilePathErrorKey: path])
        }
    }
}

/// Keeps two processes out of one data directory.
struct DirectoryLock {
    private let descriptor: Int32

    struct Taken: Error, CustomStringConvertible {
        let directory: String
        var description: String { "another switchboard runs in \(directory)" }
    }

    init(_ directory: String) throws {
        descriptor = open(directory + "/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { throw Taken(directory: directory) }
    }

    func release() { close(descriptor) }
}
