import Foundation
import TestSupport
import Testing

/// The commands of the documentation beside those of its `sh` blocks: each is run, here or elsewhere, or stands in
/// `CommandProof.all` with the reason why not; and programs, subcommands, options, scripts and files that they name are there.
@Suite("Commands of the documentation")
struct CommandTests {
    @Test("every command names a program, a subcommand and options that there are")
    func exist() async throws {
        var seen: [String: Int] = [:]
        for line in try DocumentedCommands.all() {
            let words = line.words
            guard let program = words.first else { continue }
            seen[String(program.split(separator: "/").last ?? ""), default: 0] += 1
            let rest = Array(words.dropFirst())
            switch program {
            case "switchboard", ".build/release/switchboard", ".build/debug/switchboard":
                for problem in try Self.problems(of: rest) { Issue.record("\(line.place): \(line.text): \(problem)") }
            case "swift": try Self.checkSwift(rest, line)
            case _ where program.hasPrefix("scripts/"):
                let path = ShellScript.root.appending(path: program).path
                #expect(FileManager.default.isExecutableFile(atPath: path), "\(line.place): \(line.text)")
            case "docker", "kubectl", "cp", "echo", "install", "useradd", "sudo": try Self.checkFiles(rest, line)
            default: Issue.record("\(line.place): \(program) is not known: \(line.text)")
            }
        }
        for (program, count) in [("switchboard", 20), ("docker", 3), ("install", 3), ("swift", 2), ("run", 3)] {
            #expect(seen[program] ?? 0 >= count, "few commands with \(program) were found: \(seen)")
        }
    }

    @Test("every command is run by something that is named, or it is said why not")
    func isListed() throws {
        let documented = Set(try DocumentedCommands.all().map { $0.command })
        for command in documented {
            #expect(CommandProof.all[command] != nil, "nothing runs this, and nobody says why: \(command)")
        }
        for (command, proof) in CommandProof.all {
            #expect(documented.contains(command), "no page has this: \(command)")
            switch proof {
            case .elsewhere(let file, let text):
                let found = try DocumentedCommands.text(file).contains(text)
                #expect(found, "\(file) does not run \(command): \(text)")
            case .page(let page):
                let isRun = TourTests.pages.contains { $0.page == page }
                let stands = try ShellScript.blocks(of: page).contains { $0.contains(command) }
                #expect(isRun && stands, "\(page) does not run \(command)")
            case .checked(let reason): #expect(reason.count > 10, "\(command)")
            case .small: break
            }
        }
        let unrun = CommandProof.all.values.count { if case .checked = $0 { true } else { false } }
        #expect(unrun <= 13, "commands that nothing runs must not become more: \(unrun)")
    }

    @Test("commands that need no more than a machine run in a small form", .timeLimit(.minutes(10)))
    func run() async throws {
        try await withDirectory { directory in
            for (command, proof) in CommandProof.all.sorted(by: { $0.key < $1.key }) {
                guard case .small(let values, let shows) = proof, command.hasPrefix("switchboard ") else { continue }
                let arguments = Self.small(command, values, directory: directory.path)
                let (status, said) = try await Self.finish(arguments, in: directory)
                #expect(status == 0 && said.contains(shows), "\(arguments.joined(separator: " ")): \(status), \(said)")
            }
        }
    }

    @Test("the database is told that it was restored, and the node's user finds all well with the file of its settings")
    func besideADatabase() async throws {
        try await withDev { dev in
            let file = dev.directory.appending(path: "dev.env").path
            let mode = try FileManager.default.attributesOfItem(atPath: file)[.posixPermissions] as? Int
            #expect(mode == 0o600)
            // As the head of the systemd unit has it, but for sudo and the place of the file.
            let head = try #require(try DocumentedCommands.heads().first { $0.text.hasPrefix("sudo ") }?.text)
            let script = "set -a; . /etc/switchboard/env; switchboard doctor"
            #expect(head.contains("sh -c '\(script)'"))
            let doctor = try await Self.finish(
                ["-c", script.replacing("/etc/switchboard/env", with: file)], program: URL(filePath: "/bin/sh"),
                in: dev.directory)
            #expect(doctor.status == 0 && doctor.said.contains("ok    data key"), "\(doctor)")
            let migrate = try await Self.finish(
                ["migrate", "--after-restore"], in: dev.directory, environment: ["ENV_FILE": file])
            #expect(migrate.status == 0, "\(migrate)")
        }
    }

    @Test("what the embedding scripts write is what is there")
    func embedding() async throws {
        try await withDirectory { directory in
            for (script, source, out) in [
                ("embed-migrations", "Migrations", "Sources/Storage/EmbeddedMigrations.swift"),
                ("embed-dashboard", "Dashboard", "Sources/Gateway/Dashboard/EmbeddedDashboard.swift"),
            ] {
                let target = directory.appending(path: out)
                for folder in [target.deletingLastPathComponent(), directory.appending(path: "scripts")] {
                    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
                }
                try FileManager.default.createSymbolicLink(
                    at: directory.appending(path: source), withDestinationURL: ShellScript.root.appending(path: source))
                let copy = directory.appending(path: "scripts/\(script)")
                try FileManager.default.copyItem(at: ShellScript.root.appending(path: "scripts/\(script)"), to: copy)
                let (status, said) = try await Self.finish([], program: copy, in: directory)
                #expect(status == 0, "\(said)")
                #expect(try String(contentsOf: target, encoding: .utf8) == DocumentedCommands.text(out), "\(script)")
            }
        }
    }

