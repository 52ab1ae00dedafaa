import Transport

/// What a rule does, as its author wrote it, with the action the server takes (09-sandbox-server, section 23).
package struct FaultEffect: Sendable, Equatable {
    /// Why a JSON document is no effect.
    package enum ParsingError: Error, Equatable, CustomStringConvertible {
        case malformed(String)

        package var description: String {
            switch self {
            case .malformed(let reason): reason
            }
        }
    }

    private enum Behaviour: Sendable, Equatable {
        case fixed(FaultAction)
        /// Changes attributes of the matched stanza.
        case mutate(set: [String: String], remove: [String])
    }

    /// The effect as `{"type": …, parameters}`.
    package let json: JSONValue
    private let behaviour: Behaviour

    /// What the server is to do with `stanza`; nil when the effect does not apply to this occasion.
    package func action(on stanza: Stanza?) -> FaultAction? {
        switch behaviour {
        case .fixed(let action):
            return action
        case .mutate(let set, let remove):
            guard var stanza else { return nil }
            for (key, value) in set.sorted(by: { $0.key < $1.key }) {
                stanza.attributes[key] = StanzaText.attribute(key, value)
            }
            for key in remove { stanza.attributes[key] = nil }
            return .replace(stanza)
        }
    }

    /// Reads `"drop"`, `{"type":"delay","ms":100}` or `{"delay":{"ms":100}}`.
    package init(json: JSONValue) throws {
        switch json {
        case .string(let name):
            try self.init(name: name, parameters: .object([:]))
        case .object(let members):
            if let name = members["type"]?.stringValue {
                try self.init(name: name, parameters: json)
            } else if members.count == 1, let (name, parameters) = members.first {
                try self.init(name: name, parameters: parameters)
            } else {
                throw ParsingError.malformed("an action needs a type")
            }
        default:
            throw ParsingError.malformed("an action is a name or an object")
        }
    }

    /// Effects on a whole connection: without a `count` their rules never end.
    private static let lasting: Set<String> = ["throttle", "latency"]

    /// The only hook points at which an effect means anything; an effect that is not named here belongs to all of them. A rule
    /// is not used up where its effect could not be brought about.
    private static let places: [String: Set<FaultPoint.Stage>] = [
        "no_prekeys": [.prekeyFetch], "wrong_identity": [.prekeyFetch], "stale_devices": [.usync],
        "missing_lid": [.usync], "bad_cert": [.handshake], "offline_flood": [.login],
        "http_status": [.upload, .download], "http_truncate": [.upload, .download],
        "http_corrupt": [.upload, .download], "http_slow": [.upload, .download],
    ]

    func belongs(to stage: FaultPoint.Stage?) -> Bool {
        guard let stage, let places = json["type"]?.stringValue.flatMap({ Self.places[$0] }) else { return true }
        return places.contains(stage)
    }

    var isLasting: Bool { json["type"]?.stringValue.map { Self.lasting.contains($0) } ?? false }

    private init(name: String, parameters: JSONValue) throws {
        let reader = FaultParameters(effect: name, values: parameters)
        behaviour =
            name == "mutate"
            ? .mutate(set: reader.dictionary("set"), remove: reader.texts("remove"))
            : .fixed(try Self.fixed(name, reader))
        var members = parameters.objectValue ?? [:]
        members["type"] = .string(name)
        self.json = .object(members)
    }

    private static func fixed(_ name: String, _ reader: FaultParameters) throws -> FaultAction {
        switch name {
        case "drop": return .drop
        case "drop_answer": return .dropAnswer
        case "delay": return .delay(milliseconds: try reader.int("ms"))
        case "stall": return .stall(milliseconds: try reader.int("ms"))
        case "duplicate": return .duplicate(times: reader.int("times", 1), gap: reader.int("gap_ms", 0))
        case "reorder": return .reorder(window: try reader.int("window"))
        case "iq_error":
            let code = try reader.int("code")
            return .iqError(code: code, text: reader.text("text") ?? iqErrorText[code] ?? "bad-request")
        case "ack_error": return .ackError(code: try reader.int("code"))
        case "ack_phash": return .ackPhash(try reader.requiredText("value"))
        case "stream_error": return .end(with: try streamError(reader), abrupt: reader.bool("abrupt"))
        case "failure": return .end(with: try failure(reader), abrupt: reader.bool("abrupt"))
        case "close": return .close(code: reader.int("code", 1000))
        case "reset": return .reset
        case "corrupt":
            switch reader.text("part") ?? "enc" {
            case "enc": return .corruptEnc
            case "frame": return .corruptFrame
            case "node": return .corruptNode
            case let part: throw ParsingError.malformed("corrupt: \(part) is no part")
            }
        case "truncate": return .truncate
        case "oversize": return .oversize
        case "bad_flag": return .badFlag
        case "split_ws": return .splitMessage(parts: max(2, reader.int("n", 2)))
        case "replace": return .replace(try StanzaText.parse(xml: reader.requiredText("xml")))
        case "unavailable": return .unavailable(type: reader.text("kind"))
        case "no_prekeys": return .noPrekeys
        case "stale_devices": return .staleDevices
        case "missing_lid": return .missingLID
        case "wrong_identity":
            return .wrongIdentity(account: try reader.requiredText("account"), notify: reader.bool("notify"))
        case "bad_cert":
            guard let flaw = FaultAction.CertificateFault(rawValue: try reader.requiredText("flaw")) else {
                throw ParsingError.malformed(
                    "bad_cert: flaw is one of expired, not_yet, wrong_root, wrong_leaf, serial, no_signature")
            }
            return .badCertificate(flaw)
        case "clock_skew": return .clockSkew(seconds: try reader.int("s"))
        default: return try onConnection(name, reader)
        }
    }

    /// Effects on a whole connection or on an HTTP answer.
    private static func onConnection(_ name: String, _ reader: FaultParameters) throws -> FaultAction {
        switch name {
        case "latency":
            return .latency(
                milliseconds: try reader.positive("ms"), jitter: min(max(0, reader.int("jitter_ms", 0)), 1_000_000))
        case "throttle": return .throttle(bytesPerSecond: try reader.positive("bytes_per_s"))
        case "offline_flood":
            return .offlineFlood(count: try reader.positive("n"), from: reader.text("from"))
        case "http_status":
            let code = try reader.int("code")
            guard (200...599).contains(code) else {
                throw ParsingError.malformed("http_status: code is a status from 200 to 599")
            }
            return .httpStatus(code: code, retryAfter: reader.optionalInt("retry_after"))
        case "http_truncate": return .httpTruncate
        case "http_corrupt": return .httpCorrupt
        case "http_slow": return .httpSlow(bytesPerSecond: max(1, reader.int("bytes_per_s", 1024)))
        default: throw ParsingError.malformed("unknown action \(name)")
        }
    }

    private static func streamError(_ reader: FaultParameters) throws -> Stanza {
        if let raw = reader.text("raw") {
            return Stanza("stream:error", children: [try StanzaText.parse(xml: raw)])
        }
        if let conflict = reader.text("conflict") {
            let attributes: StanzaAttributes = conflict == "device_removed" ? ["code": "401"] : [:]
            return Stanza("stream:error", attributes, children: [Stanza("conflict", ["type": .text(conflict)])])
        }
        return Stanza("stream:error", ["code": .text(try reader.requiredText("code"))])
    }

    private static func failure(_ reader: FaultParameters) throws -> Stanza {
        var stanza = Stanza("failure", ["reason": .text(String(try reader.int("reason"))), "location": "sbx"])
        for (key, value) in reader.attributes(except: ["reason", "abrupt", "type"]).sorted(by: { $0.key < $1.key }) {
            stanza[key] = value
        }
        return stanza
    }

    /// The texts that go with IQ error codes (09-sandbox-server, section 22.1).
    private static let iqErrorText: [Int: String] = [
        400: "bad-request", 401: "not-authorized", 403: "forbidden", 404: "item-not-found", 405: "not-allowed",
        406: "not-acceptable", 409: "conflict", 410: "gone", 419: "resource-limit", 423: "locked",
        429: "rate-overlimit", 500: "internal-server-error", 501: "feature-not-implemented",
        503: "service-unavailable", 530: "partial-server-error",
    ]
}

