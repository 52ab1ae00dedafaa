import Messaging

/// What happens to the session of a device that was deleted: it is unlinked at WhatsApp when that is still possible,
/// then stopped (10-rest-api, section 3.7).
enum DeviceFarewell {
    private static let patience = Duration.seconds(10)

    /// Starts in the background: the answer does not wait for WhatsApp. A session of another node is ended there.
    ///
    /// - Parameter isAnnounced: The other nodes know already.
    static func begin(did: Int64, _ sessions: any SessionDirectory, isAnnounced: Bool = false) {
        guard let session = sessions.running(did: did) else {
            if !isAnnounced { Task { await sessions.announceEnd(did: did) } }
            return
        }
        Task {
            _ = try? await Race.run(within: patience) { try await session.logout() }
            await sessions.stop(did: did)
        }
    }
}
