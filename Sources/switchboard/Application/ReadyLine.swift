import Foundation
import Sandbox

/// The line of JSON that `--json` prints when everything accepts requests. Other programs are built on it: members are
/// only ever added.
struct ReadyLine: Encodable {
    /// Where a sandbox is reached, and the key its certificates are signed with.
    struct SandboxPart: Encodable {
        let ws: String
        let control: String
        let media: String
        let rootPublicKey: String

        enum CodingKeys: String, CodingKey {
            case ws, control, media
            case rootPublicKey = "root_public_key"
        }

        init(_ addresses: SandboxAddresses) {
            ws = addresses.webSocket
            control = addresses.control
            media = addresses.media
            rootPublicKey = addresses.rootPublicKey
        }
    }

    var ready = true
    var api: String?
    var adminSecret: String?
    var database: String?
    var sandbox: SandboxPart?
    var pid = ProcessInfo.processInfo.processIdentifier

    enum CodingKeys: String, CodingKey {
        case ready, api, database, sandbox, pid
        case adminSecret = "admin_secret"
    }

    var text: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }
}
