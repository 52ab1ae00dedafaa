import WhatsAppProtobuf

/// A message that only holds another one at `message(1)` and says something about it (05-message-content, section 3.3).
///
/// The raw value is the field's name. `deviceSentMessage(31)` is not among them: whether it may be opened depends on the
/// sender.
package enum MessageWrapper: String, Sendable, CaseIterable {
    // In the order they are looked for, which is the order they nest in.
    case botInvoke = "botInvokeMessage"
    case ephemeral = "ephemeralMessage"
    case viewOnce = "viewOnceMessage"
    case viewOnceV2 = "viewOnceMessageV2"
    case viewOnceV2Extension = "viewOnceMessageV2Extension"
    case lottieSticker = "lottieStickerMessage"
    case documentWithCaption = "documentWithCaptionMessage"
    case edited = "editedMessage"
    case associatedChild = "associatedChildMessage"
    case groupMentioned = "groupMentionedMessage"
    case groupStatus = "groupStatusMessage"
    case groupStatusV2 = "groupStatusMessageV2"
    case botForwarded = "botForwardedMessage"
    case spoiler = "spoilerMessage"
    case question = "questionMessage"
    case questionReply = "questionReplyMessage"
    case eventCoverImage = "eventCoverImage"
    case pollOptionImage = "pollCreationOptionImageMessage"
    case pollCreationV4 = "pollCreationMessageV4"
    case statusMention = "statusMentionMessage"
    case groupStatusMention = "groupStatusMentionMessage"
    case statusAddYours = "statusAddYours"
    case limitSharing = "limitSharingMessage"
    case botTask = "botTaskMessage"
    case newsletterAdminProfile = "newsletterAdminProfileMessage"
    case newsletterAdminProfileStatus = "newsletterAdminProfileStatusMessage"
    case botPlatformRegistration = "botPlatformRegistrationSuccessMessage"

    /// Wrappers removed from one message before the rest counts as unknown.
    package static let maximumCount = 8

    /// The wrappers through which the attributes of an outgoing stanza are decided (section 2.2).
    package static let transparentForStanza: [MessageWrapper] = [
        .viewOnce, .viewOnceV2, .viewOnceV2Extension, .lottieSticker, .ephemeral, .documentWithCaption,
    ]

    package var isViewOnce: Bool {
        switch self {
        case .viewOnce, .viewOnceV2, .viewOnceV2Extension: true
        default: false
        }
    }

    package var isGroupStatus: Bool { self == .groupStatus || self == .groupStatusV2 }

    /// The message inside, when this wrapper is present and not empty.
    package func content(of message: ProtoMessage) -> ProtoMessage? {
        message[message: rawValue]?[message: "message"]
    }

    /// Removes the given wrappers, outermost first. A content without a context of its own gets the outer one.
    ///
    /// - Returns: the innermost message and what was removed, at most `maximumCount`.
    package static func unwrap(
        _ message: ProtoMessage, _ wrappers: [MessageWrapper] = allCases
    ) -> (message: ProtoMessage, removed: [MessageWrapper]) {
        var message = message
        var removed: [MessageWrapper] = []
        while removed.count < maximumCount {
            let present = message.presentFields.map(\.name)
            guard
                let wrapper = wrappers.first(where: { present.contains($0.rawValue) && $0.content(of: message) != nil }
                ),
                var inner = wrapper.content(of: message)
            else { break }
            if !inner.has("messageContextInfo"), let context = message[message: "messageContextInfo"] {
                inner[message: "messageContextInfo"] = context
            }
            message = inner
            removed.append(wrapper)
        }
        return (message, removed)
    }
}
