/// The part of a JID after the `@`: which kind of party the address names (01-transport, section 11.1).
///
/// The known servers are cases, so that choosing a wire form is a jump and not a string comparison. Build one from text
/// with ``init(_:)``, which never yields `.other` for a known name.
package enum JIDServer: Sendable, Hashable {
    /// `s.whatsapp.net`: a person by phone number; with an empty user the chat server itself.
    case user
    /// `c.us`: the legacy text form of `s.whatsapp.net`.
    case legacyUser
    /// `g.us`: a group or community.
    case group
    /// `lid`: a person by hidden id.
    case lid
    /// `hosted`: a Cloud API device of a phone-number account.
    case hosted
    /// `hosted.lid`: a Cloud API device of a hidden-id account.
    case hostedLID
    /// `broadcast`: the status feed and broadcast lists.
    case broadcast
    /// `newsletter`: a channel.
    case newsletter
    /// `bot`: an AI bot.
    case bot
    /// `msgr`: Messenger.
    case messenger
    /// `interop`: another network.
    case interop
    /// `call`: a call link.
    case call
    /// A server this implementation does not know; carried through unchanged.
    case other(String)

    /// The server named `name`, canonically: a known name never becomes `.other`.
    package init(_ name: String) {
        switch name {
        case "s.whatsapp.net": self = .user
        case "c.us": self = .legacyUser
        case "g.us": self = .group
        case "lid": self = .lid
        case "hosted": self = .hosted
        case "hosted.lid": self = .hostedLID
        case "broadcast": self = .broadcast
        case "newsletter": self = .newsletter
        case "bot": self = .bot
        case "msgr": self = .messenger
        case "interop": self = .interop
        case "call": self = .call
        default: self = .other(name)
        }
    }

    /// The wire text.
    package var name: String {
        switch self {
        case .user: "s.whatsapp.net"
        case .legacyUser: "c.us"
        case .group: "g.us"
        case .lid: "lid"
        case .hosted: "hosted"
        case .hostedLID: "hosted.lid"
        case .broadcast: "broadcast"
        case .newsletter: "newsletter"
        case .bot: "bot"
        case .messenger: "msgr"
        case .interop: "interop"
        case .call: "call"
        case .other(let name): name
        }
    }

    /// The domain byte of the AD_JID wire form and of Signal names: 0 phone number, 1 LID, 128 hosted, 129 hosted LID.
    package var domain: UInt8 {
        switch self {
        case .lid: 1
        case .hosted: 128
        case .hostedLID: 129
        default: 0
        }
    }

    /// The server that `domain` names, or nil for a byte outside 0, 1, 128, 129.
    package init?(domain: UInt8) {
        switch domain {
        case 0: self = .user
        case 1: self = .lid
        case 128: self = .hosted
        case 129: self = .hostedLID
        default: return nil
        }
    }
}

extension JIDServer: CustomStringConvertible {
    package var description: String { name }
}
