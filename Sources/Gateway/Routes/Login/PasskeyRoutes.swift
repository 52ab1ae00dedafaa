import AdminAuth
import Cryptography
import Messaging
import Tenancy

extension RouteCatalogue {
    /// The passkey step while linking (10-rest-api, section 23; members and states as 12-device-scoping-api, section 9.4).
    var passkeyRoutes: [Route] {
        [
            Route(
                .get, "/devices/me/passkey", .device, "What the passkey step of a running login waits for",
                details: """
                    WhatsApp demands a passkey of some accounts while they are linked. Run `navigator.credentials.get` \
                    with the challenge on WhatsApp's origin, with the person's authenticator, and hand its result to \
                    `POST /devices/me/passkey/response`: the gateway can only carry it.
                    """,
                answer: .data("Passkey pairing status", .passkeyStep), handler: passkeyStatus),
            Route(
                .post, "/devices/me/passkey/response", .device, "Hand over the assertion of the person's authenticator",
                body: .fields(
                    [
                        .init("id", required: true, "Credential id, base64url", example: "AQID"),
                        .init("rawId", required: true, "Credential id, base64url", example: "AQID"),
                        .init("type", required: true, "Kind of credential", values: ["public-key"]),
                        .init(
                            "response", .object, required: true,
                            "clientDataJSON, authenticatorData, signature, optional userHandle; base64url",
                            example: .object([
                                ("clientDataJSON", "e30"), ("authenticatorData", "AAAA"), ("signature", "BBBB"),
                            ])),
                    ], parseError: "Failed parse body request"),
                answer: .data("Passkey response sent", .object(.init("device_id", .uuid))),
                errors: ["passkey_not_pending", .whatsApp], statuses: [200, 400, 409, 422, 502, 503, 504], waits: true,
                handler: passkeyResponse),
            Route(
                .post, "/devices/me/passkey/confirm", .device, "Say that the code equals the one on the phone",
                answer: .data("Passkey pairing confirmed", .object(.init("device_id", .uuid))),
                errors: ["passkey_not_pending", .whatsApp], statuses: [200, 409, 502, 503, 504], waits: true
            ) { call in
                try await pairingSession(call).confirmPasskey()
                return .ok("Passkey pairing confirmed") { writer in
                    writer.object { $0.member("device_id", call.device.deviceID) }
                }
            },
        ]
    }

    private func pairingSession(_ call: Call) async throws -> any DeviceClient {
        guard let session = try await dependencies.sessions.located(did: call.device.did) else {
            throw SessionError.passkeyNotPending
        }
        return session
    }

    @Sendable private func passkeyStatus(_ call: Call) async throws -> Answer {
        let step = try await dependencies.sessions.located(did: call.device.did)?.state.pairing
        return .ok("Passkey pairing status") { writer in
            writer.object { writer in
                writer.member("device_id", call.device.deviceID)
                guard case .passkey(let state)? = step else { return writer.noPasskey() }
                writer.passkey(state)
            }
        }.with("Cache-Control", "no-store")
    }

    @Sendable private func passkeyResponse(_ call: Call) async throws -> Answer {
        let response = try call.body.texts("response") ?? [:]
        func binary(_ name: String, in value: String?) throws(APIError) -> String {
            guard let text = value?.trimmingWhitespace(), !text.isEmpty else {
                throw APIError.validation("\(name): cannot be blank", field: name)
            }
            guard Base64.decodeURLSafe(text) != nil else {
                throw APIError.validation("\(name): must be base64url", field: name)
            }
            return text
        }
        let type = try call.body.string("type")?.trimmingWhitespace() ?? ""
        if type.isEmpty { throw APIError.validation("type: cannot be blank", field: "type") }
        guard type == "public-key" else { throw APIError.validation("type: must be public-key", field: "type") }
        let handle = response["userHandle"].flatMap { $0.isBlank ? nil : $0 }
        let assertion = PasskeyAssertion(
            id: try binary("id", in: try call.body.string("id")),
            rawID: try binary("rawId", in: try call.body.string("rawId")),
            clientDataJSON: try binary("response.clientDataJSON", in: response["clientDataJSON"]),
            authenticatorData: try binary("response.authenticatorData", in: response["authenticatorData"]),
            signature: try binary("response.signature", in: response["signature"]),
            userHandle: try handle.map { try binary("response.userHandle", in: $0) })
        try await pairingSession(call).respondToPasskey(assertion)
        return .ok("Passkey response sent") { writer in
            writer.object { $0.member("device_id", call.device.deviceID) }
        }
    }
}

extension Schema {
    fileprivate static let passkeyStep = Schema.object(
        .init("device_id", .uuid), .init("status", .one(of: "none", "awaiting_response", "awaiting_confirmation")),
        .init(
            "challenge", .map(of: .any).example(.object([("challenge", "AAEC"), ("rpId", "web.whatsapp.com")])).orNull,
            "Public-key request options; binary members base64url"),
        .init("code", .string.example("ABCD-1234"), "To be compared with the phone's; empty before"),
        .init("skip_handoff_ux", .boolean.example(false), "It goes on without a confirmation"),
        .init("response_sent", .boolean.example(false), optional: true, "The assertion is at WhatsApp"),
        .init("confirmed", .boolean.example(false), optional: true),
        .init("error", .string.example(""), optional: true, "Why the last assertion was not taken"),
        .init("expires_at", .time, optional: true))
}

extension JSONWriter {
    /// Members of a device that no passkey is demanded of.
    fileprivate mutating func noPasskey() {
        member("status", "none")
        key("challenge")
        null()
        member("code", "")
        member("skip_handoff_ux", false)
    }

    /// Members of a passkey step: the three words of section 9.4, and what tells apart what they leave together.
    mutating func passkey(_ state: PasskeyState) {
        let (status, code, skips, isSent): (String, String, Bool, Bool) =
            switch state.step {
            case .awaitingResponse: ("awaiting_response", "", false, false)
            case .responded: ("awaiting_response", "", false, true)
            case .awaitingConfirmation(let code, let skips): ("awaiting_confirmation", code, skips, true)
            case .confirmed(let code, let skips): ("awaiting_confirmation", code, skips, true)
            }
        member("status", status)
        key("challenge")
        raw(state.options.utf8)
        member("code", code)
        member("skip_handoff_ux", skips)
        member("response_sent", isSent)
        if case .confirmed = state.step { member("confirmed", true) } else { member("confirmed", false) }
        member("error", state.lastError)
        time("expires_at", state.expiresAt)
    }
}
