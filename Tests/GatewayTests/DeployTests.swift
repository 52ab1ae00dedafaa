import Foundation
import Tenancy
import Testing

/// What `deploy/` says holds against the program.
@Suite("Deployment files")
struct DeployTests {
    private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private func text(_ name: String) throws -> String {
        try String(contentsOf: root.appending(path: name), encoding: .utf8)
    }

    @Test(
        "every setting that a deployment file names exists",
        arguments: [
            "deploy/compose.yaml", "deploy/compose.sandbox.yaml", "deploy/kubernetes/switchboard.yaml",
            "deploy/systemd/switchboard.service",
            "deploy/Dockerfile",
        ])
    func settings(file: String) throws {
        let known = Set(SettingTable.all.map(\.name))
        let foreign = ["POSTGRES_", "POD_", "HOST_", "CMD"]
        let names =
            switch file.split(separator: ".").last {
            case "yaml": try text(file).matches(of: /(?m)(?:^ *-? *\{?name: |^ +)([A-Z][A-Z0-9_]{2,})\b/).map { $0.1 }
            default: try text(file).matches(of: /\b([A-Z][A-Z0-9_]{3,})=/).map { $0.1 }
            }
        let own = names.filter { name in !foreign.contains { name.hasPrefix($0) } && name != "DEBIAN_FRONTEND" }
        #expect(!own.isEmpty)
        for name in own { #expect(known.contains(String(name)), "\(file) names \(name)") }
    }

    @Test("every setting that the documentation names exists")
    func documentedSettings() throws {
        let known = Set(SettingTable.all.map(\.name))
        let prefixes = Set(known.compactMap { $0.split(separator: "_").first })
        // Of Node.js, and what the frames of /ws are called.
        let foreign: Set = ["NODE_EXTRA_CA_CERTS", "DEVICE_STATE", "DEVICE_LOGGED_OUT"]
        let docs = try FileManager.default.subpathsOfDirectory(atPath: root.appending(path: "docs").path)
        var seen: Set<String> = []
        for page in docs.filter({ $0.hasSuffix(".md") }).map({ "docs/" + $0 }) + ["README.md", "CHANGELOG.md"] {
            for match in try text(page).matches(of: /\b([A-Z][A-Z0-9]*)(?:_[A-Z0-9]+)+\b/) {
                let name = String(match.0)
                guard prefixes.contains(match.1), !foreign.contains(name) else { continue }
                let isFile = name.hasSuffix("_FILE") && known.contains(String(name.dropLast(5)))
                #expect(known.contains(name) || isFile, "\(page) names \(name)")
                seen.insert(name)
            }
        }
        #expect(seen.count > 30, "\(seen.count)")
    }

    @Test("containers run without root, with a read-only file system, probes and time to drain")
    func hardening() throws {
        let docker = try text("deploy/Dockerfile")
        for line in ["\nUSER 10001\n", "\nHEALTHCHECK ", "\nSTOPSIGNAL SIGTERM\n"] { #expect(docker.contains(line)) }
        let pod = try text("deploy/kubernetes/switchboard.yaml")
        for part in [
            "runAsNonRoot: true", "readOnlyRootFilesystem: true", "path: /health/live", "path: /health/ready",
            "maxUnavailable: 0", "terminationGracePeriodSeconds: 40",
        ] {
            #expect(pod.contains(part), "\(part)")
        }
        let compose = try text("deploy/compose.yaml")
        for part in ["read_only: true", "condition: service_healthy", "pg_isready"] {
            #expect(compose.contains(part), "\(part)")
        }
    }

    @Test("whoever runs the program may write to its volume and list the machine's addresses")
    func permissions() throws {
        let docker = try text("deploy/Dockerfile")
        let owned = try #require(docker.range(of: "install -d -o 10001 -g 10001 -m 0750 /data\n"))
        let user = try #require(docker.range(of: "\nUSER 10001\n"))
        #expect(owned.upperBound < user.lowerBound)
        #expect(try text("deploy/compose.sandbox.yaml").contains("sandbox:/data"))
        let families = try #require(
            try text("deploy/systemd/switchboard.service").firstMatch(of: /RestrictAddressFamilies=(.*)/)?.1)
        #expect(Set(families.split(separator: " ")) == ["AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"])
    }

    @Test("the image is made of what a clone has: nothing it copies is ignored by git or left out of its context")
    func copied() throws {
        let ignored = try [".gitignore", "deploy/Dockerfile.dockerignore"].flatMap {
            try text($0).split(separator: "\n").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "/")) }
        }
        let lines = try text("deploy/Dockerfile").split(separator: "\n").filter { $0.hasPrefix("COPY ") }
        let sources = lines.filter { !$0.contains("--from=") }.flatMap {
            $0.split(separator: " ").dropFirst().dropLast()
        }
        #expect(sources.count > 3)
        for source in sources {
            #expect(!ignored.contains(String(source)), "\(source)")
            #expect(FileManager.default.fileExists(atPath: root.appending(path: String(source)).path), "\(source)")
        }
    }

    @Test("with the sandbox in WhatsApp's place, the gateway waits for it and every setting of .env reaches it")
    func compose() throws {
        let sandbox = try text("deploy/compose.sandbox.yaml")
        for part in ["sandbox: {condition: service_healthy}", "healthcheck:", "WHATSAPP_NOISE_ROOT_KEY: "] {
            #expect(sandbox.contains(part), "\(part)")
        }
        #expect(try text("deploy/compose.yaml").contains("    env_file: .env\n"))
    }

    @Test("the image installs the libraries that the program is linked against")
    func libraries() throws {
        let docker = try text("deploy/Dockerfile")
        let bootstrap = try text("scripts/bootstrap")
        for library in bootstrap.matches(of: /\b(lib[a-z0-9-]+-dev|zlib1g-dev)\b/).map({ String($0.1) }) {
            #expect(docker.contains(library), "\(library)")
        }
    }
}
