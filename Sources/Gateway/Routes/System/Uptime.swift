import Foundation

/// Version of the program.
package enum BuildVersion {
    package static let text = "0.1.0"
}

/// How long the process has been up.
struct Uptime: Sendable {
    private let started = ContinuousClock.now

    var seconds: Int64 { (ContinuousClock.now - started).components.seconds }

    /// `1d 2h 3m 4s` without leading zero units.
    var text: String { Self.format(seconds) }

    static func format(_ total: Int64) -> String {
        let parts = [(total / 86_400, "d"), (total / 3600 % 24, "h"), (total / 60 % 60, "m"), (total % 60, "s")]
        let shown = parts.drop { $0.0 == 0 }
        return shown.isEmpty ? "0s" : shown.map { "\($0.0)\($0.1)" }.joined(separator: " ")
    }
}

/// Memory of the process, from the kernel.
enum ProcessMemory {
    /// Resident and virtual bytes; zeros where the system does not tell.
    static var usage: (resident: Int, virtual: Int) {
        guard let data = FileManager.default.contents(atPath: "/proc/self/statm") else { return (0, 0) }
        let pages = String(decoding: data, as: UTF8.self).split(separator: " ").compactMap { Int($0) }
        guard pages.count >= 2 else { return (0, 0) }
        let page = Int(sysconf(Int32(_SC_PAGESIZE)))
        return (pages[1] * page, pages[0] * page)
    }

    static var threads: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    }

    static var openFiles: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
    }

    /// User and system time since the start.
    static var processorSeconds: Double {
        var usage = rusage()
        guard getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 else { return 0 }
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    /// `41.3 MB`: one decimal, powers of 1024.
    static func format(_ bytes: Int) -> String {
        var value = Double(bytes)
        for unit in ["B", "KB", "MB", "GB"] {
            if value < 1024 { return unit == "B" ? "\(bytes) B" : String(format: "%.1f ", value) + unit }
            value /= 1024
        }
        return String(format: "%.1f TB", value)
    }
}
