/// A port of the sandbox that cannot be opened, with the setting that chooses another.
package struct ListenFailure: Error, CustomStringConvertible {
    /// Which listener: `chat`, `media`, `control`.
    package let listener: String
    package let address: String
    package let port: Int
    /// What the system said.
    package let reason: String

    package var description: String {
        let option = listener == "chat" ? "--port" : "--\(listener)-port"
        return """
            cannot listen: \(address):\(port), the sandbox's \(listener) port: \(reason). The port is \
            SANDBOX_\(listener.uppercased())_PORT or \(option) (of `switchboard dev` --sandbox-port, which names the chat port; \
            control and media are the next two)
            """
    }

    /// Runs what opens a port; what it throws is told with the port's name.
    @SandboxActor
    static func naming<Opened: Sendable>(
        _ listener: String, _ address: String, _ port: Int, _ open: @SandboxActor () async throws -> Opened
    ) async throws -> Opened {
        do {
            return try await open()
        } catch {
            throw ListenFailure(listener: listener, address: address, port: port, reason: "\(error)")
        }
    }
}
