import NIOCore
import Tenancy

extension RouteCatalogue {
    /// The page for people at `/dashboard`: static files that call the API with what the visitor types. Nothing of it is
    /// secret, so nobody is asked who they are before they see the sign-in form.
    var dashboardRoutes: [Route] {
        let page = Dashboard.page(basePath: server.basePath, hasSandbox: dependencies.sandbox != nil)
        return [
            Route(.get, "/dashboard", .none, "The dashboard, a page for people", answer: .media("text/html")) { _ in
                Dashboard.answer(page)
            },
            Route(
                .get, "/dashboard/{file}", .none, "A script, style sheet or image of the dashboard",
                answer: .media("text/javascript", "text/css", "image/svg+xml"), statuses: [200, 404]
            ) { call in
                guard let asset = Dashboard.assets[call.parameters["file"]] else {
                    throw APIError.notFound("no such file")
                }
                return Dashboard.answer(asset)
            },
        ]
    }
}

/// The dashboard's files: written in the folder Dashboard, carried in the program by ``EmbeddedDashboard``.
enum Dashboard {
    /// One file as it is answered.
    struct Asset: Sendable {
        let body: ByteBuffer
        let contentType: String
    }

    /// Scripts and styles of this origin alone, nothing inline, no frames, and no string ever becomes markup or code.
    static let policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        + "trusted-types 'none'"

    /// By file name; the page itself is not among them, since it depends on settings.
    static let assets: [String: Asset] = Dictionary(
        EmbeddedDashboard.files.filter { $0.name != "index.html" }.map { file in
            (file.name, Asset(body: ByteBuffer(string: file.text), contentType: contentType(of: file.name)))
        }
    ) { first, _ in first }

    /// The page with its addresses below `basePath`.
    static func page(basePath: String, hasSandbox: Bool) -> Asset {
        let template = EmbeddedDashboard.files.first { $0.name == "index.html" }?.text ?? ""
        let text = template.replacing("{{base}}", with: basePath).replacing("{{sandbox}}", with: String(hasSandbox))
            .replacing("{{version}}", with: BuildVersion.text)
        return Asset(body: ByteBuffer(string: text), contentType: "text/html; charset=utf-8")
    }

    static func answer(_ asset: Asset) -> Answer {
        Answer(status: 200, content: .body(asset.body, contentType: asset.contentType))
            .with("Content-Security-Policy", policy).with("Cache-Control", "no-cache")
    }

    private static func contentType(of name: String) -> String {
        switch name.split(separator: ".").last {
        case "js": "text/javascript; charset=utf-8"
        case "css": "text/css; charset=utf-8"
        case "svg": "image/svg+xml"
        default: "text/plain; charset=utf-8"
        }
    }
}
