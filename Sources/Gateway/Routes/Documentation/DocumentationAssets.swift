import Foundation
import NIOConcurrencyHelpers
import NIOCore

/// The files of Swagger UI, which `scripts/bootstrap` installs from a package; they are not part of the program.
struct DocumentationAssets: Sendable {
    /// File name, content type, and where packages keep the file.
    private static let known: [String: (type: String, places: [String])] = [
        "swagger-ui.css": ("text/css", ["swagger-ui.css", "css/swagger-ui.css"]),
        "swagger-ui-bundle.js": ("text/javascript", ["swagger-ui-bundle.js", "js/swagger-ui-bundle.js"]),
    ]

    /// Where the files are looked for when no setting names a folder.
    private static let usualFolders = [
        ".tools/swagger-ui", "/usr/local/share/switchboard/swagger-ui", "/usr/share/switchboard/swagger-ui",
    ]

    private let folder: String?
    private let cache = NIOLockedValueBox<[String: ByteBuffer]>([:])

    /// - Parameter folder: `DOCS_ASSETS_DIR`.
    init(folder: String?) {
        self.folder = ([folder].compactMap { $0 } + (folder == nil ? Self.usualFolders : [])).first { folder in
            Self.known.values.allSatisfy { Self.path(in: folder, $0.places) != nil }
        }
    }

    var hasAssets: Bool { folder != nil }

    /// A file of the browser with its content type; nil for every other name.
    func asset(_ name: String) -> (ByteBuffer, String)? {
        if name == "start.js" { return (ByteBuffer(string: DocumentationPage.script), "text/javascript") }
        guard let (type, places) = Self.known[name], let folder else { return nil }
        if let held = cache.withLockedValue({ $0[name] }) { return (held, type) }
        guard let path = Self.path(in: folder, places), let data = FileManager.default.contents(atPath: path) else {
            return nil
        }
        let buffer = ByteBuffer(bytes: data)
        cache.withLockedValue { $0[name] = buffer }
        return (buffer, type)
    }

    private static func path(in folder: String, _ places: [String]) -> String? {
        places.map { folder + "/" + $0 }.first(where: FileManager.default.isReadableFile)
    }
}

/// The page around Swagger UI.
enum DocumentationPage {
    /// Scripts and styles from here alone; Swagger UI draws its icons from data.
    static let contentSecurity = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'self'
        """

    static let browser = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Switchboard API</title>
        <link rel="stylesheet" href="swagger-ui.css">
        </head>
        <body>
        <div id="swagger-ui"></div>
        <noscript>The API browser needs JavaScript; the description is <a href="swagger.json">swagger.json</a>.</noscript>
        <script src="swagger-ui-bundle.js"></script>
        <script src="start.js"></script>
        </body>
        </html>
        """

    static let script = """
        window.ui = SwaggerUIBundle({
          url: new URL("swagger.json", window.location.href).href,
          dom_id: "#swagger-ui",
          deepLinking: true,
          docExpansion: "list",
          persistAuthorization: false,
          presets: [SwaggerUIBundle.presets.apis],
          layout: "BaseLayout"
        });
        """

    static let withoutAssets = """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Switchboard API</title>
        <style>body { font: 16px/1.5 sans-serif; max-width: 42em; margin: 2em auto; padding: 0 1em }
        @media (prefers-color-scheme: dark) { body { background: #111; color: #eee } a { color: #8cf } }</style>
        </head>
        <body>
        <h1>Switchboard API</h1>
        <p>The description is here: <a href="swagger.json">swagger.json</a>, <a href="swagger.yaml">swagger.yaml</a>.</p>
        <p>The browser for it, Swagger UI, is not installed. Run <code>scripts/bootstrap</code> in the source tree, or unpack
        the package <code>flask-openapi3-swagger</code> of PyPI and name the folder that has <code>swagger-ui.css</code> and
        <code>swagger-ui-bundle.js</code> (or <code>css</code> and <code>js</code> with them) in
        <code>DOCS_ASSETS_DIR</code>; then restart.</p>
        </body>
        </html>
        """
}
