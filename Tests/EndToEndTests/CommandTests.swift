import Foundation
import TestSupport
import Testing

/// The commands of the documentation that no test runs, because they take long or need another machine: programs, subcommands,
/// options, scripts and files that they name are there.
@Suite("Commands of the documentation")
struct CommandTests {
    /// A command as it is written, and where.
    private struct Line {
        let place: String
        let text: String
    }

    @Test("every command names a program, a subcommand and options that there are")
    func exist() async throws {
        let lines = try Self.pages().flatMap { try Self.console(of: $0) + Self.inline(of: $0) } + Self.heads()
        var seen: [String: Int] = [:]
        for line in lines {
            let words = Self.words(line.text)
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
        let installed = try Self.heads().map { Self.words($0.text) }.filter { $0.first == "install" }
            .compactMap(\.last)
        #expect(installed.contains("/usr/local/bin/switchboard") && installed.contains("/etc/switchboard/env"))
        #expect(unit.contains("ExecStart=/usr/local/bin/switchboard serve"))
        #expect(unit.contains("ENV_FILE=/etc/switchboard/env"))
    }

    // MARK: Where commands stand

    private static func pages() throws -> [String] {
        let docs = try FileManager.default.subpathsOfDirectory(atPath: ShellScript.root.appending(path: "docs").path)
        return ["README.md", "CONTRIBUTING.md", "SECURITY.md"]
            + docs.filter { $0.hasSuffix(".md") && !$0.hasSuffix("metrics.md") }.map { "docs/" + $0 }
    }

    private static func text(_ file: String) throws -> String {
        try String(contentsOf: ShellScript.root.appending(path: file), encoding: .utf8)
    }

    /// The lines of the blocks that no test runs.
    private static func console(of page: String) throws -> [Line] {
        try text(page).matches(of: #/```console\n([\s\S]*?)```/#).flatMap { block in
            block.1.split(separator: "\n").map { Line(place: page, text: String($0)) }
        }
    }

    /// Commands in the running text.
    private static func inline(of page: String) throws -> [Line] {
        try text(page).matches(of: #/`((?:[A-Z_]+=\S+ )?(?:switchboard |scripts\/|swift )[^`]*)`/#).map {
            Line(place: page, text: String($0.1).replacing("\n", with: " "))
        }
    }

    /// Commands in the first lines of the files for deploying; a line that ends with `\` goes on.
    private static func heads() throws -> [Line] {
        let files = [
            "Dockerfile", "compose.yaml", "compose.sandbox.yaml", "kubernetes/switchboard.yaml",
            "systemd/switchboard.service",
        ]
        return try files.flatMap { name in
            let file = "deploy/" + name
            return try text(file).replacing("\\\n#", with: " ").split(separator: "\n").prefix { $0.hasPrefix("#") }
                .filter { $0.hasPrefix("#   ") }.map { Line(place: file, text: String($0.dropFirst(4))) }
        }
    }

    /// Without the comment at the end and the variables in front.
    private static func words(_ text: String) -> [String] {
        let command = text.split(separator: " #", maxSplits: 1).first ?? ""
        return command.split(separator: " ").map(String.init).drop { $0.contains(#/^[A-Z_]+=/#) }.map { $0 }
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

    private static func checkSwift(_ words: [String], _ line: Line) throws {
        if let product = words.after("--product") {
            #expect(try text("Package.swift").contains("\"\(product)\""), "\(line.place): \(line.text)")
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
    private static func checkFiles(_ words: [String], _ line: Line) throws {
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
