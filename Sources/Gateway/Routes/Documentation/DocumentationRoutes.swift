import NIOConcurrencyHelpers
import NIOCore
import Tenancy

extension RouteCatalogue {
    /// The API description and its browser (10-rest-api, section 7, rows 128 to 130).
    ///
    /// - Parameter description: Filled once all routes, these too, are known.
    func documentationRoutes(_ description: APIDescription) -> [Route] {
        [
            Route(
                .get, "/docs/swagger.json", .none, number: "129", "This description as JSON",
                details: "OpenAPI 3.1, made from the declarations that the router itself runs on.",
                answer: .media("application/json")
            ) { _ in
                Answer(status: 200, content: .body(description.json, contentType: "application/json"))
            },
            Route(
                .get, "/docs/swagger.yaml", .none, number: "130", "This description as YAML",
                details: "The same content as `/docs/swagger.json`.", answer: .media("application/yaml")
            ) { _ in
                Answer(status: 200, content: .body(description.yaml, contentType: "application/yaml"))
            },
            Route(
                .get, "/docs", .none, "Way to the API browser", details: "Redirects to `/docs/index.html`.",
                answer: .empty.sending("Location"), statuses: [302]
            ) { _ in
                Answer(status: 302, content: .none).with("Location", server.basePath + "/docs/index.html")
            },
            Route(
                .get, "/docs/index.html", .none, number: "128", "API browser",
                details: "Swagger UI; without its files the page says what to install.", answer: .media("text/html")
            ) { _ in
                documentation.hasAssets
                    ? Answer.html(DocumentationPage.browser).with(
                        "Content-Security-Policy", DocumentationPage.contentSecurity)
                    : Answer.html(DocumentationPage.withoutAssets)
            },
            Route(
                .get, "/docs/{asset}", .none, "Files of the API browser", details: "Scripts and styles of Swagger UI.",
                answer: .media("text/css", "text/javascript"), statuses: [200, 404]
            ) { call in
                let name = call.parameters["asset"]
                guard let (body, type) = documentation.asset(name) else { throw APIError.notFound("File not found") }
                return Answer(status: 200, content: .body(body, contentType: type))
                    .with("Cache-Control", "public, max-age=3600")
            },
        ]
    }
}

/// The rendered description. Made at the first request for it, then kept.
final class APIDescription: Sendable {
    private struct State {
        var document: OpenAPIDocument?
        var json: ByteBuffer?
        var yaml: ByteBuffer?
    }

    private let state = NIOLockedValueBox(State())

    func fill(_ document: OpenAPIDocument) { state.withLockedValue { $0.document = document } }

    var json: ByteBuffer {
        state.withLockedValue { state in
            if let json = state.json { return json }
            var writer = JSONWriter(capacity: 256 * 1024)
            writer.value(state.document?.value ?? [:])
            state.json = writer.buffer
            return writer.buffer
        }
    }

    var yaml: ByteBuffer {
        state.withLockedValue { state in
            if let yaml = state.yaml { return yaml }
            let buffer = ByteBuffer(string: YAMLWriter.text(state.document?.value ?? [:]))
            state.yaml = buffer
            return buffer
        }
    }
}