/// Typed access to the parameters of an effect.
private struct FaultParameters {
    let effect: String
    let values: JSONValue

    func int(_ key: String, _ fallback: Int) -> Int { values[key]?.intValue.flatMap { Int(exactly: $0) } ?? fallback }
    func text(_ key: String) -> String? { values[key]?.stringValue ?? values[key]?.intValue.map { String($0) } }
    func bool(_ key: String) -> Bool { values[key]?.boolValue ?? false }
    func texts(_ key: String) -> [String] { values[key]?.arrayValue?.compactMap(\.stringValue) ?? [] }
    func dictionary(_ key: String) -> [String: String] { (values[key] ?? .null).textMembers }
    func attributes(except: Set<String>) -> [String: String] { values.textMembers.filter { !except.contains($0.key) } }

    func optionalInt(_ key: String) -> Int? { values[key]?.intValue.flatMap { Int(exactly: $0) } }

    /// A number from 1 to 1 000 000.
    func positive(_ key: String) throws -> Int {
        let value = try int(key)
        guard (1...1_000_000).contains(value) else {
            throw FaultEffect.ParsingError.malformed("\(effect): \(key) is a number from 1 to 1000000")
        }
        return value
    }

    func int(_ key: String) throws -> Int {
        guard let value = values[key]?.intValue.flatMap({ Int(exactly: $0) }), abs(value) <= 1_000_000_000 else {
            throw FaultEffect.ParsingError.malformed("\(effect) needs a number \(key)")
        }
        return value
    }

    func requiredText(_ key: String) throws -> String {
        guard let value = text(key) else {
            throw FaultEffect.ParsingError.malformed("\(effect) needs a text \(key)")
        }
        return value
    }
}

extension JSONValue {
    /// The members of an object that are texts or numbers, as text.
    fileprivate var textMembers: [String: String] {
        (objectValue ?? [:]).compactMapValues { $0.stringValue ?? $0.intValue.map { String($0) } }
    }

    package static func number(_ value: some BinaryInteger) -> JSONValue { .int(Int64(clamping: value)) }
}
