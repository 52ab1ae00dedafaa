import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where PostgreSQL's programs are, and as whom they can run.
struct PostgresPrograms: Sendable {
    let directory: String

    var initdb: String { "\(directory)/initdb" }
    var postgres: String { "\(directory)/postgres" }

    /// Looks for the programs of `major` (nil: the newest that is at least 15) in Debian's, Homebrew's and the PATH's places.
    static func locate(major: Int? = nil, override: String? = nil) throws -> PostgresPrograms {
        let files = FileManager.default
        var candidates: [(version: Int, directory: String)] = []
        if let override, !override.isEmpty { candidates.append((major ?? .max, override)) }
        for version in (try? files.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? [] {
            if let number = Int(version) { candidates.append((number, "/usr/lib/postgresql/\(version)/bin")) }
        }
        for prefix in ["/opt/homebrew/opt", "/usr/local/opt"] {
            for name in (try? files.contentsOfDirectory(atPath: prefix)) ?? [] where name.hasPrefix("postgresql@") {
                if let number = Int(name.dropFirst(11)) { candidates.append((number, "\(prefix)/\(name)/bin")) }
            }
        }
        for directory in (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":") {
            candidates.append((major ?? 15, String(directory)))
        }
        let usable = candidates.filter { candidate in
            (major.map { candidate.version == $0 } ?? (candidate.version >= 15))
                && files.isExecutableFile(atPath: "\(candidate.directory)/initdb")
                && files.isExecutableFile(atPath: "\(candidate.directory)/postgres")
        }
        guard let best = usable.max(by: { $0.version < $1.version }) else {
            throw EmbeddedPostgresError.programsNotFound(major: major)
        }
        return PostgresPrograms(directory: best.directory)
    }
}

/// The user that the server runs as. PostgreSQL refuses to run as root.
struct ServerAccount: Sendable {
    let userID: uid_t
    let groupID: gid_t
    let name: String
    /// True when we are root and must change over to this user.
    let isOther: Bool

    static func current() throws -> ServerAccount {
        if geteuid() != 0 {
            return ServerAccount(userID: geteuid(), groupID: getegid(), name: "", isOther: false)
        }
        for name in ["postgres", "nobody"] {
            if let entry = getpwnam(name) {
                return ServerAccount(
                    userID: entry.pointee.pw_uid, groupID: entry.pointee.pw_gid, name: name, isOther: true)
            }
        }
        throw EmbeddedPostgresError.noAccount
    }

    /// `command`, run as this user.
    func wrapping(_ command: [String]) -> [String] {
        isOther ? ["setpriv", "--reuid=\(userID)", "--regid=\(groupID)", "--clear-groups", "--"] + command : command
    }

    /// Makes `path` a directory that only this user (and root) can enter.
    func makeDirectory(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        guard chmod(path, 0o700) == 0, !isOther || chown(path, userID, groupID) == 0 else {
            throw EmbeddedPostgresError.directory(path, String(cString: strerror(errno)))
        }
    }

    /// True when this user may pass through every directory above `path`.
    func canReach(_ path: String) -> Bool {
        guard isOther else { return true }
        var directory = URL(fileURLWithPath: path).deletingLastPathComponent()
        while true {
            var info = stat()
            guard stat(directory.path, &info) == 0 else { return false }
            let mode = info.st_mode
            let allowed =
                info.st_uid == userID
                ? mode & S_IXUSR != 0 : info.st_gid == groupID ? mode & S_IXGRP != 0 : mode & S_IXOTH != 0
            if !allowed { return false }
            if directory.path == "/" { return true }
            directory.deleteLastPathComponent()
        }
    }
}

package enum EmbeddedPostgresError: Error, Sendable, CustomStringConvertible {
    case programsNotFound(major: Int?)
    case noAccount
    case directory(String, String)
    /// The server ended or did not become ready; the last lines of its log.
    case startFailed(String)

    package var description: String {
        switch self {
        case .programsNotFound(let major):
            "PostgreSQL \(major.map(String.init) ?? "15 or newer") is not installed (initdb and postgres were not found)"
        case .noAccount: "PostgreSQL does not run as root, and neither user postgres nor nobody exists"
        case .directory(let path, let reason): "cannot prepare \(path): \(reason)"
        case .startFailed(let log): "the private PostgreSQL did not start: \(log)"
        }
    }
}
