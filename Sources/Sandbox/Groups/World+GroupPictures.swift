import Cryptography
import OrderedCollections
import Transport

/// Pictures of groups (07, section 11.3; 08, section 23.4).
extension World {
    /// `w:profile:picture` set with a group as target.
    func answerGroupPicture(_ picture: Stanza?, _ group: Group, _ request: IQRequest) throws(IQError) -> Stanza {
        guard let membership = group.participants[request.account.phone] else { throw .forbidden }
        guard membership.role.isAdmin || !group.isLocked else { throw .notAuthorized }
        guard let jpeg = picture?.bytesContent, !jpeg.isEmpty else {
            setPicture(nil, of: group, by: request.account)
            return .result(to: request.stanza)
        }
        guard jpeg.starts(with: Self.jpegMark) else { throw .notAcceptable }
        setPicture(jpeg, of: group, by: request.account)
        return request.result(Stanza("picture", ["id": .text(group.picture?.id ?? "0")]))
    }

    /// Sets or with `nil` removes the picture and tells all members.
    package func setPicture(_ jpeg: Bytes?, of group: Group, by actor: Account) {
        let id = String(max(clock.seconds, (group.picture.flatMap { Int64($0.id) } ?? 0) + 1))
        group.picture = jpeg.map { Account.Picture(id: id, jpeg: $0) }
        save(group)
        let author = AttributeValue.jid(actor.jid(in: group.mode))
        let child =
            jpeg == nil
            ? Stanza("delete", ["jid": .jid(group.jid), "author": author])
            : Stanza("set", ["jid": .jid(group.jid), "id": .text(id), "author": author])
        for member in members(of: group).sorted(by: { $0.phone < $1.phone }) {
            for device in member.devices.values {
                enqueue(
                    Stanza(
                        "notification",
                        [
                            "from": .jid(group.jid), "id": .text(newStanzaID()), "t": .int(clock.seconds),
                            "type": "picture", "notify": .text(actor.pushName),
                        ], children: [child]),
                    for: device)
            }
        }
        changed(group, "picture", by: actor, [:])
    }

    /// `<pictures><picture query="url" type parent_group_jid/></pictures>`.
    func subGroupPictures(_ group: Group, _ node: Stanza) -> [Stanza] {
        guard let current = group.picture else { return [] }
        return node.children("picture").map { picture(current, owner: group.id, type: $0.attributes["type"]) }
    }

    func picture(_ picture: Account.Picture, owner: String, type: AttributeValue?) -> Stanza {
        let path = picturePath(owner: owner, id: picture.id)
        return Stanza(
            "picture",
            [
                "id": .text(picture.id), "type": type ?? "image",
                "url": .text("https://\(mediaHosts.first ?? "mmg.whatsapp.net")\(path)"), "direct_path": .text(path),
                "hash": .text(Base64.encode(SHA256Digest.hash(picture.jpeg))),
            ])
    }
}
