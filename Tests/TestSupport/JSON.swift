import Foundation

/// A JSON value read by path, so that a test says what it expects in one line.
package struct JSON: Sendable, Decodable, CustomStringConvertible {
    private let storage: Storage

    private indirect enum Storage: Sendable {
        case null, bool(Bool), number(Double), string(String), array([JSON]), object([String: JSON])
    }

    package init(_ bytes: some Collection<UInt8>) throws {
        self = try JSONDecoder().decode(JSON.self, from: Data(bytes))
    }

    package init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            storage = .null
        } else if let flag = try? value.decode(Bool.self) {
            storage = .bool(flag)
        } else if let number = try? value.decode(Double.self) {
            storage = .number(number)
        } else if let text = try? value.decode(String.self) {
            storage = .string(text)
        } else if let list = try? value.decode([JSON].self) {
            storage = .array(list)
        } else {
            storage = .object(try value.decode([String: JSON].self))
        }
    }

    private init(_ storage: Storage) { self.storage = storage }

    package static let null = JSON(.null)

    package subscript(key: String) -> JSON {
        if case .object(let object) = storage { object[key] ?? .null } else { .null }
    }

    package subscript(index: Int) -> JSON {
        if case .array(let list) = storage, list.indices.contains(index) { list[index] } else { .null }
    }

    package var string: String? { if case .string(let text) = storage { text } else { nil } }
    package var int: Int? { if case .number(let number) = storage { Int(exactly: number) } else { nil } }
    package var bool: Bool? { if case .bool(let flag) = storage { flag } else { nil } }
    package var array: [JSON] { if case .array(let list) = storage { list } else { [] } }
    package var keys: [String] { if case .object(let object) = storage { object.keys.sorted() } else { [] } }
    package var isObject: Bool { if case .object = storage { true } else { false } }
    package var isArray: Bool { if case .array = storage { true } else { false } }
    package var isNull: Bool { if case .null = storage { true } else { false } }

    package var description: String {
        switch storage {
        case .null: "null"
        case .bool(let flag): "\(flag)"
        case .number(let number): "\(number)"
        case .string(let text): "\"\(text)\""
        case .array(let list): "\(list)"
        case .object(let object):
            "{" + object.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + "}"
        }
    }
}
