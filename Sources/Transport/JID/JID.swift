/// An address on the network: a person, one of a person's devices, a group, a channel, a server
/// (01-transport, section 11).
///
/// Equality compares every part. For "the same person" compare ``bare``, and remember that the phone-number JID and the
/// LID of one person are different JIDs until mapped.
package struct JID: Sendable, Hashable {
    /// Phone digits, LID digits, group id ...; empty when the JID names a server.
    package var user: String
    /// The kind of party.
    package var server: JIDServer
    /// Device number, 0 = primary. The AD_JID wire form carries one byte, the text form and the Messenger and interop
    /// forms carry 16 bits.
    package var device: UInt16
    /// Network number, on `interop` only.
    package var integrator: UInt16
    /// Historic agent number; lost when encoded, kept in text.
    package var agent: UInt8

    package init(
        user: String, server: JIDServer, device: UInt16 = 0, agent: UInt8 = 0, integrator: UInt16 = 0
    ) {
        self.user = user
        self.server = server
        self.device = device
        self.agent = agent
        self.integrator = integrator
    }

    /// `digits@s.whatsapp.net`, a person by phone number.
    package static func user(_ digits: String, device: UInt16 = 0) -> JID {
        JID(user: digits, server: .user, device: device)
    }

    /// `digits@lid`, a person by hidden id.
    package static func lid(_ digits: String, device: UInt16 = 0) -> JID {
        JID(user: digits, server: .lid, device: device)
    }

    /// `id@g.us`, a group or community.
    package static func group(_ id: String) -> JID { JID(user: id, server: .group) }

    /// `id@newsletter`, a channel.
    package static func newsletter(_ id: String) -> JID { JID(user: id, server: .newsletter) }

    /// The chat server, `s.whatsapp.net` with no user.
    package static let serverJID = JID(user: "", server: .user)
    /// The group server, `g.us` with no user.
    package static let groupServer = JID(user: "", server: .group)
    /// The status feed, `status@broadcast`.
    package static let status = JID(user: "status", server: .broadcast)
    /// Service announcements, `0@s.whatsapp.net`.
    package static let announcements = JID(user: "0", server: .user)
    /// The official business account, `16505361212@c.us`.
    package static let officialBusiness = JID(user: "16505361212", server: .legacyUser)

    /// The JID without agent and device ("Non-AD"): the person instead of the device.
    package var bare: JID { JID(user: user, server: server, integrator: integrator) }

    /// The same person's device `device`.
    package func device(_ device: UInt16) -> JID {
        JID(user: user, server: server, device: device, integrator: integrator)
    }

    /// The name part of a Signal address: the user, with `_<domain byte>` when the domain byte is not 0 (03, section 12).
    package var signalUser: String {
        let domain = server.domain
        return domain == 0 ? user : "\(user)_\(domain)"
    }

    /// The text with agent and device always written, `user.agent:device@server`.
    package var adDescription: String { "\(user).\(actualAgent):\(device)@\(server.name)" }

    /// The domain byte where the server has one, otherwise the historic agent.
    private var actualAgent: UInt8 {
        switch server {
        case .lid, .hosted, .hostedLID: 0
        default: agent
        }
    }
}

extension JID {
    /// A group or community.
    package var isGroup: Bool { server == .group && !user.isEmpty }
    /// A person by phone number (not the server).
    package var isUser: Bool { server == .user && !user.isEmpty }
    /// A person by hidden id.
    package var isLID: Bool { server == .lid }
    /// The status feed or a broadcast list.
    package var isBroadcast: Bool { server == .broadcast }
    /// A broadcast list, that is a broadcast JID other than the status feed.
    package var isBroadcastList: Bool { server == .broadcast && user != "status" }
    /// The status feed.
    package var isStatus: Bool { server == .broadcast && user == "status" }
    /// A channel.
    package var isNewsletter: Bool { server == .newsletter }
    /// A Cloud API device.
    package var isHosted: Bool { server == .hosted || server == .hostedLID }
    /// A server rather than a party: the user is empty.
    package var isServer: Bool { user.isEmpty }

    /// A person of whatever addressing: phone number, LID, hosted, Messenger, interop.
    package var isPerson: Bool {
        switch server {
        case .user, .lid, .hosted, .hostedLID, .messenger, .interop: !user.isEmpty
        default: false
        }
    }

    /// An AI bot: server `bot`, or device 0 of the phone numbers `1313555dddd` and `131655500dd`.
    package var isBot: Bool {
        if server == .bot { return true }
        guard server == .user, device == 0, user.utf8.count == 11 else { return false }
        return user.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
            && (user.hasPrefix("1313555") || user.hasPrefix("131655500"))
    }
}

extension JID: CustomStringConvertible {
    /// The text form: only the server for an empty user; agent and device written where they are not 0.
    package var description: String {
        if user.isEmpty { return server.name }
        if agent > 0 { return "\(user).\(agent):\(device)@\(server.name)" }
        if device > 0 { return "\(user):\(device)@\(server.name)" }
        return "\(user)@\(server.name)"
    }
}

extension JID: Codable {
    /// Decodes the text form; a text that is no JID is a data-corrupted error.
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let jid = JID(text) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not a JID")
        }
        self = jid
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}
