import Messaging

/// Sessions of a node by how far they are.
package struct SessionTally: Sendable, Equatable {
    /// Not connected.
    package var loaded = 0
    /// Connected, not logged in.
    package var connected = 0
    package var loggedIn = 0

    package init(loaded: Int = 0, connected: Int = 0, loggedIn: Int = 0) {
        self.loaded = loaded
        self.connected = connected
        self.loggedIn = loggedIn
    }

    mutating func count(_ state: ConnectionState?) {
        guard let state, state.isConnected else {
            loaded += 1
            return
        }
        if state.isLoggedIn { loggedIn += 1 } else { connected += 1 }
    }
}
