import HTTPTypes
import Hummingbird

extension Edge {
    /// Answers on the loop of the request's socket, which spares most requests two changes of thread. What may take
    /// milliseconds of a processor goes to the pool's threads instead: sockets of devices wait on the same loop
    /// (16-performance-durability, section 4.5).
    func respond(to request: Request, context: EdgeContext) async throws -> Response {
        let target = request.head.path ?? ""
        let path = target[..<(target.firstIndex(of: "?") ?? target.endIndex)]
        let match = tree.match(request.method.rawValue, path)
        guard context.executor != nil, isHeavy(request, match) else {
            return try await answer(request, match, context, on: context.executor)
        }
        return try await withTaskExecutorPreference(globalConcurrentExecutor) {
            try await answer(request, match, context, on: nil)
        }
    }

    private static let lightBody = 64 << 10

    /// Whether the body that these headers announce may be large.
    static func mayBeLarge(contentLength: String?, encoding: String?) -> Bool {
        guard let contentLength else { return encoding != nil }
        return Int(contentLength).map { $0 > lightBody } ?? true
    }

    /// Whether reading the body or making the answer may keep a loop for long.
    private func isHeavy(_ request: Request, _ match: RouteTree.Match) -> Bool {
        let headers = request.headers
        if Self.mayBeLarge(contentLength: headers[.contentLength], encoding: headers[.transferEncoding]) { return true }
        guard case .route(let route, _) = match else { return false }
        return route.isHeavy
    }
}

extension Route {
    /// Answers may be large: pages of many rows, pictures, whatever operators ask, one message or event with all its contents.
    var isHeavy: Bool {
        tier == .admin || isLarge || !answer.media.isEmpty || query.contains { $0.name == "limit" }
    }
}
