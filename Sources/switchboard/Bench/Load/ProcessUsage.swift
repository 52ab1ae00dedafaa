import Foundation

/// What Linux tells of a process.
enum ProcessUsage {
    /// Kilobytes of anonymous memory in use, which is what devices cost; 0 for a process that is gone.
    static func anonymousKilobytes(_ process: Int32) -> Double {
        field("RssAnon:", of: "/proc/\(process)/status")
    }

    /// Kilobytes in use, files that are mapped among them.
    static func residentKilobytes(_ process: Int32) -> Double { field("VmRSS:", of: "/proc/\(process)/status") }

    /// The most that ``residentKilobytes(_:)`` ever was.
    static func peakKilobytes(_ process: Int32) -> Double { field("VmHWM:", of: "/proc/\(process)/status") }

    /// Kilobytes in use, with a share of what it has in common with others.
    static func proportionalKilobytes(_ process: Int32) -> Double {
        field("Pss:", of: "/proc/\(process)/smaps_rollup")
    }

    /// Seconds of processor time of a process and of its children, those that ended among them.
    static func processorSeconds(_ process: Int32, withChildren: Bool = false) -> Double {
        guard let own = Times(process) else { return 0 }
        guard withChildren else { return own.seconds }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        let children = names.compactMap { Int32($0) }.compactMap(Times.init).filter { $0.parent == process }
        return children.reduce(own.seconds + own.secondsOfEnded) { $0 + $1.seconds }
    }

    private static func field(_ name: String, of file: String) -> Double {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return 0 }
        return line.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    }

    /// The fields of `/proc/PID/stat` behind the name in parentheses.
    private struct Times {
        let parent: Int32
        let seconds: Double
        let secondsOfEnded: Double

        init?(_ process: Int32) {
            guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let end = text.lastIndex(of: ")")
            else { return nil }
            let fields = text[end...].split(separator: " ").dropFirst().map { Double($0) ?? 0 }
            guard fields.count > 14 else { return nil }
            let perSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
            parent = Int32(fields[1])
            seconds = (fields[11] + fields[12]) / perSecond
            secondsOfEnded = (fields[13] + fields[14]) / perSecond
        }
    }
}

/// Seconds of processor time by process.
struct ProcessorTimes: Sendable {
    var gateway = 0.0
    var postgres = 0.0
    var sandbox = 0.0
    var generator = 0.0

    static func - (left: ProcessorTimes, right: ProcessorTimes) -> ProcessorTimes {
        ProcessorTimes(
            gateway: left.gateway - right.gateway, postgres: left.postgres - right.postgres,
            sandbox: left.sandbox - right.sandbox, generator: left.generator - right.generator)
    }
}
