import Foundation

/// How one sandbox is started: addresses, seed, clock and where its world is kept (13, section 5.2).
package struct SandboxConfiguration: Sendable, Equatable {
    package enum ClockMode: String, Sendable, Codable { case real, virtual }

    /// PEM files.
    package struct Certificate: Sendable, Equatable {
        package var certificateFile: String
        package var privateKeyFile: String
        package init(certificateFile: String, privateKeyFile: String) {
            self.certificateFile = certificateFile
            self.privateKeyFile = privateKeyFile
        }
    }

    /// Bind address of the three listeners. `SANDBOX_ADDRESS`.
    package var address = "127.0.0.1"
    /// Ports; 0 means any free one. `SANDBOX_CHAT_PORT`, `SANDBOX_CONTROL_PORT`, `SANDBOX_MEDIA_PORT`.
    package var chatPort = 7070
    package var controlPort = 7071
    package var mediaPort = 7072
    /// Bearer token of the control API; `nil` asks for none. `SANDBOX_CONTROL_TOKEN`.
    package var controlToken: String?
    /// Certificate chain and private key of the media listener, PEM files. `SANDBOX_TLS_CERT_FILE`, `SANDBOX_TLS_KEY_FILE`.
    package var certificate: Certificate?
    /// Seed of the default world. `SANDBOX_SEED`.
    package var seed = "sandbox"
    /// Clock of the default world. `SANDBOX_CLOCK`.
    package var clock = ClockMode.real
    /// First moment of a virtual clock, Unix seconds.
    package var startTime: Int64 = 1_700_000_000
    /// Folder of the world's journal; `nil` keeps the world in memory only.
    package var dataDirectory: String?
    /// Behaviour of the default world at its first start.
    package var settings = WorldSettings()

    package init() {}

    /// Reads the `SANDBOX_…` variables. Throws ``SandboxConfigurationError`` naming the first variable that does not parse.
    package init(environment: [String: String]) throws {
        if let value = environment["SANDBOX_ADDRESS"], !value.isEmpty { address = value }
        chatPort = try Self.port("SANDBOX_CHAT_PORT", environment) ?? chatPort
        controlPort = try Self.port("SANDBOX_CONTROL_PORT", environment) ?? controlPort
        mediaPort = try Self.port("SANDBOX_MEDIA_PORT", environment) ?? mediaPort
        if let value = environment["SANDBOX_CONTROL_TOKEN"], !value.isEmpty { controlToken = value }
        if let value = environment["SANDBOX_SEED"], !value.isEmpty { seed = value }
        if let value = environment["SANDBOX_CLOCK"], !value.isEmpty {
            guard let mode = ClockMode(rawValue: value.lowercased()) else {
                throw SandboxConfigurationError(variable: "SANDBOX_CLOCK", reason: "must be real or virtual")
            }
            clock = mode
        }
        certificate = try Self.certificate(environment)
    }

    private static func certificate(_ environment: [String: String]) throws -> Certificate? {
        let names = ["SANDBOX_TLS_CERT_FILE", "SANDBOX_TLS_KEY_FILE"]
        let files = names.map { environment[$0].flatMap { $0.isEmpty ? nil : $0 } }
        guard let certificate = files[0] else {
            guard files[1] != nil else { return nil }
            throw SandboxConfigurationError(variable: names[0], reason: "is needed beside \(names[1])")
        }
        guard let key = files[1] else {
            throw SandboxConfigurationError(variable: names[1], reason: "is needed beside \(names[0])")
        }
        return Certificate(certificateFile: certificate, privateKeyFile: key)
    }

    private static func port(_ name: String, _ environment: [String: String]) throws -> Int? {
        guard let text = environment[name], !text.isEmpty else { return nil }
        guard let value = Int(text), (0...65535).contains(value) else {
            throw SandboxConfigurationError(variable: name, reason: "must be a port from 0 to 65535")
        }
        return value
    }
}

/// A `SANDBOX_…` variable whose value cannot be used.
package struct SandboxConfigurationError: Error, Equatable, CustomStringConvertible {
    package let variable: String
    package let reason: String
    package var description: String { "\(variable) \(reason)" }
}

/// Where a started sandbox is reached.
package struct SandboxAddresses: Sendable, Equatable {
    /// `ws://host:port/ws/chat`.
    package let webSocket: String
    /// `http://host:port` of the control API; empty while no control listener runs.
    package let control: String
    /// `http://host:port` of the media server; empty while no media listener runs.
    package let media: String
    /// Root public key of the certificate chain, 64 hex digits.
    package let rootPublicKey: String

    /// `http://host:port` of the pages that tell the client version: those of the chat listener.
    package var pages: String {
        let authority = webSocket.drop { $0 != "/" }.drop { $0 == "/" }.prefix { $0 != "/" }
        return (webSocket.hasPrefix("wss:") ? "https://" : "http://") + authority
    }

    package init(webSocket: String, control: String, media: String, rootPublicKey: String) {
        self.webSocket = webSocket
        self.control = control
        self.media = media
        self.rootPublicKey = rootPublicKey
    }
}
