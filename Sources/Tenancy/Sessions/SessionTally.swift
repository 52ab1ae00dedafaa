import Messaging
import Storage

/// What `/metrics` shows of a node's sessions: how far they are, what they hold, and what became of their leases.
package struct SessionTally: Sendable, Equatable {
    /// Why a session was closed although its device should run here.
    package enum LeaseLoss: String, Sendable, CaseIterable {
        /// Another node took the device.
        case taken
        /// This node could not be sure of any of its leases: the database did not answer in time, or the process stood still.
        case unrenewed
    }

    /// Not connected.
    package var loaded = 0
    /// Connected, not logged in.
    package var connected = 0
    package var loggedIn = 0
    /// Devices that run or start here under a lease.
    package var leases = 0
    /// Leases lost and devices taken over from other nodes, since the start.
    package var losses: [LeaseLoss: Int] = [:]
    package var takeovers: [LeaseTakeover: Int] = [:]
    /// One-time prekeys that WhatsApp holds for the devices, as it last said, of all together.
    package var preKeysLeft = 0
    /// Devices with fewer than WhatsApp should have: nearly nobody could write to them for the first time.
    package var fewPreKeys = 0

    package init(loaded: Int = 0, connected: Int = 0, loggedIn: Int = 0) {
        self.loaded = loaded
        self.connected = connected
        self.loggedIn = loggedIn
    }

    mutating func count(_ state: ConnectionState?) {
        if let left = state?.preKeysLeft {
            preKeysLeft += left
            if left < PreKeyUpkeep.lowMark { fewPreKeys += 1 }
        }
        guard let state, state.isConnected else {
            loaded += 1
            return
        }
        if state.isLoggedIn { loggedIn += 1 } else { connected += 1 }
    }
}
