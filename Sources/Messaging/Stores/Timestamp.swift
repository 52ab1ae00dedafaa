/// A point in time: microseconds since 1970-01-01T00:00:00Z, the precision of PostgreSQL's `timestamptz`.
///
/// Only times that both `timestamptz` and RFC 3339 can say exist, the years 1 to 9999: what is beyond, as a peer may claim,
/// becomes the nearest of them. So differences of two points and a few years more never overflow.
package struct Timestamp: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 0001-01-01T00:00:00Z to the last microsecond of 9999.
    private static let range: ClosedRange<Int64> = -62_135_596_800_000_000...253_402_300_799_999_999

    package var microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = min(max(microseconds, Self.range.lowerBound), Self.range.upperBound)
    }
    package init(seconds: Int64) { self.init(seconds, by: 1_000_000) }
    package init(milliseconds: Int64) { self.init(milliseconds, by: 1000) }

    private init(_ value: Int64, by factor: Int64) {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        self.init(microseconds: overflow ? (value < 0 ? .min : .max) : product)
    }

    /// Whole seconds, rounded down.
    package var seconds: Int64 {
        microseconds >= 0 ? microseconds / 1_000_000 : (microseconds - 999_999) / 1_000_000
    }

    package var milliseconds: Int64 { microseconds >= 0 ? microseconds / 1000 : (microseconds - 999) / 1000 }

    package func adding(seconds: Int64) -> Timestamp {
        let (sum, overflow) = microseconds.addingReportingOverflow(Timestamp(seconds: seconds).microseconds)
        return Timestamp(microseconds: overflow ? (seconds < 0 ? .min : .max) : sum)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

    /// RFC 3339 in UTC with microseconds, `2026-01-02T03:04:05.678901Z` (11-webhooks, section 2).
    package var description: String { rfc3339 }

    package var rfc3339: String {
        let date = CivilDate(daysSince1970: floorDivide(seconds, 86_400))
        let second = seconds - floorDivide(seconds, 86_400) * 86_400
        let fraction = microseconds - seconds * 1_000_000
        func pad(_ value: Int64, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        return pad(date.year, 4) + "-" + pad(date.month, 2) + "-" + pad(date.day, 2) + "T" + pad(second / 3600, 2)
            + ":" + pad(second / 60 % 60, 2) + ":" + pad(second % 60, 2) + "." + pad(fraction, 6) + "Z"
    }
}

/// A clock that can be replaced in tests.
package protocol WallClock: Sendable {
    func now() -> Timestamp
}

private func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
    value >= 0 ? value / divisor : (value - divisor + 1) / divisor
}

/// Proleptic Gregorian date of a day number (days since 1970-01-01), by counting in 400-year eras from 0000-03-01.
private struct CivilDate {
    let year, month, day: Int64

    init(daysSince1970: Int64) {
        let shifted = daysSince1970 + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }
}
