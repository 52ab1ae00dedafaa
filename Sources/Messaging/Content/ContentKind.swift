import WhatsAppProtobuf

/// What an unwrapped message is. The raw value is the word in stored rows, API answers and webhooks.
///
/// Every field of `Message` that is neither a wrapper nor key material has one (05-message-content, section 24).
package enum ContentKind: String, Sendable, CaseIterable {
    case text, image, video, audio, document, sticker, contact, location, poll, event, album, list, buttons, template
    case interactive, product, order, comment, call, invoice, placeholder, music
    case videoNote = "video_note"
    case stickerPack = "sticker_pack"
    case contactsArray = "contacts_array"
    case liveLocation = "live_location"
    case groupInvite = "group_invite"
    case newsletterAdminInvite = "newsletter_admin_invite"
    case newsletterFollowerInvite = "newsletter_follower_invite"
    case eventInvite = "event_invite"
    case buttonReply = "button_reply"
    case listResponse = "list_response"
    case interactiveResponse = "interactive_response"
    case highlyStructured = "highly_structured"
    case richResponse = "rich_response"
    case pollResult = "poll_result"
    case scheduledCall = "scheduled_call"
    case scheduledCallEdit = "scheduled_call_edit"
    case callLog = "call_log"
    case phoneNumberRequest = "phone_number_request"
    case historyBundle = "history_bundle"
    case historyNotice = "history_notice"
    case payment
    case paymentRequest = "payment_request"
    case paymentDeclined = "payment_declined"
    case paymentCancelled = "payment_cancelled"
    case paymentInvite = "payment_invite"
    case paymentReminder = "payment_reminder"
    case splitPayment = "split_payment"
    case splitPaymentUpdate = "split_payment_update"
    case statusNotification = "status_notification"
    case statusAnswer = "status_answer"
    case statusQuoted = "status_quoted"
    case statusSticker = "status_sticker"
    case statusLinkPreview = "status_link_preview"
    case questionResponse = "question_response"
    case conditionalReveal = "conditional_reveal"
    // Attached to the message they are about, not shown on their own.
    case reaction, keep, pin
    case pollVote = "poll_vote"
    case pollAddOption = "poll_add_option"
    case encryptedReaction = "encrypted_reaction"
    case encryptedComment = "encrypted_comment"
    case eventResponse = "event_response"
    case secretEncrypted = "secret_encrypted"
    /// `protocolMessage`: edits, revokes, timers and machine traffic.
    case protocolMessage = "protocol"
    /// Fields that nothing shows: old chat and call signalling, sticker and group key exchange.
    case machine
    /// Only key material and context: nothing to show.
    case empty
    /// Fields this version does not know.
    case unknown

    /// The kind of a message without its wrappers: the lowest-numbered content field, after secret-encrypted content, add-ons
    /// and protocol messages (05-message-content, section 3.4).
    package init(of message: ProtoMessage) {
        self = ContentKind.field(of: message)?.kind ?? (ContentKind.isSilent(message) ? .empty : .unknown)
    }

    /// The field of `Message` that makes the kind.
    package static func field(of message: ProtoMessage) -> (name: String, kind: ContentKind)? {
        let present = message.presentFields.compactMap { field in byField[field.name].map { (field.name, $0) } }
        return present.first { $0.1.precedence == 0 } ?? present.first { $0.1.precedence == 1 } ?? present.first
    }

    /// Whether it belongs to another message.
    package var isAddOn: Bool {
        switch self {
        case .reaction, .keep, .pin, .pollVote, .pollAddOption, .encryptedReaction, .encryptedComment, .eventResponse,
            .secretEncrypted:
            true
        default: false
        }
    }

    /// Whether a person would see it as a message of its own.
    package var isShown: Bool {
        switch self {
        case .protocolMessage, .machine, .empty: false
        default: !isAddOn
        }
    }

    private var precedence: Int {
        switch self {
        case .secretEncrypted, .protocolMessage: 0
        case _ where isAddOn: 1
        default: 2
        }
    }

    /// senderKeyDistributionMessage, its fast-ratchet twin and messageContextInfo.
    private static func isSilent(_ message: ProtoMessage) -> Bool {
        message.unknownFieldNumbers.isEmpty && message.presentFields.allSatisfy { [2, 15, 35].contains($0.number) }
    }

    static let byField: [String: ContentKind] = [
        "conversation": .text, "extendedTextMessage": .text, "imageMessage": .image, "videoMessage": .video,
        "ptvMessage": .videoNote, "audioMessage": .audio, "documentMessage": .document, "stickerMessage": .sticker,
        "stickerPackMessage": .stickerPack, "albumMessage": .album, "contactMessage": .contact,
        "contactsArrayMessage": .contactsArray, "locationMessage": .location, "liveLocationMessage": .liveLocation,
        "groupInviteMessage": .groupInvite, "newsletterAdminInviteMessage": .newsletterAdminInvite,
        "newsletterFollowerInviteMessageV2": .newsletterFollowerInvite, "eventInviteMessage": .eventInvite,
        "pollCreationMessage": .poll, "pollCreationMessageV2": .poll, "pollCreationMessageV3": .poll,
        "pollCreationMessageV5": .poll, "pollCreationMessageV6": .poll, "pollResultSnapshotMessage": .pollResult,
        "pollResultSnapshotMessageV3": .pollResult, "pollUpdateMessage": .pollVote,
        "pollAddOptionMessage": .pollAddOption,
        "eventMessage": .event, "encEventResponseMessage": .eventResponse, "reactionMessage": .reaction,
        "encReactionMessage": .encryptedReaction, "encCommentMessage": .encryptedComment, "commentMessage": .comment,
        "secretEncryptedMessage": .secretEncrypted, "keepInChatMessage": .keep, "pinInChatMessage": .pin,
        "protocolMessage": .protocolMessage, "templateMessage": .template, "templateButtonReplyMessage": .buttonReply,
        "buttonsMessage": .buttons, "buttonsResponseMessage": .buttonReply, "listMessage": .list,
        "listResponseMessage": .listResponse, "interactiveMessage": .interactive,
        "interactiveResponseMessage": .interactiveResponse, "highlyStructuredMessage": .highlyStructured,
        "productMessage": .product, "orderMessage": .order, "invoiceMessage": .invoice,
        "richResponseMessage": .richResponse,
        "sendPaymentMessage": .payment, "requestPaymentMessage": .paymentRequest,
        "declinePaymentRequestMessage": .paymentDeclined, "cancelPaymentRequestMessage": .paymentCancelled,
        "paymentInviteMessage": .paymentInvite, "paymentReminderMessage": .paymentReminder,
        "splitPaymentMessage": .splitPayment, "splitPaymentUpdateMessage": .splitPaymentUpdate,
        "scheduledCallCreationMessage": .scheduledCall, "scheduledCallEditMessage": .scheduledCallEdit, "call": .call,
        "bcallMessage": .call, "callLogMesssage": .callLog, "requestPhoneNumberMessage": .phoneNumberRequest,
        "messageHistoryBundle": .historyBundle, "messageHistoryNotice": .historyNotice,
        "placeholderMessage": .placeholder, "musicMessage": .music, "statusNotificationMessage": .statusNotification,
        "statusQuestionAnswerMessage": .statusAnswer, "statusQuotedMessage": .statusQuoted,
        "statusStickerInteractionMessage": .statusSticker, "statusLinkPreviewMetadata": .statusLinkPreview,
        "questionResponseMessage": .questionResponse, "conditionalRevealMessage": .conditionalReveal, "chat": .machine,
        "stickerSyncRmrMessage": .machine, "groupRootKeyShare": .machine, "rootSecretDistributeMessage": .machine,
    ]
}
