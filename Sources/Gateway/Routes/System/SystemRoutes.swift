import NIOCore

extension RouteCatalogue {
    /// Liveness and readiness (10-rest-api, sections 7 and 23).
    var systemRoutes: [Route] {
        [
            Route(
                .get, "/", .none, number: "127", "Liveness of the process",
                query: [.init("verbose", .boolean, "Add version and uptime")],
                answer: .message("Working great!")
            ) { call in
                guard call.query.bool("verbose", default: false) else { return .ok("Working great!") }
                return .ok("Working great!") { writer in
                    writer.object { writer in
                        writer.member("version", BuildVersion.text)
                        writer.member("uptime", uptime.text)
                    }
                }
            },
            Route(.get, "/favicon.ico", .none, "No icon", answer: .empty, statuses: [204]) { _ in .noContent },
            Route(.get, "/health/live", .none, "The process is up", answer: .message("OK")) { _ in .ok("OK") },
            Route(
                .get, "/health/ready", .none, "The database answers and the node takes requests",
                answer: .message("ready"), errors: ["not_ready"]
            ) { _ in
                guard await readiness() else { throw APIError(503, "not_ready", "not ready", retryAfter: 1) }
                return .ok("ready")
            },
            Route(
                .get, "/health", .none, "Readiness as text", answer: .media("text/plain"), statuses: [200, 503]
            ) { _ in
                let isReady = await readiness()
                return Answer(
                    status: isReady ? 200 : 503,
                    content: .body(
                        ByteBuffer(string: isReady ? "OK" : "NOT READY"), contentType: "text/plain; charset=utf-8"))
            },
            Route(
                .get, "/ready", .none, "As /health/ready", answer: .message("ready"), errors: ["not_ready"]
            ) { _ in
                guard await readiness() else { throw APIError(503, "not_ready", "not ready", retryAfter: 1) }
                return .ok("ready")
            },
        ]
    }
}
