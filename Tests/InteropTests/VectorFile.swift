import Foundation
import Testing

/// One JSON object of a vector file with typed access to its members.
///
/// A member that is missing or of another type throws `VectorError`, which fails the test that reads it and names the
/// path of the member, so a vector that changes its shape is never skipped silently.
struct VectorCase {
    /// The members as `JSONSerialization` returns them: `String`, `NSNumber`, `[Any]`, `[String: Any]`, `NSNull`.
    let members: [String: Any]
    /// Where the object stands: file, index and the keys that lead to it. For messages only.
    let path: String

    /// The case's `name`, or its path where it has none.
    var name: String { (members["name"] as? String) ?? path }

    /// Whether the member is present and not `null`.
    func has(_ key: String) -> Bool {
        guard let value = members[key] else { return false }
        return !(value is NSNull)
    }

    /// The member as it is in the JSON, `nil` when absent or `null`.
    func value(_ key: String) -> Any? { has(key) ? members[key] : nil }

    func string(_ key: String) throws -> String {
        guard let value = members[key] as? String else { throw VectorError.missing("\(path).\(key): string") }
        return value
    }

    /// The member decoded from lower- or upper-case hex.
    func hex(_ key: String) throws -> [UInt8] { try VectorCase.decodeHex(string(key), at: "\(path).\(key)") }

    func int(_ key: String) throws -> Int {
        guard let number = members[key] as? NSNumber, !VectorCase.isBool(number) else {
            throw VectorError.missing("\(path).\(key): integer")
        }
        return number.intValue
    }

    func bool(_ key: String) throws -> Bool {
        guard let number = members[key] as? NSNumber, VectorCase.isBool(number) else {
            throw VectorError.missing("\(path).\(key): boolean")
        }
        return number.boolValue
    }

    func object(_ key: String) throws -> VectorCase {
        guard let value = members[key] as? [String: Any] else { throw VectorError.missing("\(path).\(key): object") }
        return VectorCase(members: value, path: "\(path).\(key)")
    }

    /// The member as a list of objects.
    func objects(_ key: String) throws -> [VectorCase] {
        guard let value = members[key] as? [[String: Any]] else {
            throw VectorError.missing("\(path).\(key): list of objects")
        }
        return value.enumerated().map { VectorCase(members: $1, path: "\(path).\(key)[\($0)]") }
    }

    func strings(_ key: String) throws -> [String] {
        guard let value = members[key] as? [String] else {
            throw VectorError.missing("\(path).\(key): list of strings")
        }
        return value
    }

    /// The member as a list of hex strings, decoded.
    func hexes(_ key: String) throws -> [[UInt8]] {
        try strings(key).enumerated().map { try VectorCase.decodeHex($1, at: "\(path).\(key)[\($0)]") }
    }

    /// The member as a list of anything.
    func list(_ key: String) throws -> [Any] {
        guard let value = members[key] as? [Any] else { throw VectorError.missing("\(path).\(key): list") }
        return value
    }

    /// The same, `nil` when the member is absent or `null`.
    func optionalString(_ key: String) throws -> String? { has(key) ? try string(key) : nil }
    func optionalHex(_ key: String) throws -> [UInt8]? { has(key) ? try hex(key) : nil }
    func optionalInt(_ key: String) throws -> Int? { has(key) ? try int(key) : nil }
    func optionalBool(_ key: String) throws -> Bool? { has(key) ? try bool(key) : nil }
    func optionalObject(_ key: String) throws -> VectorCase? { has(key) ? try object(key) : nil }

    /// The error to throw in the `default:` branch of a switch over a case's kind, operation or name.
    func unknown(_ kind: String) -> VectorError { .unknownKind("\(path): \(kind)") }

    /// Decodes hex text; throws when it has an odd length or another character.
    static func decodeHex(_ text: String, at path: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count / 2)
        var high: UInt8?
        for character in text.utf8 {
            let digit: UInt8
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = character - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = character - UInt8(ascii: "A") + 10
            default: throw VectorError.notHex(path)
            }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        guard high == nil else { throw VectorError.notHex(path) }
        return bytes
    }

    private static func isBool(_ number: NSNumber) -> Bool {
        String(cString: number.objCType) == "c" || String(cString: number.objCType) == "B"
    }
}

/// Why a vector could not be read.
enum VectorError: Error, CustomStringConvertible {
    case fileMissing(String)
    case malformed(String)
    case missing(String)
    case notHex(String)
    case unknownKind(String)

    var description: String {
        switch self {
        case .fileMissing(let path): "vector file \(path) cannot be read; set SWITCHBOARD_VECTORS to its folder"
        case .malformed(let text): "vector file is not of the expected shape: \(text)"
        case .missing(let path): "vector has no such member: \(path)"
        case .notHex(let path): "vector member is not hex: \(path)"
        case .unknownKind(let text): "vector of a kind that this test does not know: \(text)"
        }
    }
}

/// A file of test vectors made with other implementations: `{about, half, cases: [...]}`.
///
/// The folder is the environment's `SWITCHBOARD_VECTORS`, by default `../shared/vectors` beside the package's root.
struct VectorFile {
    let name: String
    /// The whole document's members beside `cases`.
    let header: VectorCase
    let cases: [VectorCase]

    /// The folder that holds the vector files.
    static var directory: String {
        if let folder = ProcessInfo.processInfo.environment["SWITCHBOARD_VECTORS"], !folder.isEmpty { return folder }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return root.deletingLastPathComponent().appendingPathComponent("shared/vectors").path
    }

    /// Reads `<directory>/<name>.json`. Throws when it is missing, is not JSON or has no cases.
    init(_ name: String) throws {
        let path = VectorFile.directory + "/" + name + ".json"
        guard let data = FileManager.default.contents(atPath: path) else { throw VectorError.fileMissing(path) }
        guard let document = try JSONSerialization.jsonObject(with: data) as? [String: Any],
            let list = document["cases"] as? [[String: Any]], !list.isEmpty
        else { throw VectorError.malformed(path) }
        self.name = name
        var rest = document
        rest["cases"] = nil
        header = VectorCase(members: rest, path: name)
        cases = list.enumerated().map { VectorCase(members: $1, path: "\(name)[\($0)]") }
    }

    /// Runs `check` on every case, records what it throws as that case's failure, and prints how many cases ran.
    ///
    /// `check` throws `unknown(_:)` for a case it does not know.
    /// Cases that `excluded` names are another suite's.
    func run(excluding excluded: Set<String> = [], _ check: (VectorCase) throws -> Void) {
        var failures = 0
        let cases = cases.filter { !excluded.contains($0.name) }
        for vector in cases {
            do {
                try check(vector)
            } catch {
                failures += 1
                Issue.record(error, "\(vector.path) \(vector.name)")
            }
        }
        print("vectors: \(name): \(cases.count) cases run, \(failures) threw")
    }
}
