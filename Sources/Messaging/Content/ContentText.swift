import WhatsAppProtobuf

/// The text a person would read in a message: for rows, search and the `text` of API answers and webhooks
/// (05-message-content, section 3.5).
package enum ContentText {
    /// The text of an unwrapped message; nil when it has none.
    package static func of(_ message: ProtoMessage) -> String? {
        guard let (field, kind) = ContentKind.field(of: message) else { return nil }
        if field == "conversation" { return nonEmpty(message[string: field]) }
        guard let content = message[message: field] else { return nil }
        return nonEmpty(text(kind, content))
    }

    private static func text(_ kind: ContentKind, _ content: ProtoMessage) -> String? {
        switch kind {
        case .text: first(content, "text", "matchedText")
        case .image, .video, .videoNote, .document, .liveLocation: first(content, "caption")
        case .sticker: first(content, "emojis", "accessibilityLabel")
        case .buttonReply: first(content, "selectedDisplayText")
        case .listResponse, .list, .scheduledCall: first(content, "title")
        case .poll, .event, .pollResult: first(content, "name")
        case .reaction: first(content, "text")
        case .order: first(content, "orderTitle")
        case .product: content[message: "product"].flatMap { first($0, "title") }
        case .groupInvite: first(content, "caption", "groupName")
        case .newsletterAdminInvite, .newsletterFollowerInvite: first(content, "caption", "newsletterName")
        case .eventInvite: first(content, "caption", "eventTitle")
        case .contact: contact(content)
        case .contactsArray: contacts(content)
        case .location: location(content)
        case .buttons: first(content, "contentText")
        case .interactiveResponse: content[message: "body"].flatMap { first($0, "text") }
        case .template: template(content)
        case .interactive: interactive(content)
        case .richResponse: richResponse(content)
        case .comment, .payment, .paymentRequest: inner(content)
        case .protocolMessage: edit(content)
        default: nil
        }
    }

    private static func nonEmpty(_ text: String?) -> String? { text?.isEmpty == true ? nil : text }

    private static func first(_ content: ProtoMessage, _ names: String...) -> String? {
        for name in names {
            if let text = nonEmpty(content[string: name]) { return text }
        }
        return nil
    }

    private static func joined(_ parts: String?..., by separator: String = "\n") -> String? {
        nonEmpty(parts.compactMap { nonEmpty($0) }.joined(separator: separator))
    }

    private static func contact(_ content: ProtoMessage) -> String? {
        let name = first(content, "displayName")
        guard let phone = content[string: "vcard"].flatMap(VCard.phone) else { return name }
        return name.map { "\($0) (\(phone))" } ?? phone
    }

    private static func contacts(_ content: ProtoMessage) -> String? {
        let list = content[messages: "contacts"]
        guard let text = list.first.flatMap(contact) else { return first(content, "displayName") }
        return list.count > 1 ? "\(text) +\(list.count - 1)" : text
    }

    private static func location(_ content: ProtoMessage) -> String? {
        if let place = joined(content[string: "name"], content[string: "address"], by: ", ") { return place }
        guard let latitude = content[double: "degreesLatitude"], let longitude = content[double: "degreesLongitude"]
        else { return nil }
        return "\(latitude),\(longitude)"
    }

    private static func template(_ content: ProtoMessage) -> String? {
        if let interactiveTemplate = content[message: "interactiveMessageTemplate"] {
            return interactive(interactiveTemplate)
        }
        guard let row = content[message: "hydratedTemplate"] ?? content[message: "hydratedFourRowTemplate"] else {
            return nil
        }
        return joined(row[string: "hydratedTitleText"], row[string: "hydratedContentText"])
    }

    private static func interactive(_ content: ProtoMessage) -> String? {
        joined(content[message: "header"]?[string: "title"], content[message: "body"]?[string: "text"])
    }

    private static func richResponse(_ content: ProtoMessage) -> String? {
        nonEmpty(content[messages: "submessages"].compactMap { $0[string: "messageText"] }.joined(separator: "\n"))
    }

    /// A comment's or a payment's message.
    private static func inner(_ content: ProtoMessage) -> String? {
        let field = content.type.hasField("noteMessage") ? "noteMessage" : "message"
        return content[message: field].flatMap { of(MessageWrapper.unwrap($0).message) }
    }

    private static func edit(_ content: ProtoMessage) -> String? {
        content[message: "editedMessage"].flatMap { of(MessageWrapper.unwrap($0).message) }
    }
}

/// What we read of a vCard (05-message-content, section 11).
enum VCard {
    /// The `waid` of the first telephone line that has one, else the digits of the first; nil when there is none.
    static func phone(_ card: String) -> String? {
        var first: String?
        for line in unfolded(card) where line.uppercased().hasPrefix("TEL") || line.uppercased().contains(".TEL") {
            if let start = line.range(of: "waid=", caseInsensitive: true) {
                let digits = line[start...].prefix { $0.isASCII && $0.isNumber }
                if !digits.isEmpty { return String(digits) }
            }
            let number = line.split(separator: ":", maxSplits: 1).dropFirst().first ?? ""
            let digits = number.filter { $0.isASCII && $0.isNumber }
            if first == nil, !digits.isEmpty { first = String(digits) }
        }
        return first
    }

    /// Lines with their continuations (which begin with a space or tab) joined.
    private static func unfolded(_ card: String) -> [String] {
        var lines: [String] = []
        for line in card.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline) {
            if line.first == " " || line.first == "\t", let last = lines.indices.last {
                lines[last] += line.dropFirst()
            } else {
                lines.append(String(line))
            }
        }
        return lines
    }
}

extension String {
    /// Where the text after `needle` (ASCII) begins.
    fileprivate func range(of needle: String, caseInsensitive: Bool) -> Index? {
        let wanted = Array(needle.lowercased().utf8)
        let bytes = Array(lowercased().utf8)
        guard bytes.count == utf8.count, bytes.count >= wanted.count else { return nil }
        for start in 0...(bytes.count - wanted.count) where bytes[start..<start + wanted.count].elementsEqual(wanted) {
            return utf8.index(startIndex, offsetBy: start + wanted.count)
        }
        return nil
    }
}
