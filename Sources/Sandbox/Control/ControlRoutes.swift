import HTTPTypes
import Hummingbird
import NIOCore

/// The routes of the control API, each one line of path and a handler on the world's thread.
struct ControlRoutes {
    typealias Handler = @SandboxActor @Sendable (ControlCall) async throws -> ControlAnswer
    typealias JSONHandler = @SandboxActor @Sendable (ControlCall) async throws -> JSONValue

    let router: Router<BasicRequestContext>
    let host: any ControlHost

    /// Adds `/v1` + `path`; parameters are written `:name`.
    func on(_ method: HTTPRequest.Method, _ path: String, takesBytes: Bool = false, answer handler: @escaping Handler) {
        let names = path.split(separator: "/").filter { $0.hasPrefix(":") }.map { String($0.dropFirst()) }
        let host = self.host
        router.on("/v1\(path)", method: method) { request, context -> Response in
            let parsed = try await ControlRequest(
                request, parameters: names, context: context, takesBytes: takesBytes)
            return try await Self.run(handler, parsed, host).response
        }
    }

    /// The same for calls that answer JSON.
    func on(_ method: HTTPRequest.Method, _ path: String, _ handler: @escaping JSONHandler) {
        on(method, path, answer: { call in .json(try await handler(call)) })
    }

    /// Calls of the specification that wait for their capability.
    func later(_ what: String, _ calls: [(HTTPRequest.Method, String)]) {
        for (method, path) in calls {
            on(method, path, answer: { _ in throw ControlError.notImplemented(what) })
        }
    }

    @SandboxActor
    private static func run(
        _ handler: Handler, _ request: ControlRequest, _ host: any ControlHost
    ) async throws -> ControlAnswer {
        let answer = try await handler(ControlCall(host: host, request))
        // What the answer says has happened must outlive a crash that follows it.
        for world in host.controlWorlds { await world.settled() }
        return answer
    }

    /// Every route of 09-sandbox-server, section 24.
    func addAll() {
        addWorlds()
        addAccounts()
        addProfile()
        addLinking()
        addDevices()
        addMessages()
        addHistory()
        addAppState()
        addGroups()
        addStanzas()
        addFaults()
        addEvents()
        addChecks()
        addOperations()
        addLater()
    }

    private func addLater() {
        later(
            "a newsletter",
            [
                (.post, "/newsletters"), (.post, "/newsletters/:newsletter/messages"),
                (.post, "/newsletters/:newsletter/subscribers"), (.get, "/newsletters/:newsletter"),
            ])
    }
}
