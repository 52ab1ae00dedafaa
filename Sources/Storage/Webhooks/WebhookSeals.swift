import Foundation

/// What is sealed of a webhook, bound to its row: moved to another row it does not open.
struct WebhookSeals: Sendable {
    let sealing: any SecretSealing

    func sealSecret(_ secret: String, of id: Int64) throws -> [UInt8] {
        try sealing.seal([UInt8](secret.utf8), context: "webhook/\(id)/secret")
    }

    func openSecret(_ sealed: [UInt8], of id: Int64) throws -> String {
        String(decoding: try sealing.open(sealed, context: "webhook/\(id)/secret"), as: UTF8.self)
    }

    func sealHeaders(_ headers: [String: String]?, of id: Int64) throws -> [UInt8]? {
        guard let headers else { return nil }
        return try sealing.seal([UInt8](try JSONEncoder().encode(headers)), context: "webhook/\(id)/headers")
    }

    func openHeaders(_ sealed: [UInt8]?, of id: Int64) throws -> [String: String] {
        guard let sealed else { return [:] }
        let json = try sealing.open(sealed, context: "webhook/\(id)/headers")
        return try JSONDecoder().decode([String: String].self, from: Data(json))
    }
}
