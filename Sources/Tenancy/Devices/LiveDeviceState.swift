import Messaging
import Storage

/// What the status endpoints show of a device's connection (10-rest-api, section 6).
package struct LiveDeviceState: Sendable, Equatable {
    /// Why the device cannot be used right now.
    package enum Obstacle: Sendable, Equatable {
        /// No session object anywhere.
        case notLoaded
        case notConnected
        case notLoggedIn
        case ended(SessionEnd)
    }

    /// A session object exists on some node.
    package let isLoaded: Bool
    package let isConnected: Bool
    package let isLoggedIn: Bool
    package let obstacle: Obstacle?

    /// Of a session that this node runs.
    package init(_ state: ConnectionState) {
        let isUsable = state.isPaired || state.phase != .idle
        isLoaded = isUsable && !Self.isGone(state.end)
        isConnected = state.isConnected
        isLoggedIn = state.isLoggedIn
        obstacle =
            switch state.phase {
            case .ready, .settling: state.isSilent ? .notConnected : nil
            case .registering, .authenticating: state.isSilent ? .notConnected : .notLoggedIn
            case .idle: state.isPaired ? .notConnected : .notLoaded
            case .connecting, .waiting: .notConnected
            case .stopped: state.end.map { Self.isGone($0) ? .notLoaded : .ended($0) } ?? .notConnected
            }
    }

    /// Of a device that another node runs, or nobody.
    ///
    /// - Parameter end: How it ended, as its row says.
    package init(_ published: LiveState, end: SessionEnd? = nil) {
        isLoaded = published != .none
        isConnected = published == .connected || published == .loggedIn
        isLoggedIn = published == .loggedIn
        obstacle =
            switch published {
            case .none: end.map { Self.isGone($0) ? .notLoaded : .ended($0) } ?? .notLoaded
            case .loading, .connecting: .notConnected
            case .connected: .notLoggedIn
            case .loggedIn: nil
            }
    }

    private static func isGone(_ end: SessionEnd?) -> Bool {
        switch end {
        case .loggedOut, .unlinked: true
        default: false
        }
    }
}
