/// The way to the control API of the sandbox that runs beside this gateway. Given by whoever started both, so that the
/// gateway knows neither the sandbox nor where it listens.
package struct SandboxRelay: Sendable {
    package struct Reply: Sendable {
        package let status: Int
        /// JSON.
        package let body: [UInt8]

        package init(status: Int, body: [UInt8]) {
            self.status = status
            self.body = body
        }
    }

    let call: @Sendable (_ method: String, _ path: String, _ body: [UInt8]) async throws -> Reply

    /// - Parameter call: Takes a method, a path below `/v1` with its query, and a body (empty: none). Throws when the
    ///   sandbox does not answer.
    package init(call: @escaping @Sendable (_ method: String, _ path: String, _ body: [UInt8]) async throws -> Reply) {
        self.call = call
    }
}

extension RouteCatalogue {
    /// What the dashboard may reach: the phones, not the world's faults, clock or other worlds.
    private static let methods = ["GET", "POST", "PATCH", "DELETE"]
    private static let reachable = ["/accounts", "/pairings", "/groups", "/config"]

    /// The phones of the sandbox, for the operator's dashboard (`switchboard dev` only).
    var sandboxRoutes: [Route] {
        guard let sandbox = dependencies.sandbox else { return [] }
        return [
            Route(
                .post, "/admin/sandbox/call", .admin, "Call the control API of the sandbox beside this gateway",
                body: .fields(
                    [
                        .init("method", required: true, "Method of the call", values: Self.methods),
                        .init(
                            "path", required: true,
                            "Path below /v1 that begins with \(Self.reachable.joined(separator: ", "))",
                            example: "/accounts"),
                        .init("body", "JSON text handed on", example: ""),
                    ], parseError: "Invalid request body"),
                answer: .data(
                    "The sandbox answered",
                    .object(
                        .init("status", .integer.example(200), "Status of the sandbox's answer"),
                        .init("body", .any, "Its JSON"))),
                errors: ["sandbox_unreachable"], statuses: [200, 400, 502], waits: true
            ) { call in
                let method = (try call.body.string("method") ?? "").uppercased()
                guard Self.methods.contains(method) else {
                    throw APIError.validation("method must be GET, POST, PATCH or DELETE", field: "method")
                }
                let path = try Self.sandboxPath(call.body.string("path") ?? "")
                let reply: SandboxRelay.Reply
                do {
                    reply = try await sandbox.call(method, path, [UInt8]((try call.body.string("body") ?? "").utf8))
                } catch let error as APIError {
                    throw error
                } catch {
                    throw APIError(502, "sandbox_unreachable", "the sandbox does not answer")
                }
                let json = (try? JSONParser.parse(reply.body)) == nil ? [UInt8]("null".utf8) : reply.body
                return .ok("The sandbox answered") { writer in
                    writer.object { writer in
                        writer.member("status", reply.status)
                        writer.key("body")
                        writer.raw(json)
                    }
                }
            }
        ]
    }

    /// Throws 400 for a path that leaves what the dashboard may reach, or is none.
    private static func sandboxPath(_ text: String) throws -> String {
        let isPlain = text.utf8.allSatisfy { (0x21...0x7E).contains($0) } && text.utf8.count <= 1024
        let segments = text.split(separator: "?", maxSplits: 1).first?.split(separator: "/") ?? []
        guard isPlain, !text.contains(".."), !text.contains("#"), text.hasPrefix("/"), let first = segments.first,
            reachable.contains("/" + first)
        else {
            throw APIError.validation(
                "path must begin with one of: \(reachable.joined(separator: ", "))", field: "path")
        }
        return text
    }
}
