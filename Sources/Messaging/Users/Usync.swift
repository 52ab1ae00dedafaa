import Transport

/// User queries (08-users-presence-newsletters, section 3; 02, section 17.1).
///
/// ```
/// <iq xmlns="usync" type="get" to="s.whatsapp.net"><usync sid mode context last="true" index="0">
///   <query>PROTOCOLS</query><list><user jid/>…</list></usync></iq>
/// ```
package enum Usync {
    /// Users per request; larger sets are split (04, section 4.2).
    package static let batchCount = 1000

    private static func request(
        id: String, sid: String, mode: String, context: String, query: [Stanza], users: [Stanza]
    ) -> Stanza {
        IQ.get(
            id: id, namespace: "usync",
            Stanza(
                "usync",
                [
                    "sid": .text(sid), "mode": .text(mode), "last": "true", "index": "0", "context": .text(context),
                ],
                children: [Stanza("query", children: query), Stanza("list", children: users)]))
    }

    private static func user(_ jid: JID) -> Stanza { Stanza("user", ["jid": .jid(jid)]) }

    private static var verifiedName: Stanza { Stanza("business", children: [Stanza("verified_name")]) }

    /// Device lists of bare users.
    package static func devices(id: String, sid: String, users: [JID]) -> Stanza {
        request(
            id: id, sid: sid, mode: "query", context: "message", query: [Stanza("devices", ["version": "2"])],
            users: users.map(user))
    }

    /// Everything about bare users, their LID among it: once per unknown phone number before a send (04, section 4.1).
    package static func userInfo(id: String, sid: String, users: [JID], tokens: [JID: [UInt8]] = [:]) -> Stanza {
        let query = [
            verifiedName, Stanza("status"), Stanza("picture"), Stanza("devices", ["version": "2"]), Stanza("lid"),
        ]
        let list = users.map { jid in
            guard let token = tokens[jid] else { return user(jid) }
            return Stanza("user", ["jid": .jid(jid)], children: [Stanza("tctoken", bytes: token)])
        }
        return request(id: id, sid: sid, mode: "full", context: "background", query: query, users: list)
    }

    /// Whether phone numbers (digits) are registered.
    package static func contacts(id: String, sid: String, phones: [String]) -> Stanza {
        let query = [
            Stanza("contact", ["addressing_mode": "lid"]), verifiedName, Stanza("disappearing_mode"),
            Stanza("username"),
        ]
        let users = phones.map { phone in
            Stanza("user", children: [Stanza("contact", bytes: Array("+\(phone)@c.us".utf8))])
        }
        return request(id: id, sid: sid, mode: "query", context: "interactive", query: query, users: users)
    }

    /// One `<user>` of an answer.
    package struct User: Sendable, Equatable {
        /// As asked; absent for a number that is not registered.
        package var jid: JID?
        package var phoneNumber: JID?
        package var lid: JID?
        package var devices: DeviceList?
        package var contact: Contact?
    }

    package struct Contact: Sendable, Equatable {
        package var isRegistered: Bool
        /// The text of the request, verbatim.
        package var query: String
    }

    /// `<device-list>` and `<key-index-list>`.
    package struct DeviceList: Sendable, Equatable {
        package struct Device: Sendable, Equatable {
            package var id: UInt16
            package var keyIndex: UInt32?
            package var isHosted: Bool
        }

        package var devices: [Device]
        package var hash: String?
        package var keyIndexList: [UInt8]?
        package var keyIndexTimestamp: Int64?
    }

    /// The users of an answer. Throws `malformedAnswer` when it has no list.
    package static func users(of answer: Stanza) throws(SessionError) -> [User] {
        guard let list = answer.child("usync", "list") else { throw .malformedAnswer("usync without list") }
        return list.children("user").map(parse)
    }

    private static func parse(_ user: Stanza) -> User {
        var result = User(jid: user.jid("jid"), phoneNumber: user.jid("pn_jid"))
        if let lid = user.child("lid")?.jid("val"), lid.isLID { result.lid = lid.bare }
        if let jid = result.jid, jid.isLID { result.lid = jid.bare }
        if let jid = result.jid, jid.server == .user, result.phoneNumber == nil { result.phoneNumber = jid }
        if let contact = user.child("contact") {
            result.contact = Contact(isRegistered: contact.type == "in", query: contact.textContent ?? "")
        }
        if let devices = user.child("devices"), devices.child("error") == nil, let list = devices.child("device-list") {
            let indexList = devices.child("key-index-list")
            result.devices = DeviceList(
                devices: list.children("device").compactMap(device), hash: list["hash"],
                keyIndexList: indexList?.bytesContent, keyIndexTimestamp: indexList?.int("ts").map(Int64.init))
        }
        return result
    }

    private static func device(_ stanza: Stanza) -> DeviceList.Device? {
        guard let id = stanza.int("id").flatMap({ UInt16(exactly: $0) }) else { return nil }
        return DeviceList.Device(
            id: id, keyIndex: stanza.int("key-index").flatMap { UInt32(exactly: $0) },
            isHosted: stanza["is_hosted"] == "true")
    }
}
