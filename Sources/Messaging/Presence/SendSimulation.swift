/// What the recipient sees before a message, as of somebody who writes it by hand (10-rest-api, section 12.1).
package struct SendSimulation: Sendable, Equatable {
    /// Available while the message is written.
    package var showsPresence: Bool
    /// Typing, or recording for audio; only together with presence.
    package var showsTyping: Bool
    /// Milliseconds of typing, drawn uniformly.
    package var typing: ClosedRange<Int64>

    package init(showsPresence: Bool, showsTyping: Bool, typing: ClosedRange<Int64>) {
        self.showsPresence = showsPresence
        self.showsTyping = showsTyping && showsPresence
        self.typing = typing
    }
}
