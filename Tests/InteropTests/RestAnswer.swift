import Foundation

/// One point in which an answer of ours is not what the reference recorded.
struct Deviation: Hashable, CustomStringConvertible {
    /// `status`, `message`, `header <name>`, or a member of `data`: `data.devices[].error`.
    let path: String
    /// What was recorded; nil when there was nothing.
    let recorded: String?
    /// What we answer; nil when there is nothing. Of members that the record does not have only the type counts.
    let ours: String?

    var description: String { "\(path): \(recorded ?? "nothing") became \(ours ?? "nothing")" }
}

/// A JSON value in the form in which answers are compared.
indirect enum AnswerTree: Equatable {
    case null
    case flag(Bool)
    case number(Double)
    case text(String)
    case list([AnswerTree])
    case object([String: AnswerTree])

    /// - Parameter value: As `JSONSerialization` returns it.
    init(_ value: Any?) {
        switch value {
        case let text as String: self = .text(text)
        case let list as [Any]: self = .list(list.map { AnswerTree($0) })
        case let object as [String: Any]: self = .object(object.mapValues { AnswerTree($0) })
        case let number as NSNumber:
            let type = String(cString: number.objCType)
            self = type == "c" || type == "B" ? .flag(number.boolValue) : .number(number.doubleValue)
        default: self = .null
        }
    }

    subscript(key: String) -> AnswerTree? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    var string: String? { if case .text(let text) = self { text } else { nil } }

    /// Name of the type.
    var kind: String {
        switch self {
        case .null: "null"
        case .flag: "flag"
        case .number: "number"
        case .text: "text"
        case .list: "list"
        case .object: "object"
        }
    }

    /// The value, with what differs from run to run replaced by its form.
    private func form(at path: String) -> String {
        switch self {
        case .flag(let flag): "\(flag)"
        case .number(let number): Self.freeNumbers.contains(path) ? "number" : "\(number)"
        case .text(let text): Self.form(of: text)
        case .list(let list): "list of \(list.count)"
        case .null, .object: kind
        }
    }

    /// Adds to `deviations` everything in which `ours` is not this recorded value.
    func compare(with ours: AnswerTree, at path: String, into deviations: inout [Deviation]) {
        if self == ours { return }
        switch (self, ours) {
        case (.object(let recorded), .object(let ours)):
            for key in Set(recorded.keys).union(ours.keys).sorted() {
                let path = "\(path).\(key)"
                switch (recorded[key], ours[key]) {
                case (let recorded?, let ours?): recorded.compare(with: ours, at: path, into: &deviations)
                case (let recorded?, nil):
                    deviations.append(Deviation(path: path, recorded: recorded.kind, ours: nil))
                case (nil, let ours?): deviations.append(ours.addition(at: path))
                case (nil, nil): break
                }
            }
        case (.list(let recorded), .list(let ours)) where recorded.count == ours.count:
            for (recorded, ours) in zip(recorded, ours) {
                recorded.compare(with: ours, at: "\(path)[]", into: &deviations)
            }
        default:
            let (left, right) = (form(at: path), ours.form(at: path))
            if left != right { deviations.append(Deviation(path: path, recorded: left, ours: right)) }
        }
    }

    /// A member that only we send. Of an error's word the word itself counts.
    func addition(at path: String) -> Deviation {
        Deviation(path: path, recorded: nil, ours: path == "data.error_code" ? string : kind)
    }

    /// Numbers that belong to a run.
    private static let freeNumbers: Set<String> = [
        "data.goroutines", "data.uptime_seconds", "data.wa_web_version.array[]", "data.webhook_id", "data.Timeout",
    ]

    private static func form(of text: String) -> String {
        let forms: [(Regex<Substring>, String)] = [
            (#/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/#, "<uuid>"),
            (#/[0-9a-f]{64}/#, "<64 hex digits>"),
            (#/eyJ[\w\-]+\.[\w\-]+\.[\w\-]+/#, "<token>"),
            (#/wam_[0-9a-f]{28}/#, "<key>"),
            (#/wam_[0-9a-f]{4}\.\.\.[0-9a-f]{4}/#, "<masked key>"),
            (#/3EB0[0-9A-F]{18}/#, "<message id>"),
            (#/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/#, "<time>"),
            (#/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z/#, "<time with fraction>"),
            (#/\*\*\*\w{4}/#, "<masked secret>"),
            (#/\d+\.\d [KMGT]?B/#, "<size>"),
            (#/(?:\d+[dhms] ?)+/#, "<duration>"),
            (#/\d+(?:\.\d+)+/#, "<version>"),
        ]
        return forms.first { (try? $0.0.wholeMatch(in: text)) != nil }?.1 ?? "'\(text)'"
    }
}
