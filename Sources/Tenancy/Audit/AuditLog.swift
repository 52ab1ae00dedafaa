import Foundation
import Logging
import Storage

/// Where a request came from, for the audit log.
package struct AuditOrigin: Sendable {
    package let client: String
    package let requestID: String

    package init(client: String, requestID: String) {
        self.client = client
        self.requestID = requestID
    }
}

/// Records what operators and customers did (10-rest-api, section 3.2). Appending never fails a request: the action
/// has happened, so a lost line is logged instead.
package struct AuditLog: Sendable {
    private let repository: AuditRepository
    private let logger: Logger

    package init(_ database: StorageDatabase, logger: Logger = Logger(label: "audit")) {
        repository = AuditRepository(database)
        self.logger = logger
    }

    /// - Parameters:
    ///   - actor: `admin`, `api_key:42`, `device`.
    ///   - action: `device.delete`.
    package func record(
        _ action: String, by actor: String, from origin: AuditOrigin, tenantID: Int64? = nil, deviceID: UUID? = nil,
        target: String = "", result: String = "ok"
    ) async {
        let address = AddressBlock(origin.client) == nil ? nil : origin.client
        let entry = AuditEntry(
            tenantID: tenantID, deviceID: deviceID, actor: actor, actorAddress: address, requestID: origin.requestID,
            action: action, target: target, result: result)
        do {
            try await repository.append(entry)
        } catch {
            logger.error(
                "audit line lost",
                metadata: ["action": "\(action)", "request_id": "\(origin.requestID)", "error": "\(error)"])
        }
    }
}