    @Test("the check finds a subcommand, an option and a value that there are not")
    func finds() throws {
        #expect(try Self.problems(of: ["bench", "load", "start", "--data-dir", "x"]).isEmpty)
        #expect(try Self.problems(of: ["bench", "lead"]) == ["lead is no subcommand and no value"])
        #expect(try Self.problems(of: ["bench", "load", "begin"]) == ["begin is no subcommand and no value"])
        #expect(try Self.problems(of: ["serve", "--check"]) == ["--check is no option"])
    }

    @Test("what the systemd unit's head installs is where the unit looks for it")
    func systemd() throws {
        let unit = try String(
            contentsOf: ShellScript.root.appending(path: "deploy/systemd/switchboard.service"), encoding: .utf8)
        let installed = try DocumentedCommands.heads().map(\.words).filter { $0.first == "install" }
            .compactMap(\.last)
        #expect(installed.contains("/usr/local/bin/switchboard") && installed.contains("/etc/switchboard/env"))
        #expect(unit.contains("ExecStart=/usr/local/bin/switchboard serve"))
        #expect(unit.contains("ENV_FILE=/etc/switchboard/env"))
    }

    // MARK: What they name

    private static func problems(of words: [String]) throws -> [String] {
        let path = words.prefix { !$0.hasPrefix("-") }.filter { $0 != "''" }
        // A value that there is not gives no help: that of its command lists those there are.
        var (asked, help) = (Array(path), "")
        repeat {
            help = try output(asked + ["--help"])
        } while help.isEmpty && asked.popLast() != nil
        let usage = help.firstMatch(of: #/USAGE: switchboard ?([^\n]*)/#)?.1 ?? ""
        let own = usage.split(separator: " ").prefix { !"[<-".contains($0.first ?? "<") }.map(String.init)
        var problems: [String] = []
        if Array(path.prefix(own.count)) != own { problems.append("that is the help of \(own)") }
        // What is no subcommand is a value; the help lists those there are.
        for value in path.dropFirst(own.count) where try !help.contains(Regex("\\b\(value)[,)]")) {
            problems.append("\(value) is no subcommand and no value")
        }
        for option in words where option.hasPrefix("--") && option != "--version" {
            if try !help.contains(Regex("\(option)(?![a-z-])")) { problems.append("\(option) is no option") }
        }
        return problems
    }

    /// The command's own arguments, with `values` for those of its options; an option that it has not is added.
    private static func small(_ command: String, _ values: [String: String], directory: String) -> [String] {
        var words = command.split(separator: " ").dropFirst().map { $0 == "''" ? "" : String($0) }
        for (option, value) in values.sorted(by: { $0.key < $1.key }) {
            let value = value == "DIRECTORY" ? directory + "/load" : value
            if let place = words.firstIndex(of: option) { words[place + 1] = value } else { words += [option, value] }
        }
        return words
    }

    /// Runs a program, `switchboard` unless another is named, to its end.
    private static func finish(
        _ arguments: [String], program: URL = DevProcess.executable, in directory: URL,
        environment: [String: String] = [:]
    ) async throws -> (status: Int32, said: String) {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.currentDirectoryURL = directory
        let inherited = ProcessInfo.processInfo.environment.filter { ["PATH", "HOME", "TMPDIR"].contains($0.key) }
        let programs = DevProcess.executable.deletingLastPathComponent().path
        process.environment = inherited.merging(environment) { _, new in new }
            .merging(["PATH": "\(programs):\(inherited["PATH"] ?? "/usr/bin:/bin")"]) { _, new in new }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let said = try await Task.detached { try output.fileHandleForReading.readToEnd() ?? Data() }.value
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }

    private static func output(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = DevProcess.executable
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self)
    }

    private static func checkSwift(_ words: [String], _ line: DocumentedCommands.Line) throws {
        if let product = words.after("--product") {
            #expect(
                try DocumentedCommands.text("Package.swift").contains("\"\(product)\""), "\(line.place): \(line.text)")
        }
        if let filter = words.after("--filter") {
            let tests = ShellScript.root.appending(path: "Tests")
            let names = try FileManager.default.subpathsOfDirectory(atPath: tests.path).filter {
                $0.hasSuffix(".swift")
            }
            let found = try names.contains { name in
                try String(contentsOf: tests.appending(path: name), encoding: .utf8).contains("struct \(filter)")
            }
            #expect(found, "\(line.place): \(line.text)")
        }
    }

    /// Paths of the tree that a command names, seen from the directory of its file or from the root.
    private static func checkFiles(_ words: [String], _ line: DocumentedCommands.Line) throws {
        let folder = ShellScript.root.appending(path: line.place).deletingLastPathComponent()
        for word in words
        where word.contains(#/^[.A-Za-z\/]+\.(yaml|service|example)$|^deploy\//#) && !word.hasPrefix("/") {
            let isThere = [folder, ShellScript.root].contains {
                FileManager.default.fileExists(atPath: $0.appending(path: word).path)
            }
            #expect(isThere, "\(line.place): \(word) is not there: \(line.text)")
        }
    }
}

extension [String] {
    fileprivate func after(_ word: String) -> String? {
        firstIndex(of: word).flatMap { indices.contains($0 + 1) ? self[$0 + 1] : nil }
    }
}
