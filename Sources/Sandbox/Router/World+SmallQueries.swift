import Cryptography
import Transport

/// Requests that have one short answer each (09, sections 11.10 to 11.12; 08, sections 6, 7, 16.5, 16.6, 19).
extension World {
    func answerSmall(_ request: IQRequest) throws -> Stanza {
        let iq = request.stanza
        switch (iq["xmlns"], request.isSet, request.child?.tag) {
        case ("w:biz", false, "business_profile"):
            return request.result(
                Stanza("business_profile", children: businessProfiles(request.child)))
        case ("w:biz", true, "business_profile"): return .result(to: iq)
        case ("w:qr", false, "qr"): throw IQError.itemNotFound
        case ("w:qr", true, "qr"):
            return request.result(
                Stanza("qr", ["code": .text(random.text("qr/codes", count: 14, alphabet: Self.base62))]))
        case ("bot", false, "bot"): return request.result(Stanza("bot", ["v": "2"]))
        case ("tos", true, _), ("w:stats", _, _): return .result(to: iq)
        case ("tos", false, _): return .result(to: iq)
        case ("spam", true, _): return request.result(Stanza("report_id", bytes: Bytes("1".utf8)))
        case ("optoutlist", _, _): return request.result(Stanza("list", ["dhash": "none"]))
        case ("fb:thrift_iq", false, _): throw IQError.itemNotFound
        case ("w:biz:catalog", false, "product_catalog"):
            return request.result(Stanza("product_catalog", children: [Stanza("paging")]))
        case ("w:biz:catalog", false, "collections"): return request.result(Stanza("collections"))
        case ("newsletter", false, "my_addons"): return request.result(Stanza("my_addons"))
        case ("newsletter", _, "live_updates"), ("newsletter", false, _): throw IQError.itemNotFound
        default: throw IQError.notImplemented
        }
    }

    private static let base62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

    private func businessProfiles(_ node: Stanza?) -> [Stanza] {
        (node?.children("profile") ?? []).compactMap { profile in
            guard let jid = profile.jid("jid"), let account = account(jid), let name = account.businessName else {
                return nil
            }
            return Stanza(
                "profile", ["jid": .jid(jid.bare)], children: [Stanza("description", bytes: Bytes(name.utf8))])
        }
    }

    /// The about text of whatsmeow; every other operation belongs to channels.
    private static let aboutMutation = "9152604461510864"

    /// Reach-out lock and message capping (08, section 20.3): an account in good standing.
    private static let standing: [String: JSONValue] = {
        let capping: JSONValue = [
            "xwa2_message_capping_info": [
                "total_quota": 1000, "used_quota": 0, "cycle_start_timestamp": .null, "cycle_end_timestamp": .null,
                "server_sent_timestamp": .null, "ote_status": "NOT_ELIGIBLE", "mv_status": "NOT_ELIGIBLE",
                "capping_status": "NONE",
            ]
        ]
        return [
            "23983697327930364": [
                "xwa2_fetch_account_reachout_timelock": [
                    "is_active": false, "time_enforcement_ends": .null, "enforcement_type": "DEFAULT",
                ]
            ],
            "24503548349331633": capping, "27910975521856601": capping,
        ]
    }()

    /// GraphQL: an unknown operation is answered with `errors`, code 400 (08, section 19.1).
    func answerMex(_ request: IQRequest) throws -> Stanza {
        guard let query = request.stanza.child("query"), let id = query["query_id"] else { throw IQError.badRequest }
        let variables = JSONValue.parse(query.bytesContent ?? [])?["variables"]
        if id == Self.aboutMutation {
            if let text = variables?["input"]?["text"]?.stringValue ?? variables?["input"]?.stringValue {
                setAbout(text, of: request.account, by: request.device)
            }
            return request.result(
                result(["data": ["xwa2_update_text_status": ["result": "SUCCESS"]]]))
        }
        if let answer = Self.standing[id] { return request.result(result(["data": answer])) }
        violation("unknown_mex", id, device: request.device)
        return request.result(
            result([
                "data": .null,
                "errors": [
                    [
                        "message": "Bad Request", "path": [],
                        "extensions": ["error_code": 400, "is_retryable": false, "severity": "CRITICAL"],
                    ]
                ],
            ]))
    }

    private func result(_ json: JSONValue) -> Stanza { Stanza("result", bytes: Bytes(json.text.utf8)) }
}
