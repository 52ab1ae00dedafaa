import Foundation
import Messaging

/// A time as requests name it: RFC 3339, or a number of seconds since 1970.
enum RequestTime {
    /// Nil for a text that is neither, and for times outside of the years 1970 to 9999.
    static func date(_ text: String) -> Date? {
        if let seconds = Double(text) { return date(seconds) }
        let found =
            (try? Date(text, strategy: .iso8601))
            ?? (try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        return found.flatMap { date($0.timeIntervalSince1970) }
    }

    /// Nil outside of the years 1970 to 9999.
    static func date(_ seconds: Double) -> Date? {
        (0..<253_402_300_800).contains(seconds) ? Date(timeIntervalSince1970: seconds) : nil
    }

    /// 400 for what ``date(_:)`` does not take.
    static func error(_ name: String) -> APIError {
        .validation("\(name) must be an RFC 3339 time or unix seconds", field: name)
    }
}

extension Query {
    /// The time of a parameter; nil when absent or empty. Throws 400.
    func date(_ name: String) throws(APIError) -> Date? {
        guard let text = self[name], !text.isEmpty else { return nil }
        guard let date = RequestTime.date(text) else { throw RequestTime.error(name) }
        return date
    }

    /// The same in whole seconds.
    func timestamp(_ name: String) throws(APIError) -> Timestamp? {
        try date(name).map { Timestamp(seconds: Int64($0.timeIntervalSince1970)) }
    }
}
