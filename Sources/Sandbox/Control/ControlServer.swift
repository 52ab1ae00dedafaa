import Cryptography
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOPosix

/// The control listener of a sandbox: the API below `/v1` and the page for people at `/` (09-sandbox-server, section 24).
package final class ControlServer: Sendable {
    /// The port it listens on.
    package let port: Int
    private let task: Task<Void, any Error>

    private init(port: Int, task: Task<Void, any Error>) {
        self.port = port
        self.task = task
    }

    /// Listens on `address`:`port`; 0 means any free port. `token`: what callers must show as bearer token, if any.
    ///
    /// Throws what binding the port throws. The server runs until ``stop()``.
    package static func start(
        host: any ControlHost, address: String, port: Int, token: String?, logger: Logger
    ) async throws -> ControlServer {
        let router = Router(context: BasicRequestContext.self)
        router.add(middleware: ControlErrors())
        router.add(middleware: ControlGate(token: token))
        ControlRoutes(router: router, host: host).addAll()
        ControlPage.addRoutes(to: router)
        // What Hummingbird reports of calls that stop() cuts off is no error of the sandbox.
        var quiet = logger
        quiet.logLevel = .critical
        let (ports, continuation) = AsyncThrowingStream.makeStream(of: Int.self)
        let application = Application(
            router: router,
            configuration: .init(address: .hostname(address, port: port), serverName: nil),
            onServerRunning: { channel in
                continuation.yield(channel.localAddress?.port ?? port)
            },
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup.singleton),
            logger: quiet)
        let task = Task {
            do {
                try await application.run()
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
                throw error
            }
        }
        for try await port in ports { return ControlServer(port: port, task: task) }
        throw ControlError(500, "not_listening", "the control listener ended before it began")
    }

    /// Stops listening and ends open calls.
    package func stop() async {
        task.cancel()
        _ = await task.result
    }
}

/// Turns every error into the control API's form.
private struct ControlErrors: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound && error.body == nil {
            return ControlError(404, "no_such_path", "there is no \(request.method.rawValue) \(request.uri.path)")
                .response
        } catch {
            return ControlError(error).response
        }
    }
}

/// Asks for the bearer token on everything below `/v1`, and keeps pages of other origins out.
private struct ControlGate: RouterMiddleware {
    typealias Context = BasicRequestContext

    let token: String?

    func handle(
        _ request: Request, context: Context, next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard request.uri.path.hasPrefix("/v1") else { return try await next(request, context) }
        // A browser names the page that calls; a foreign page must not steer a sandbox on the visitor's machine.
        if let origin = request.headers[.origin], let host = request.head.authority,
            origin != "http://\(host)", origin != "https://\(host)"
        {
            throw ControlError(403, "foreign_origin", "the control API does not serve pages of \(origin)")
        }
        if let token {
            let shown = request.headers[.authorization] ?? ""
            guard constantTimeEquals(Array(shown.utf8), Array("Bearer \(token)".utf8)) else {
                throw ControlError(401, "unauthorized", "a bearer token is needed")
            }
        }
        return try await next(request, context)
    }
}
